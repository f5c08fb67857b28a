"""Methods by name: every answer to "what may change?" with every way to read, on both models.

shapes, by hand, invariants, parity, gradients, whether it learns.
"""

import copy
import dataclasses
from itertools import cycle

import pytest
import torch

from minitune.data.examples import Example
from minitune.errors import UserError
from minitune.methods.fitting import fit
from minitune.methods.method import Method
from minitune.methods.read import READ
from minitune.methods.several import all_methods
from minitune.methods.what import WHAT
from minitune.predictors.tagger import TaggedWords, Tagger
from minitune.predictors.writer import Writer, Writing
from minitune.questions.question import Question
from minitune.training.checkpoint import fingerprint, load_checkpoint
from minitune.tuning.doors import Prefix, SoftPrompt, Tuned
from minitune.tuning.freezing import Untied
from minitune.tuning.lora import lora_layers
from minitune.tuning.lora_adapters import lora_off
from minitune.tuning.rates import default_rate
from minitune.tuning.trained import count, trainable
from tests import tiny
from tests.tiny import EXAMPLES, SETTINGS, TAGS, TEXT

pytestmark = pytest.mark.lesson06

BASE_STAYS = ("frozen", "prompt-tuning", "p-tuning", "prefix-tuning", "p-tuning-v2", "lora")  # and can be had back
NOT_READ = {  # what no verbalizer of BERT reads: it has no gradient there, and cannot move
    "pooler.weight",
    "pooler.bias",
    "next_sentence.weight",
    "next_sentence.bias",
}


@pytest.fixture(params=["gpt", "bert"])
def kind(request):
    return request.param


def parse(what, rest="", *settings):
    return Method.parse(f"{what}{rest}", [*SETTINGS.get(what, []), *settings])


def build(kind, what, rest="", *settings, seed=3, **changes):
    """A method, and what it makes of the tiny checkpoint."""
    method = parse(what, rest, *settings)
    return method, method.build(tiny.checkpoint(kind), tiny.question(kind, **changes), seed)


def training(what, settings, kind="bert", steps=100, seed=0):
    method, predictor = build(kind, what, "", *settings)
    return method.training(predictor, steps, seed)


def logits_of(model, kind):
    """Word scores of a batch with padding: (2, 7, V)."""
    ids = torch.randint(7, 90, (2, 7), generator=torch.Generator().manual_seed(8))
    mask = torch.tensor([[1] * 7, [1] * 4 + [0] * 3])
    with torch.no_grad():
        return model.logits(model(ids, attention_mask=mask).hidden)


# shapes


@pytest.mark.parametrize(("what", "kind"), list(zip(WHAT, cycle(("bert", "gpt")), strict=False)))
def test_every_method_has_every_read_out_and_trains_as_many_numbers_as_its_formula_says(what, kind):
    labels, base = ("1", "2", "4"), tiny.checkpoint(kind)
    words = dict(zip(labels, tiny.WORDS.values(), strict=True))
    asked = Question(labels, tiny.question(kind).template, words)
    of_readout = {"head": 3 * 24 + 3, "focal": 75, "distilled": 75, "beside": 8 + 3 * 32 + 3, "number": 25}
    of_readout |= {"soft": 3 * 24, "probe": 3 * 24 + 3, "prototypes": 64 * 24 + 3 * 64}
    model = parse(what).build(base, asked, seed=3).model
    for read in READ:
        method = parse(what, f"+{read}")
        if what == "output" and not READ[read].reads(asked, base, 3, method.reading).reads_words:
            with pytest.raises(UserError, match="its read-out reads none"):
                method.build(base, asked, seed=3)
            continue
        predictor = method.join(model, base, asked, seed=3)
        assert predictor.scores(EXAMPLES[:2]).shape == (2, 3)
        found = {name: p.numel() for name, p in trainable(predictor.model).items()}
        expected = WHAT[what].count(method.settings, base.model.config)
        assert sum(found.values()) == expected, f"the formula says {expected}, and {what} trains {found}"
        assert count(trainable(predictor.readout)) == of_readout.get(read, 0), "a read-out trains all that is new in it"


