"""Lesson 24, a writer that follows instructions: two texts, of which the instruction is never cut, and an answer that
never is.
"""

import pytest
import torch
from torch.nn import functional as F

from minitune.errors import UserError
from minitune.methods.fitting import fit
from minitune.methods.method import Method
from minitune.models.generate import generate
from minitune.predictors.predictor import over
from minitune.predictors.writer import Writing, exact_match
from minitune.questions.question import Question
from minitune.training.checkpoint import random_twin
from minitune.tuning.lora_adapters import fold_lora, merge_lora, unmerge_lora
from tests import tiny
from tests.predictors.replies import EXAMPLES, TEMPLATE, WHATS, slowly, writer

pytestmark = pytest.mark.lesson24
LONG = Writing("is it good ?", "it was great , and the soup was so good .", text_b="the hero was slow and " * 15)


def whole_row(made, example, taken=0):
    """By hand, with a loop: what is read, where the answer begins, and how much of the input is cut."""
    t, context = made.tokenizer, 61 - taken
    soft = [t.soft_id] * made.template.count("soft")
    before = [*soft, *t.encode("human :"), *t.encode(example.text)]
    middle, behind, answer = t.encode(example.text_b.strip()), t.encode("assistant :"), t.encode(example.answer)
    cut = 0
    while len(before) + len(middle) + len(behind) + len(answer) + 1 > context:
        middle, cut = middle[:-1], cut + 1  # its end goes, and nothing else does
    asked = before + middle + behind
    return asked + answer + [t.end_id], len(asked), cut


# by hand


@pytest.mark.parametrize("what", ["frozen", "prompt-tuning", "prefix-tuning"])
@pytest.mark.parametrize("example", [*EXAMPLES, LONG])
def test_a_row_and_its_labels_are_those_of_a_loop_by_hand(what, example):
    made = writer(what)
    row, start, cut = whole_row(made, example, taken=5 if what == "prefix-tuning" else 0)
    item = made.item(example)
    assert item.rendered.ids == row, "the instruction, the answer or its end is cut, or the input at its beginning"
    assert (item.start, item.rendered.cut) == (start, cut) and (cut > 0) == (example is LONG)
    batch = made.collate([made.item(EXAMPLES[0]), item])
    expected = [row[place + 1] if place + 1 >= start else -100 for place in range(len(row) - 1)]
    assert batch["label"][1, : len(row) - 1].tolist() == expected, "each place's label is the next token of the answer"
    assert (batch["label"][1, len(row) - 1 :] == -100).all(), "what stands behind the end is learned"


def test_an_instruction_is_never_cut_and_the_input_at_its_end():
    made = writer()
    t, instruction = made.tokenizer, "great soup " * 10
    example = Writing(instruction, "so", text_b="good bed " * 40)
    ids = made.question(example).ids
    assert ids[: 5 + 20] == [*t.encode("human :"), *t.encode(instruction.strip())][:25], "the instruction is cut"
    kept = [i for i, origin in zip(ids, made.question(example).origin, strict=True) if origin == "text_b"]
    assert kept == t.encode("good bed " * 40)[: len(kept)] and len(ids) == 61 - 9, "the input is cut at its end"
    assert ids[-len(t.encode("assistant :")) :] == t.encode("assistant :"), "the model is not asked to answer"


def test_what_is_not_cut_may_leave_an_answer_less_than_its_room():
    made = writer(room=30)
    others = len(made.question(Writing("a", text_b="")).ids) - len(made.tokenizer.encode("a"))
    example = Writing("great " * (61 - others - 4), text_b="so sad")
    question = made.question(example)
    assert len(question.ids) == 57 and question.cut == len(made.tokenizer.encode("so sad")) > 0
    assert made.room_behind(question.ids) == 4 and len(made.tokens([example])[0]) <= 4


def test_token_hits_by_hand(monkeypatch):
    made = writer()
    t = made.tokenizer
    batch = made.collate(made.items(EXAMPLES[:3]))
    logits = torch.zeros(*batch["label"].shape, len(t))
    for row, hits in enumerate((2, 0, 1)):  # so many of the first tokens of each answer are likeliest
        places = (batch["label"][row] != -100).nonzero().flatten().tolist()
        for number, place in enumerate(places):
            right = batch["label"][row, place].item()
            logits[row, place, right if number < hits else (right + 1) % len(t)] = 5.0
        logits[row, 0, 0] = 9.0
    monkeypatch.setattr(made, "logits", lambda batch: logits)
    lengths = [len(t.encode(example.answer)) + 1 for example in EXAMPLES[:3]]
    assert made.token_hits(batch).tolist() == [[2, lengths[0]], [0, lengths[1]], [1, lengths[2]]], "its end counts too"


