"""Lesson 02, generation: the likeliest word or a drawn one, with a cache or without, alone or in a batch."""

from collections import Counter

import pytest
import torch
from torch.nn import functional as F
from torch.overrides import TorchFunctionMode

from minitune.errors import UserError
from minitune.models import generate
from minitune.models.generate import choose
from tests.conftest import random_past
from tests.models.shared import PROMPTS, gpt

__all__ = ["gpt"]
pytestmark = pytest.mark.lesson02


def drawn(logits, draws=4000, seed=0, **settings):
    """The shares of each token among many draws."""
    settings = {"temperature": 1.0, "top_k": None, "top_p": None} | settings
    rows = torch.tensor(logits).expand(draws, -1)
    tokens = choose(rows, **settings, generator=torch.Generator().manual_seed(seed))
    return torch.bincount(tokens, minlength=len(logits)) / draws


def logs(*probabilities):
    return torch.tensor(probabilities).log().tolist()


# shapes


def test_a_list_of_new_tokens_for_each_prompt(gpt):
    new = generate(gpt, PROMPTS, 5)
    assert [len(row) for row in new] == [5] * 4 and all(isinstance(i, int) for row in new for i in row)


# numbers worked by hand


def test_temperature_divides_the_logits():
    # squares of 0.2, 0.3, 0.5 over their sum 0.38; an untouched draw would give 0.2, 0.3, 0.5
    shares = drawn(logs(0.2, 0.3, 0.5), temperature=0.5)
    torch.testing.assert_close(shares, torch.tensor([0.04, 0.09, 0.25]) / 0.38, rtol=0, atol=0.03)


@pytest.mark.parametrize("temperature", [1e-7, 1e-40, 5e-324])
def test_a_temperature_of_nearly_nothing_takes_the_likeliest(temperature):
    shares = drawn([80.0, 90.0, 89.0], temperature=temperature)
    assert shares.tolist() == [0, 1, 0], "logits that are divided by it are infinite, and no chances come of them"


def test_top_k_keeps_the_k_likeliest():
    shares = drawn(logs(0.1, 0.4, 0.2, 0.3), top_k=2)
    torch.testing.assert_close(shares, torch.tensor([0, 4 / 7, 0, 3 / 7]), rtol=0, atol=0.03)
    assert drawn(logs(0.1, 0.9), top_k=7)[0] > 0, "a k beyond the vocabulary keeps all"


@pytest.mark.parametrize(
    ("top_p", "kept"),
    [(0.35, {1}), (0.45, {1, 3}), (0.75, {1, 2, 3}), (0.95, {0, 1, 2, 3}), (1.0, {0, 1, 2, 3}), (1e-9, {1})],
)
def test_top_p_keeps_the_fewest_that_hold_the_mass(top_p, kept):
    shares = drawn(logs(0.1, 0.4, 0.2, 0.3), top_p=top_p)
    message = "the token that crosses the mass is kept, and one token always is"
    assert set(shares.nonzero().flatten().tolist()) == kept, message


def test_a_top_p_that_is_0_in_float32_keeps_the_likeliest():
    assert drawn(logs(0.1, 0.4, 0.2, 0.3), top_p=1e-46).tolist() == [0, 1, 0, 0], "nothing is left to draw from"


def test_top_p_looks_at_what_top_k_left():
    # of 0.4 and 0.3 the first holds 0.57: enough for 0.5, though it holds 0.4 of the whole
    assert drawn(logs(0.1, 0.4, 0.2, 0.3), top_k=2, top_p=0.5).tolist() == [0, 1, 0, 0]


def test_every_row_draws_from_its_own_distribution():
    logits = torch.tensor([logs(1.0, 0, 0), logs(0, 0, 1.0), logs(0, 1.0, 0)])
    tokens = choose(logits, 1.0, 2, 0.9, torch.Generator().manual_seed(0))
    assert tokens.tolist() == [0, 2, 1], "the ranks were not turned back into tokens"


# invariants


def test_greedy_takes_the_likeliest_word_each_time(gpt):
    written = list(PROMPTS[0])
    for token in generate(gpt, [PROMPTS[0]], 9)[0]:
        assert token == gpt.logits(gpt(torch.tensor([written])).hidden)[0, -1].argmax().item()
        written.append(token)


@pytest.mark.parametrize("temperature", [0.0, 0.8])
def test_cached_equals_uncached(gpt, temperature):
    settings = {"temperature": temperature, "seed": 5, "top_k": 20}
    cached = generate(gpt, PROMPTS, 20, **settings)
    message = "the positions or the mask of a later step differ from those of the first"
    assert cached == generate(gpt, PROMPTS, 20, use_cache=False, **settings), message


def test_a_batch_equals_each_prompt_alone(gpt):
    message = "padding is on the wrong side, is seen, or takes positions"
    assert generate(gpt, PROMPTS, 20) == [generate(gpt, [prompt], 20)[0] for prompt in PROMPTS], message


@pytest.mark.parametrize("rows", [1, 4])
def test_a_past_to_start_from(gpt, rows):
    past = random_past(rows, 4)
    together = generate(gpt, PROMPTS, 15, past_key_values=past)
    for row, prompt in enumerate(PROMPTS):
        own = tuple((k[row % rows][None], v[row % rows][None]) for k, v in past)
        alone = generate(gpt, [prompt], 15, past_key_values=own, use_cache=False)[0]
        assert together[row] == alone, "the past is hidden by the mask, or takes no positions, or is another row's"
    assert together != generate(gpt, PROMPTS, 15)