def test_placeholders_are_counted_by_the_template(kind):
    for what in ("prompt-tuning", "p-tuning"):
        for written, length in (("{soft:2} {text} {soft:2} {mask}", 4), ("{soft:1} {text} {mask}", 1)):
            _, predictor = build(kind, what, template=written, is_own=True)
            assert predictor.model.door.source().shape == (length, 24), "one vector a placeholder, whatever length says"
            assert predictor.scores(EXAMPLES[:1]).shape == (1, 3), "P = 1 or B = 1 lost a dimension: no squeeze()"
            assert str(predictor.template) == written


# by hand


def test_a_soft_prompt_stands_before_the_tasks_own_template(kind):
    for what, length in (("prompt-tuning", 5), ("p-tuning", 3)):
        _, predictor = build(kind, what)
        assert str(predictor.template) == f"{{soft:{length}}} {tiny.question(kind).template}"
        _, predictor = build(kind, what, "+head")
        assert str(predictor.template) == f"{{soft:{length}}} {{text}}"
    assert str(build(kind, "prefix-tuning")[1].template) == tiny.question(kind).template, (
        "a prefix takes no place in the text"
    )


def test_pairs_are_asked_with_both_texts(kind):
    _, predictor = build(kind, "frozen", "+head", is_pair=True)
    assert str(predictor.template) == "{text} {sep} {text_b}"
    _, predictor = build(kind, "prompt-tuning", "+head", is_pair=True)
    assert str(predictor.template) == "{soft:5} {text} {sep} {text_b}"
    pair = [Example("great soup", "a dull plot"), Example("great soup", "a great plot")]
    one, two = predictor.scores(pair)
    assert not torch.equal(one, two), "the second text is not read"


def test_a_users_template_is_taken_as_it_stands_by_every_method(kind):
    own = "so {text} , {mask}"
    for what in ("full", "prefix-tuning", "lora"):
        for read in ("+head", "@bare+verbalizer", "@manual+focal"):
            assert str(build(kind, what, read, template=own, is_own=True)[1].template) == own


def test_a_prompt_may_start_from_the_label_words(kind):
    _, predictor = build(kind, "prompt-tuning", "", "start=labels")
    t, model = tiny.checkpoint(kind).tokenizer, tiny.checkpoint(kind).model
    words = [t.word_id(word) for words in tiny.WORDS.values() for word in words]  # as many as the prompt is long
    assert torch.equal(predictor.model.door.source(), model.token_embedding.weight[words])


def test_what_each_method_makes_of_the_model(kind):
    plain = type(tiny.checkpoint(kind).model)
    for what, made in (("full", plain), ("frozen", plain), ("lora", plain), ("output", Untied)):
        assert type(build(kind, what)[1].model) is made
    for what, door in (
        ("prompt-tuning", SoftPrompt),
        ("p-tuning", SoftPrompt),
        ("prefix-tuning", Prefix),
        ("p-tuning-v2", Prefix),
    ):
        model = build(kind, what)[1].model
        assert isinstance(model, Tuned) and isinstance(model.door, door)
    layers = lora_layers(build(kind, "lora")[1].model)
    assert len(layers) == 6 and {path.rpartition(".")[2] for path in layers} == {"query", "up", "down"}
    assert all(layer.adapters["lora"].scale == 5 / 3 for layer in layers.values()), "the scale is alpha / rank"


# invariants


@pytest.mark.parametrize("what", WHAT)
def test_only_what_is_declared_moves_and_all_of_it(what, kind):
    """Declared: what required a gradient before the first step. Then one look at every number of the model."""
    base = tiny.checkpoint(kind)
    before = fingerprint(base.model)
    steps = "steps=12" if what == "gradual" else "steps=3"
    method, predictor = build(kind, what, "", steps, "weight_decay=0.5", "lr=0.01")
    declared, start = set(trainable(predictor)), copy.deepcopy(predictor.state_dict())
    fit(method, predictor, EXAMPLES, [], seed=0)
    moved = {name for name, tensor in predictor.state_dict().items() if not torch.equal(tensor, start[name])}
    assert moved <= declared, f"{sorted(moved - declared)[:3]} moved and was not to be trained"
    names = {"model." + name for name in NOT_READ} | {"model.type_embedding.weight"}
    at_rest = {name for name in declared - moved if name not in names}
    assert not at_rest, f"{sorted(at_rest)[:3]} is to be trained and never moved: was the optimizer made before it?"
    assert set(trainable(predictor)) == declared, "training must leave on what it found on: it is saved by that"
    assert fingerprint(base.model) == before, "the checkpoint that the next method starts from was tuned"