def test_the_share_of_likeliest_tokens_is_of_all_tokens_and_not_a_mean_of_means():
    made = writer("lora")
    hits, tokens = 0, 0
    for item in made.items(EXAMPLES):
        for place in range(item.start, len(item.rendered.ids)):
            with torch.no_grad():
                hidden = made.model(torch.tensor([item.rendered.ids[:place]])).hidden[0, -1]
            hits += made.model.logits(hidden).argmax().item() == item.rendered.ids[place]
            tokens += 1
    found = made.measure(made.items(EXAMPLES))
    assert list(found) == ["exact match", "token accuracy", "loss"]
    assert found["token accuracy"] == pytest.approx(hits / tokens)


@pytest.mark.parametrize(
    ("written", "answer", "score"),
    [
        ("the soup", "the soup", 1),
        (" the  soup\n", "the soup", 1),
        ("the soup", " the\tsoup ", 1),
        ("the soup .", "the soup", 0),
        ("The soup", "the soup", 0),
        ("thesoup", "the soup", 0),
        ("soup the", "the soup", 0),
        ("", "the soup", 0),
        ("汤 。", "汤。", 0),
    ],
)
def test_exact_match_by_hand(written, answer, score):
    assert exact_match(written, Writing("", answer)) == score


def test_whether_an_answer_has_ended_by_hand():
    made = writer(room=4)
    example = EXAMPLES[0]
    assert [made.has_ended(example, [7] * many) for many in range(5)] == [True, True, True, True, False]
    full = len(made.question(Writing("a", text_b="")).ids) - len(made.tokenizer.encode("a"))
    tight = Writing("great " * (61 - full - 2), text_b="")  # two places are left
    assert [made.has_ended(tight, [7] * many) for many in (0, 1, 2)] == [True, True, False]


def test_an_answer_that_ends_has_ended_and_one_that_is_cut_off_has_not():
    made = writer(room=9)
    tokens = made.tokens(EXAMPLES)
    endless = [len(slowly(made, made.question(example).ids, 30)) >= 9 for example in EXAMPLES]
    ended = [made.has_ended(example, row) for example, row in zip(EXAMPLES, tokens, strict=True)]
    assert ended == [not it for it in endless] and set(ended) == {True, False}


# invariants


@pytest.mark.parametrize(
    ("example", "string"),
    [
        (EXAMPLES[0], "human : is it good ? the soup was great assistant : it was great ."),
        (EXAMPLES[2], "human : what is the plot assistant : sad"),
        (Writing("so ,", "(a) !?", text_b="it's 3 beds ..."), "human : so , it's 3 beds ... assistant : (a) !?"),
        (Writing("翻译。", "great soup", text_b="猫喜欢汤"), "human :翻译。猫喜欢汤 assistant : great soup"),
        (Writing("say it in chinese :", "猫", text_b="soup"), "human : say it in chinese : soup assistant :猫"),
        (Writing(" good \n", "so sad", text_b="\t bed "), "human : good bed assistant : so sad"),
        (Writing("a\n\nb", "x  y", text_b="c\nd"), "human : a\n\nb c\nd assistant : x  y"),
    ],
)
def test_question_and_answer_have_the_tokens_of_the_one_string(example, string):
    """The parts are encoded one by one; a model that reads the string whole must see the same."""
    made = writer(room=9)
    ids = made.item(example).rendered.ids
    assert ids == [*made.tokenizer.encode(string), made.tokenizer.end_id], "a space is missing or twice at a seam"


@pytest.mark.parametrize("what", ["frozen", "lora", "prompt-tuning", "prefix-tuning"])
def test_rows_of_different_room_are_written_as_one_by_one_and_as_full_passes(what):
    made = writer(what, room=12)
    context = made.model.context
    others = len(made.question(Writing("a", text_b="")).ids) - len(made.tokenizer.encode("a"))
    tight = [Writing("great " * (context - others - left), text_b="so") for left in (3, 7)]
    examples = [EXAMPLES[0], tight[0], *EXAMPLES[1:3], tight[1], LONG]
    rooms = [made.room_behind(made.question(example).ids) for example in examples]
    assert rooms == [12, 3, 12, 12, 7, 12]
    tokens = made.tokens(examples)
    assert tokens == [made.tokens([example])[0] for example in examples] == made.tokens(examples, batch_size=2)
    message = "an answer stands in another example's place, or has another's room"
    alone = [slowly(made, made.question(e).ids, room) for e, room in zip(examples, rooms, strict=True)]
    assert tokens == alone, message
    prefix = made.model.door.past() if what == "prefix-tuning" else None
    inside = made.model.model if prefix else made.model
    for example, room, row in zip(examples, rooms, tokens, strict=True):
        ids, end = made.question(example).ids, made.tokenizer.end_id
        assert generate(inside, [ids], room, stop_id=end, past_key_values=prefix, use_cache=False) == [row]
    assert made.write(examples) == [made.tokenizer.decode(row) for row in tokens]


