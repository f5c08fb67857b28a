"""Lesson 24, speaking: whole characters as they come, and the same tokens whatever was tuned."""

from itertools import islice

import pytest
import torch

from minitune.models.attention import SelfAttention
from minitune.models.generate import generate
from minitune.predictors.speaker import UNFINISHED, Sampling, Speaker, spoken
from tests.predictors.replies import EXAMPLES, WHATS, slowly, writer

pytestmark = pytest.mark.lesson24
TEXTS = ["great soup .", "猫喜欢汤。", "🐈 and 🐈‍⬛ , so !", "é猫🐈", "the 猫 was  great\n so", " two spaces before"]


def lines(tokenizer, ids):
    return list(spoken(tokenizer, iter(ids)))


# whole characters


@pytest.mark.parametrize("text", TEXTS)
def test_pieces_are_whole_characters_and_join_to_the_text(gpt_tokenizer, text):
    ids = gpt_tokenizer.encode(text)
    pieces = lines(gpt_tokenizer, ids)
    assert "".join(pieces) == gpt_tokenizer.decode(ids) == text
    message = "half a character is shown: wait until its bytes are there"
    assert not any(UNFINISHED in piece for piece in pieces), message


def test_a_character_comes_with_its_last_byte_by_hand(gpt_tokenizer):
    ids = gpt_tokenizer.encode("so 猫 🐈")
    assert [len(gpt_tokenizer.encode(sign)) for sign in ("猫", "🐈")] == [3, 5], (
        "each byte is a token here, and a space"
    )
    came = []

    def told():
        for place, token in enumerate(ids):
            came.append(place)
            yield token

    at = [(came[-1], piece) for piece in spoken(gpt_tokenizer, told()) if piece]
    # so | space, three bytes | space, four bytes
    assert at == [(0, "so"), (1, " "), (4, "猫"), (5, " "), (9, "🐈")], "it comes before its last byte, or later"


@pytest.mark.parametrize("kept", [1, 2])
def test_an_unfinished_character_comes_out_at_last(gpt_tokenizer, kept):
    ids = [*gpt_tokenizer.encode("so"), *gpt_tokenizer.encode("猫")[:kept]]
    pieces = lines(gpt_tokenizer, ids)
    assert "".join(pieces) == gpt_tokenizer.decode(ids) and pieces[-1].startswith(UNFINISHED)
    assert pieces[0] == "so", "what was whole waits for what is not"


def test_bytes_that_never_become_a_character_do_not_stop_the_rest(gpt_tokenizer):
    ids = [*gpt_tokenizer.encode("猫")[:2], *gpt_tokenizer.encode("so good")]
    pieces = lines(gpt_tokenizer, ids)
    assert "".join(pieces) == gpt_tokenizer.decode(ids) and "".join(pieces).endswith(" so good")
    assert any(piece.endswith(" so") for piece in pieces) and " good" in pieces


def test_special_tokens_are_silent_and_nothing_is_nothing(gpt_tokenizer):
    t = gpt_tokenizer
    ids = [t.sep_id, *t.encode("so"), t.pad_id, t.soft_id, *t.encode("good")]
    assert "".join(lines(t, ids)) == t.decode(ids) == "so good"
    assert "".join(lines(t, [])) == ""


@pytest.mark.parametrize("seed", range(6))
def test_any_tokens_at_all_join_to_their_text(gpt_tokenizer, seed):
    generator = torch.Generator().manual_seed(seed)
    ids = torch.randint(0, len(gpt_tokenizer), (60,), generator=generator).tolist()
    assert "".join(lines(gpt_tokenizer, ids)) == gpt_tokenizer.decode(ids)


# parity: what was tuned, spoken token by token


@pytest.mark.parametrize("what", WHATS)
def test_it_speaks_as_generate_writes_and_as_full_passes_do(what):
    made = writer(what)
    speaker, end = Speaker.of(made.model), made.tokenizer.end_id
    lengths, changed = [], 0
    for example in EXAMPLES:
        ids = made.question(example).ids
        told = list(speaker.speak(ids, 9, end))
        message = f"{what}: it goes on from something else than what was tuned and the question"
        assert told == slowly(made, ids, 9), message
        assert [told] == generate(speaker.model, [ids], 9, stop_id=end, past_key_values=speaker.past)
        assert end not in told
        lengths.append(len(told))
        changed += told != slowly(writer("frozen"), [i for i in ids if i != made.tokenizer.soft_id], 9)
    assert changed or what == "frozen", "what was tuned changes no answer: this test shows nothing"
    assert what != "frozen" or min(lengths) < max(lengths) == 9, "one must come to its end, and one must not"


def test_a_prefix_is_taken_out_of_its_door_without_its_dropout():
    made = writer("prefix-tuning")
    made.model.door.dropout.p = 0.9
    made.train()
    speaker = Speaker.of(made.model)
    assert speaker.model is made.model.model, "with the prefix at its door, no past could be kept"
    assert made.training and made.model.door.training, "the mode of before is not back"
    with torch.no_grad():
        expected = made.eval().model.door.past()
    torch.testing.assert_close(speaker.past, expected, rtol=0, atol=0, msg="the prefix was taken with its dropout on")
    assert not any(tensor.requires_grad for layer in speaker.past for tensor in layer)


def test_what_has_no_prefix_speaks_as_it_is():
    for what in ("lora", "prompt-tuning"):
        made = writer(what)
        assert Speaker.of(made.model) == Speaker(made.model, None)


# drawn


def test_the_same_seed_says_the_same_and_another_says_something_else():
    made = writer("p-tuning-v2")
    speaker, ids, end = Speaker.of(made.model), made.question(EXAMPLES[1]).ids, made.tokenizer.end_id
    one, two, other = (list(speaker.speak(ids, 15, end, Sampling(1.5, seed=seed))) for seed in (4, 4, 5))
    assert one == two != other and one != list(speaker.speak(ids, 15, end))


@pytest.mark.parametrize("how", [Sampling(0.9, seed=3), Sampling(1.7, top_k=4, seed=1), Sampling(1.4, None, 0.6, 2)])
def test_each_setting_of_the_draw_arrives(how):
    made = writer("lora")
    ids, end = made.question(EXAMPLES[3]).ids, made.tokenizer.end_id
    settings = {"temperature": how.temperature, "top_k": how.top_k, "top_p": how.top_p, "seed": how.seed}
    (expected,) = generate(made.model, [ids], 15, stop_id=end, **settings)
    assert list(Speaker.of(made.model).speak(ids, 15, end, how)) == expected


# nothing is done ahead


def test_who_stops_listening_leaves_the_model_as_it_was():
    made = writer()
    steps = Speaker.of(made.model).speak(made.question(EXAMPLES[1]).ids, 15, made.tokenizer.end_id)
    assert len(list(islice(steps, 2))) == 2
    steps.close()
    layers = [module for module in made.model.modules() if isinstance(module, SelfAttention)]
    assert layers and all(layer.together is None for layer in layers), "the weights stay together: close the stream"
    assert torch.is_grad_enabled() and not torch.is_inference_mode_enabled()