@pytest.mark.parametrize("what", BASE_STAYS)
def test_a_frozen_base_is_given_back_exactly_when_the_method_is_switched_off(what, kind):
    base = tiny.checkpoint(kind).model
    before = logits_of(base, kind)
    method, predictor = build(kind, what, "+head", "steps=3", "lr=0.05", "weight_decay=0.3")
    fit(method, predictor, EXAMPLES, [], seed=0)
    model = predictor.model.model if isinstance(predictor.model, Tuned) else predictor.model
    if what == "lora":
        assert not torch.equal(logits_of(model, kind), before), "the adapter never moved"
        with lora_off(model):
            assert torch.equal(logits_of(model, kind), before)
        kept = {name.replace(".base.", "."): tensor for name, tensor in model.state_dict().items()}
        assert all(torch.equal(kept[name], tensor) for name, tensor in base.state_dict().items())
    else:
        assert fingerprint(model) == fingerprint(base), "a frozen weight moved, by weight decay or a tie"
        assert torch.equal(logits_of(model, kind), before)


@pytest.mark.parametrize("what", [what for what in WHAT if what not in BASE_STAYS])
def test_what_changes_the_base_changes_it(what, kind):
    """So a file of it must hold those weights, and a second method cannot share the model."""
    base = tiny.checkpoint(kind).model
    method, predictor = build(kind, what, "", "steps=3", "lr=0.01")
    fit(method, predictor, EXAMPLES, [], seed=0)
    assert not torch.equal(logits_of(predictor.model, kind), logits_of(base, kind))


def test_the_word_scores_trained_apart_leave_the_embeddings_alone(kind):
    base = tiny.checkpoint(kind).model
    method, predictor = build(kind, "output", "", "steps=3", "lr=0.01")
    fit(method, predictor, EXAMPLES, [], seed=0)
    inside = predictor.model.model
    assert torch.equal(inside.token_embedding.weight, base.token_embedding.weight), "the tied end moved with it"
    assert not torch.equal(predictor.model.output, base.token_embedding.weight)


def test_lora_starts_from_the_pretrained_scores_exactly(kind):
    _, plain = build(kind, "full")
    _, low = build(kind, "lora")
    assert torch.equal(low.scores(EXAMPLES), plain.scores(EXAMPLES)), "B starts at zero"


@pytest.mark.parametrize("what", ["prompt-tuning", "p-tuning", "prefix-tuning", "p-tuning-v2", "lora"])
def test_the_same_seed_builds_the_same_whatever_was_drawn_before(what, kind):
    _, one = build(kind, what, "+head", seed=5)
    torch.rand(17)
    _, two = build(kind, what, "+head", seed=5)
    _, other = build(kind, what, "+head", seed=6)
    ones, twos, others = (dict(j.named_parameters()) for j in (one, two, other))
    unlike = [name for name in ones if not torch.equal(ones[name], twos[name])]
    assert not unlike, f"{unlike[0]} was drawn from everybody's generator, not from the seed"
    drawn = [name for name in trainable(one.model) if not name.endswith(".B")]
    assert any(not torch.equal(ones[f"model.{name}"], others[f"model.{name}"]) for name in drawn)
    assert not torch.equal(ones["readout.linear.weight"], others["readout.linear.weight"])


def test_two_methods_of_one_checkpoint_share_nothing(kind):
    _, one = build(kind, "full", "+head")
    _, two = build(kind, "full", "+head")
    with torch.no_grad():
        one.model.token_embedding.weight.zero_()
    assert not torch.equal(one.scores(EXAMPLES), two.scores(EXAMPLES))


@pytest.mark.parametrize("what", WHAT)
def test_training_twice_gives_the_same_numbers(what):
    read = "" if what == "output" else "+head"
    method = parse(
        what, read, "steps=2", *(["dropout=0.4"] if what in ("lora", "prefix-tuning", "p-tuning-v2") else [])
    )
    scores = []
    for _ in range(2):
        predictor = method.build(tiny.checkpoint("bert"), tiny.question("bert"), seed=1)
        fit(method, predictor, EXAMPLES, EXAMPLES[:3], seed=1)
        scores.append(predictor.scores(EXAMPLES))
        torch.rand(9)
    assert torch.equal(*scores)
    assert torch.equal(predictor.scores(EXAMPLES), scores[1]), "dropout is still on after training"