def test_a_past_of_real_tokens_equals_writing_them(gpt):
    opening = [4, 44, 51]
    past = gpt(torch.tensor([opening])).past_key_values
    written_out = generate(gpt, [opening + prompt for prompt in PROMPTS], 12)
    assert generate(gpt, PROMPTS, 12, past_key_values=past) == written_out, "the prompts' positions follow the past's"


@pytest.mark.parametrize("rows", [1, 4])
def test_a_past_to_start_from_is_not_written_into(gpt, rows):
    past, before = random_past(rows, 4), random_past(rows, 4)
    generate(gpt, PROMPTS, 6, past_key_values=past)
    message = "a learned prefix would be changed by writing"
    torch.testing.assert_close(past, before, rtol=0, atol=0, msg=message)


def test_a_model_that_has_changed_writes_otherwise(gpt):
    before = generate(gpt, PROMPTS, 12)
    with torch.no_grad():
        for block in gpt.blocks:
            block.attention.value.weight.mul_(-3.0)
    after = generate(gpt, PROMPTS, 12)
    assert after != before, "weights of before are still used: they were kept beyond the writing"
    assert after == generate(gpt, PROMPTS, 12, use_cache=False)


def test_the_stop_token_ends_its_row_alone_and_is_not_returned(gpt):
    free = generate(gpt, PROMPTS, 20)
    stop = free[0][2]
    assert any(stop not in row for row in free), "choose another stop token: this test shows nothing"
    expected = [row[: row.index(stop)] if stop in row else row for row in free]
    assert generate(gpt, PROMPTS, 20, stop_id=stop) == expected
    assert generate(gpt, PROMPTS, 20, stop_id=stop, use_cache=False) == expected


def test_a_prompt_may_hold_the_stop_token_and_the_token_zero(gpt):
    prompts = [[0, 6, 6], [6]]
    free = [generate(gpt, [prompt], 10)[0] for prompt in prompts]
    stopped = generate(gpt, prompts, 10, stop_id=6)
    assert stopped == [row[: row.index(6)] if 6 in row else row for row in free], "real tokens were taken for padding"


def test_the_same_seed_writes_the_same(gpt):
    settings = {"temperature": 1.0, "top_p": 0.95}
    one, two, other = (generate(gpt, PROMPTS, 12, seed=seed, **settings) for seed in (1, 1, 2))
    assert one == two != other
    torch.manual_seed(0)
    drawn_before = torch.rand(2)
    torch.manual_seed(0)
    generate(gpt, PROMPTS, 3, **settings)
    assert torch.equal(torch.rand(2), drawn_before), "the caller's random numbers were disturbed"


def test_up_to_the_context_and_no_further(gpt):
    assert len(generate(gpt, PROMPTS, 24)[3]) == 24  # 7 + 24 = 31, the context
    message = "past of 0, a prompt of 7 and 25 new tokens exceed the context of 31: ask for at most 24"
    with pytest.raises(UserError, match=message):
        generate(gpt, PROMPTS, 25)
    with pytest.raises(UserError, match="past of 30"):
        generate(gpt, [[1, 2]], 1, past_key_values=random_past(1, 30))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"max_new_tokens": 0}, "max_new_tokens is 0"),
        ({"temperature": -0.1}, "temperature is -0.1"),
        ({"temperature": float("nan")}, "temperature is nan"),
        ({"top_k": 0}, "top_k is 0"),
        ({"top_p": 0.0}, "top_p is 0"),
        ({"top_p": 1.2}, "top_p is 1.2"),
        ({"top_p": float("nan")}, "top_p is nan"),
    ],
)
def test_numbers_out_of_range_are_refused(gpt, change, message):
    with pytest.raises(UserError, match=message):
        generate(gpt, PROMPTS, **({"max_new_tokens": 3} | change))


@pytest.mark.parametrize("prompts", [[], [[3], []]])
def test_nothing_to_continue_is_refused(gpt, prompts):
    with pytest.raises(UserError, match="nothing to continue"):
        generate(gpt, prompts, 3)


# the cache spares work


class Calls(TorchFunctionMode):
    """Counts PyTorch's functions as they are called inside."""

    def __init__(self):
        super().__init__()
        self.count = Counter()

    def __torch_function__(self, function, types, arguments=(), settings=None):
        self.count[function] += 1
        return function(*arguments, **(settings or {}))


def test_a_new_token_copies_no_past_and_takes_four_linear_layers_a_block(gpt):
    counts = []
    for new in (5, 8):
        with Calls() as calls:
            generate(gpt, PROMPTS, new)
        counts.append(calls.count)
    more = counts[1] - counts[0]  # of three tokens, in three blocks
    assert more[torch.cat] == 0, "keys and values are copied for every token: write them behind the others"
    assert more[F.linear] == 3 * 3 * 4, "one for query, key and value, one for the output, two in the MLP"


# gradients


def test_nothing_is_recorded_for_gradients(gpt, monkeypatch):
    called = []
    monkeypatch.setattr(gpt, "logits", lambda hidden: called.append(hidden) or hidden @ gpt.token_embedding.weight.T)
    generate(gpt, PROMPTS, 2)
    assert len(called) == 2 and not any(hidden.requires_grad for hidden in called)