def test_lora_writes_the_same_merged_and_not_and_folded():
    made = writer("lora", room=12)
    apart, bare = made.tokens(EXAMPLES), writer("frozen", room=12).tokens(EXAMPLES)
    assert apart != bare, "the update changes no answer: this test shows nothing"
    merge_lora(made.model)
    assert made.tokens(EXAMPLES) == apart, "the merged weights are not those that are put together for writing"
    unmerge_lora(made.model)
    assert made.tokens(EXAMPLES) == apart
    fold_lora(made.model)
    assert made.tokens(EXAMPLES) == apart, "plain layers: queries, keys and values come from one product now"


def test_the_answer_is_not_read_while_writing():
    made = writer()
    blank = [Writing(example.text, text_b=example.text_b) for example in EXAMPLES]
    assert made.tokens(blank) == made.tokens(EXAMPLES)


def test_where_a_record_comes_from_makes_it_no_other_record():
    assert Writing("a", "b", text_b="c", where="x") == Writing("a", "b", text_b="c", where="y")
    assert Writing("a", "b", text_b="c") != Writing("a", "b", text_b="d")


# parity


@pytest.mark.parametrize("what", WHATS)
def test_the_loss_is_that_of_the_answers_tokens_one_by_one(what):
    made = writer(what)
    losses = []
    for item in made.items([*EXAMPLES, LONG]):
        for place in range(item.start, len(item.rendered.ids)):
            hidden = made.model(torch.tensor([item.rendered.ids[:place]])).hidden[0, -1]
            losses.append(F.cross_entropy(made.model.logits(hidden), torch.tensor(item.rendered.ids[place])))
    loss = made.loss(made.collate(made.items([*EXAMPLES, LONG])))
    torch.testing.assert_close(loss, torch.stack(losses).mean(), rtol=1e-10, atol=1e-10)


@pytest.mark.parity
def test_the_loss_is_that_of_transformers_with_the_question_left_out():
    """The same weights, the same rows, and -100 in the place of all that is no answer."""
    transformers = pytest.importorskip("transformers")
    made = writer()
    theirs = reference(transformers, made.model)
    items = made.items([*EXAMPLES, LONG])
    batch = made.collate(items)
    labels = batch["input_ids"].clone()  # theirs are shifted inside
    for row, item in enumerate(items):
        labels[row, : item.start] = labels[row, len(item.rendered.ids) :] = -100
    asked = {"input_ids": batch["input_ids"], "attention_mask": batch["attention_mask"]}
    message = "the labels are shifted twice or not at all, or the question is learned"
    expected = theirs(**asked, labels=labels).loss
    torch.testing.assert_close(
        made.loss(batch).float(), expected.float(), msg=message
    )  # theirs reads scores in float32
    everything = labels.masked_fill(batch["attention_mask"] == 1, 0) + batch["input_ids"] * batch["attention_mask"]
    assert not torch.isclose(theirs(**asked, labels=everything).loss, expected, rtol=1e-3), "the question costs nothing"


def reference(transformers, model):
    """Our weights in a GPT2LMHeadModel."""
    c, off = model.config, dict.fromkeys(("resid_pdrop", "embd_pdrop", "attn_pdrop"), 0.0)
    sizes = {"n_positions": c.context, "n_embd": c.width, "n_layer": c.layers, "n_head": c.heads, "n_inner": c.inner}
    vocab = model.token_embedding.weight.shape[0]
    config = transformers.GPT2Config(vocab_size=vocab, **sizes, **off, bos_token_id=None, eos_token_id=None)
    theirs = transformers.GPT2LMHeadModel(config).double().eval()
    with torch.no_grad():
        theirs.transformer.wte.weight.copy_(model.token_embedding.weight)
        theirs.transformer.wpe.weight.copy_(model.position_embedding.weight)
        for block, to in zip(model.blocks, theirs.transformer.h, strict=True):
            a = block.attention
            to.attn.c_attn.weight.copy_(torch.cat([x.weight for x in (a.query, a.key, a.value)]).T)
            to.attn.c_attn.bias.copy_(torch.cat([x.bias for x in (a.query, a.key, a.value)]))
            for ours, its in ((a.output, to.attn.c_proj), (block.mlp.up, to.mlp.c_fc), (block.mlp.down, to.mlp.c_proj)):
                its.weight.copy_(ours.weight.T)
                its.bias.copy_(ours.bias)
            to.ln_1.load_state_dict(block.attention_norm.state_dict())
            to.ln_2.load_state_dict(block.mlp_norm.state_dict())
        theirs.transformer.ln_f.load_state_dict(model.norm.state_dict())
    return theirs


# gradients