# names and tables


def test_every_combination_is_listed_once_and_can_be_read():
    names = all_methods()
    assert len(names) == len(set(names)) and names[0] == "zero-shot"
    assert "frozen@manual+verbalizer" not in names, "that is zero-shot, and would be measured twice"
    assert not any(name.endswith(("@bare+verbalizer", "+number")) for name in names)
    assert not any(name.startswith("output") and not name.endswith("+verbalizer") for name in names)
    assert all(f"{what}@manual+verbalizer" in names for what in WHAT if what != "frozen")
    for name in names:
        Method.parse(name)


@pytest.mark.parametrize(
    "name", ["", "full+", "+head", "@manual", "full@", "full head", "full+head\n", "full@a@b", "full/../x"]
)
def test_what_is_no_method_is_refused(name):
    with pytest.raises(UserError, match=r"what@asked\+read"):
        Method.parse(name)


@pytest.mark.parametrize("name", ["lorra", "lora@manuel", "lora+heads", "zero-shot+head", "random-weights"])
def test_an_unknown_part_is_named_with_those_that_exist(name):
    with pytest.raises(UserError, match=r"is unknown.*'lora'.*'manual'.*'verbalizer'.*zero-shot"):
        Method.parse(name)


def test_the_training_of_a_method(kind):
    config = training("lora", ["steps=40", "clip=0.5"], steps=100, seed=7)
    assert (config.steps, config.seed, config.clip, config.lr) == (40, 7, 0.5, default_rate("lora", "bert", True))
    assert config.evaluate_every == 4, "ten looks at the dev set, of the steps that are really made"
    assert training("lora", ["evaluate_every=0"]).evaluate_every == 0
    assert training("lora", [], steps=3).evaluate_every == 1
    assert training("lora", ["lr=0.5"]).lr == 0.5


# what does not fit together


def test_a_soft_prompt_without_placeholders_is_refused(kind):
    for what in ("prompt-tuning", "p-tuning"):
        with pytest.raises(UserError, match=r"no placeholder for a soft prompt.*\{soft:"):
            build(kind, what, template="{text} it was {mask}", is_own=True)


def test_a_prompt_longer_than_the_context_is_refused(kind):
    for what in ("prompt-tuning", "p-tuning", "prefix-tuning", "p-tuning-v2"):
        with pytest.raises(UserError, match=r"a prompt of 61 leaves no room.*context is 61.*shorter"):
            build(kind, what, "", "length=61")


def test_a_text_that_does_not_fit_beside_the_prompt_is_cut_and_counted(kind):
    long = [Example("great soup " * 40)]
    for what in ("prompt-tuning", "p-tuning", "prefix-tuning", "p-tuning-v2"):
        _, predictor = build(kind, what, "", "length=50")
        rendered = predictor.items(long)[0].rendered
        taken = 50 if what != "p-tuning-v2" else 0  # without shift the text starts at position 0 again
        in_text = 50 if what in ("prompt-tuning", "p-tuning") else 0
        assert len(rendered.ids) == 61 - taken + in_text and rendered.cut > 0
        assert rendered.cut == 80 - rendered.origin.count("text"), "what is cut is counted, token by token"
        assert predictor.scores(long).isfinite().all()
        assert rendered.blanks == [predictor.template.render(long[0], predictor.tokenizer, len(rendered.ids)).blanks[0]]
        around = rendered.origin.count("words") + rendered.origin.count("mask") + rendered.origin.count("special")
        assert around == (6 if kind == "bert" else 2), "nothing but the text may be cut"


@pytest.mark.parametrize(
    ("what", "settings", "expected"),
    [
        ("lora", ["targets=quarry"], r"no linear layer is named 'quarry'.*query"),
        ("lora", ["targets=token_embedding"], r"'token_embedding' \(it is an embedding, tied to the output\)"),
        ("lora", ["targets=attention_norm"], "no linear layer is named 'attention_norm'"),
        ("lora", ["rank=25"], r"the rank is 25 and .*query is 24 wide"),
        ("top", ["layers=3"], r"layers is 3, and the model has 2"),
        ("top", ["layers=-1"], r"layers is -1"),
    ],
)
def test_settings_that_the_model_cannot_have(kind, what, settings, expected):
    with pytest.raises(UserError, match=expected):
        build(kind, what, "", *settings)


@pytest.mark.parametrize(
    ("what", "setting"),
    [
        ("lora", "rank=0"),
        ("lora", "dropout=1"),
        ("prompt-tuning", "length=0"),
        ("prompt-tuning", "start=nowhere"),
        ("prompt-tuning", "start=text"),
        ("p-tuning", "encoder=gru"),
        ("p-tuning", "inner=-1"),
        ("prefix-tuning", "length=0"),
        ("prefix-tuning", "dropout=-0.1"),
        ("p-tuning-v2", "length=0"),
        ("layerwise", "decay=0"),
        ("layerwise", "decay=1.5"),
        ("gradual", "share=0"),
    ],
)
def test_settings_out_of_range_are_refused_before_any_model_is_read(what, setting):
    with pytest.raises(UserError):
        Method.parse(what, [setting])


def test_lora_twice_on_one_model_needs_two_names(kind):
    model = copy.deepcopy(tiny.checkpoint(kind).model)
    method, asked = Method.parse("lora+head"), tiny.question(kind)
    method.build(tiny.checkpoint(kind), asked, 0, into=model)
    with pytest.raises(UserError, match="another name"):
        method.build(tiny.checkpoint(kind), asked, 0, into=model)
    method.build(tiny.checkpoint(kind), asked, 0, into=model, name="second")
    assert all(set(layer.adapters) == {"lora", "second"} for layer in lora_layers(model).values())


def test_labels_that_are_no_numbers_cannot_be_read_as_numbers(kind):
    with pytest.raises(UserError, match=r"bad, fair, good are no numbers.*\+head"):
        build(kind, "full", "+number")


def test_a_verbalizer_without_words_is_refused(kind):
    with pytest.raises(UserError, match="'bad' has no label word"):
        build(kind, "full", label_words={})


def test_a_verbalizer_needs_a_blank(kind):
    with pytest.raises(UserError, match="has no blank"):
        build(kind, "full", "@bare+verbalizer")


# tasks of other kinds

READ_TAGS = [what for what in WHAT if what != "output"]


@pytest.mark.parametrize(("what", "kind"), list(zip(READ_TAGS, cycle(("bert", "gpt", "gpt")), strict=False)))
def test_every_method_reads_tags(what, kind):
    method = parse(what, "", "steps=2")
    predictor = method.build(tiny.checkpoint(kind), TAGS, seed=0)
    assert isinstance(predictor, Tagger) and count(trainable(predictor.readout)) == 3 * 24 + 3
    examples = [TaggedWords(("great", "soup"), (0, 2)), TaggedWords(("the", "zqhero", "."), (0, 1, 0))]
    assert len(fit(method, predictor, examples, [], seed=0).losses) == 2
    answers = predictor.answers(examples)
    assert [len(answer.split()) for answer in answers] == [2, 3]


@pytest.mark.parametrize("what", [what for what in WHAT if what != "frozen"])
def test_every_method_writes_with_a_gpt(what):
    method = parse(what, "", "steps=2", "shift=true") if what == "p-tuning-v2" else parse(what, "", "steps=2")
    predictor = method.build(tiny.checkpoint("gpt"), TEXT, seed=0)
    assert isinstance(predictor, Writer)
    examples = [Writing("great soup", "the soup was great ."), Writing("a dull plot", "it was dull .")]
    assert len(fit(method, predictor, examples, [], seed=0).losses) == 2
    assert len(predictor.answers(examples)) == 2


def test_a_bert_writes_no_text():
    for what in ("full", "prefix-tuning", "prompt-tuning"):
        with pytest.raises(UserError, match="take a GPT"):
            parse(what).build(tiny.checkpoint("bert"), TEXT, seed=0)