def test_only_the_answer_is_learned():
    """The embedding behind each place of the question has a gradient through attention; the question's own words have
    none as words to say."""
    made = writer()
    item = made.item(EXAMPLES[1])
    hidden = made.model(torch.tensor([item.rendered.ids])).hidden.detach().requires_grad_()
    label = made.collate([item])["label"]
    answered = label != -100
    F.cross_entropy(made.model.logits(hidden[answered]), label[answered]).backward()
    moved = hidden.grad[0].abs().sum(dim=1) > 0
    assert moved.nonzero().flatten().tolist() == list(range(item.start - 1, len(item.rendered.ids) - 1))
    batch = made.collate([item])
    assert over(made, [item], lambda batch: made.loss(batch)[None]).item() == pytest.approx(made.loss(batch).item())


# whether it learns


def test_learns_to_answer_by_the_instruction():
    """One input, asked twice: only the instruction tells which answer is wanted."""
    examples = [
        Writing("the first", "great", text_b="great soup"),
        Writing("the last", "soup", text_b="great soup"),
        Writing("the first", "dull", text_b="dull plot"),
        Writing("the last", "plot", text_b="dull plot"),
    ]
    method = Method.parse("full", ["lr=0.01", "steps=60"])
    asked = Question((), TEMPLATE, is_pair=True, kind="reply", room=4)
    made = method.build(random_twin(tiny.checkpoint("gpt")), asked, seed=0)
    assert made.measure(made.items(examples))["exact match"] == 0.0
    fit(method, made, examples, [], seed=0)
    assert made.write(examples) == [example.answer for example in examples]
    assert all(made.has_ended(e, row) for e, row in zip(examples, made.tokens(examples), strict=True))


# what is refused


@pytest.mark.parametrize("what", ["frozen", "prompt-tuning", "prefix-tuning"])
@pytest.mark.parametrize(
    ("example", "sentence"),
    [
        (
            Writing("so", "it was" + " it was" * 39, text_b="a"),
            r"the answer takes 81 of the \d\d tokens of the context, its end among them: shorten it",
        ),
        (
            Writing("great " * 62, "so", text_b="a"),
            r"the answer takes 2 .*, and beside it: a text of 62 tokens may not",
        ),
        (Writing("great " * 40, "it was " * 12, text_b="a"), r"the answer takes 25 .*: a text of 40 tokens may not be"),
    ],
)
def test_a_record_that_does_not_fit_is_told_with_its_place(what, example, sentence):
    made = writer(what)
    placed = Writing(example.text, example.answer, text_b=example.text_b, where="a.json, record 7")
    with pytest.raises(UserError, match=rf"^a\.json, record 7: {sentence}"):
        made.items([EXAMPLES[0], placed])
    with pytest.raises(UserError, match=f"^{sentence}"):
        made.item(example)


def test_a_question_that_leaves_the_end_no_place_is_refused():
    made = writer()
    others = len(made.question(Writing("a", text_b="")).ids) - len(made.tokenizer.encode("a"))
    exactly, less = (Writing("great " * (61 - others - left), text_b="") for left in (0, 1))
    assert made.room_behind(made.question(less).ids) == 1 and len(made.write([less])) == 1
    with pytest.raises(UserError, match="may not be cut"):
        made.write([exactly])


# turns before a question


TURNS = (Writing("great", "soup .", text_b="bed"), Writing("the hero", "so sad", text_b=""))


@pytest.mark.parametrize("what", ["lora", "prompt-tuning", "prefix-tuning"])
@pytest.mark.parametrize("long", [False, True])
def test_of_a_conversation_only_the_last_answer_is_learned(what, long):
    """As many of the latest turns as there is room for beside this answer, each with its end, no prompt in them."""
    made = writer(what, "so {text:whole} {text_b} :")
    t, example = made.tokenizer, Writing("good", "the bed was dull .", text_b="plot " * (25 if long else 1))
    said = [[*t.encode(f"so {w.text} {w.text_b}".strip() + " :"), *t.encode(w.answer), t.end_id] for w in TURNS]
    soft = [t.soft_id] * made.template.count("soft")
    question = [*soft, *t.encode(f"so good {example.text_b.strip()} :")]
    answer = [*t.encode(example.answer), t.end_id]
    fitting = list(said)
    while sum(map(len, fitting)) + len(question) + len(answer) > made.model.context:
        fitting.pop(0)
    item = made.item(Writing("good", example.answer, text_b=example.text_b, before=TURNS))
    assert item.rendered.ids == [*(i for turn in fitting for i in turn), *question, *answer]
    assert item.rendered.cut == 0, "the question is cut for what was said before it: forget that first"
    label = made.collate([item])["label"][0]
    assert label[label != -100].tolist() == answer, "the answers before it are learned again"
    assert len(item.rendered.origin) == len(item.rendered.types) == len(item.rendered.ids)