def test_a_read_out_that_the_task_does_not_have_is_refused(kind):
    for name in ("lora+verbalizer", "lora+focal", "frozen@bare+number"):
        with pytest.raises(UserError, match="read by head; write"):
            Method.parse(name).build(tiny.checkpoint(kind), TAGS, seed=0)
    for name in ("lora+verbalizer", "lora+head"):
        with pytest.raises(UserError, match="read by the model's own words; write lora alone"):
            Method.parse(name).build(tiny.checkpoint(kind), TEXT, seed=0)
    assert isinstance(Method.parse("lora+head").build(tiny.checkpoint(kind), TAGS, seed=0), Tagger)
    words = dataclasses.replace(tiny.question(kind), kind="words")
    with pytest.raises(UserError, match="read by verbalizer"):
        Method.parse("lora+head").build(tiny.checkpoint(kind), words, seed=0)


def test_word_scores_are_not_trained_where_no_word_is_read(kind):
    """They would be stored by the hundred thousand, as they came."""
    for asked, name in ((TAGS, "output"), (TAGS, "output+head"), (tiny.question(kind), "output+head")):
        with pytest.raises(UserError, match="output trains the scores of words"):
            Method.parse(name).build(tiny.checkpoint(kind), asked, seed=0)


# whether it learns: eight examples by heart, each method at its own learning rate, the read-out frozen

TEXTS = ["the plot was clever .", "the soup was awful .", "a dull film .", "the hero was witty ."]
TEXTS += ["the bed was soft and clean .", "the menu was dismal .", "i loved the book .", "we did not like the room ."]


@pytest.fixture(scope="module")
def shipped():
    return {kind: load_checkpoint(kind) for kind in ("gpt", "bert")}


def learn_by_heart(base, name, labels, steps):
    """The accuracy on eight examples before and after training on them, with a read-out that stays as it was drawn."""
    stop = " ." if base.kind == "bert" else ""
    words = {"negative": ("terrible", "bad", "awful"), "positive": ("great", "good", "wonderful")}
    asked = Question(("negative", "positive"), "{text} it was {mask}" + stop, words)
    examples = [Example(text, label=label) for text, label in zip(TEXTS, labels, strict=True)]
    method = Method.parse(name, [f"steps={steps}"])
    predictor = method.build(base, asked, seed=0)
    predictor.readout.requires_grad_(False)
    before = predictor.accuracy(examples)
    fit(method, predictor, examples, [], seed=0)
    return before, predictor.accuracy(examples)


STEPS = {"norms": 60, "biases": 40, "output": 54, "prompt-tuning": 32, "p-tuning": 26, "p-tuning-v2": 26}  # others: 20
A_FIRST_FIT = "minitune.tuning.prefix_tuning.FIT_STEPS"  # of a prefix to real words: 500 steps by default


@pytest.mark.parametrize("what", [what for what in WHAT if what != "frozen"])
def test_each_method_turns_the_meaning_of_eight_texts_round(shipped, what, monkeypatch):
    """GPT, asked for its own words, with every label wrong: whatever it knows is against it."""
    monkeypatch.setattr(A_FIRST_FIT, 50)
    wrong = [0, 1, 1, 0, 0, 1, 0, 1]
    before, after = learn_by_heart(shipped["gpt"], what, wrong, STEPS.get(what, 20))
    assert before <= 0.75
    assert after == 1.0, (
        f"{what} at {default_rate(what, 'gpt', True):g} knows {after:.0%} of eight examples: is its rate too low?"
    )


@pytest.mark.parametrize(
    ("name", "steps"),
    [
        pytest.param("prompt-tuning", 80, marks=pytest.mark.thorough),
        pytest.param("p-tuning", 120, marks=pytest.mark.thorough),
        ("prefix-tuning", 50),
        ("p-tuning-v2@manual+head", 80),
        ("lora", 40),
    ],
)
def test_each_method_that_leaves_bert_alone_learns_eight_labels_by_heart(shipped, name, steps, monkeypatch):
    """Labels dealt out with no sense. A prefix of random keys (P-tuning v2) is meant for a head, and is given one."""
    monkeypatch.setattr(A_FIRST_FIT, 50)
    before, after = learn_by_heart(shipped["bert"], name, [0, 0, 1, 1, 1, 1, 0, 0], steps)
    assert before <= 0.75
    assert after == 1.0, f"{name} knows {after:.0%} of eight examples: is its learning rate too low?"
