"""A tuned method that is exported says the same in peft, on transformers' model, fed and read as its README tells.

The recipe is read off the README: where it were wrong, another score would come out here.
"""

import re

import pytest
import torch

from minitune.data.examples import Example
from minitune.errors import UserError
from minitune.exchange.to_peft import peft_files
from minitune.methods.method import Method
from minitune.outputs import write_folder
from minitune.predictors.writer import Writing
from minitune.prompting.template import Demonstration
from minitune.questions.question import Question
from minitune.training.importing import carry_out, plan_import
from minitune.training.transformers_folder import transformers_files
from minitune.tuned.tuned import TunedMethod
from tests import foreign, tiny
from tests.commands.helpers import REVIEWS
from tests.exchange.shared import CLOSE, LORA, TEXTS, bases, tuned
from tests.tiny import TAGS

__all__ = ["bases"]
transformers = pytest.importorskip("transformers", reason="needs the extra `parity`")
peft = pytest.importorskip("peft", reason="needs the extra `parity`")
pytestmark = [
    pytest.mark.parity,
    pytest.mark.filterwarnings("ignore:.*past_key_values.*is deprecated"),
    pytest.mark.filterwarnings("ignore:.is_gradient_checkpointing. is deprecated"),
]
PAIRS = [("great soup", "it was sad ."), ("the bed was soft", "a dull plot")]


def export(one, folder):
    files, lines = peft_files(one, folder)
    write_folder(folder, files)
    assert all(line in (folder / "README.md").read_text() for line in lines)
    return "\n".join(lines)


def told(readme, pattern):
    return re.search(pattern, readme)[1]


def run_peft(readme, base, folder, texts):
    """What the README says: (logits or hidden states (T, ...), the ids that were fed, the model) of each text."""
    name, count = told(readme, r"loaded onto (\w+)"), re.search(r"num_labels=(\d)", readme)
    more = {"num_labels": int(count[1])} if count else {}
    model = getattr(transformers, name).from_pretrained(base, **more)
    model = peft.PeftModel.from_pretrained(model, folder).eval()
    tokenizer = transformers.AutoTokenizer.from_pretrained(base)
    fed = told(readme, r'tokenizer\("(.*?)", add_special')
    for text in texts:
        first, second = (text, "") if isinstance(text, str) else text
        if not second and "where {text_b} is empty, leave out the space before it too" in readme:
            fed = fed.replace(" {text_b}", "{text_b}")
        row = fed.replace("{text}", first).replace("{text_b}", second)
        inputs = tokenizer(row, add_special_tokens=False, return_tensors="pt")
        if "token_type_ids are 1" in readme:
            ids = inputs["input_ids"]
            is_sep = (ids == tokenizer.sep_token_id).long()
            inputs["token_type_ids"] = (is_sep.cumsum(dim=1) - is_sep).clamp(max=1)
        with torch.no_grad():
            output = model(**inputs)
        result = output.last_hidden_state if name == "GPT2Model" else output.logits
        yield result[0], inputs["input_ids"][0], model


def scores_by_recipe(readme, base, folder, texts):
    """Class scores: (N, C)."""
    shift = int(told(readme + "which is 0 places", r"which is (\d+) places"))
    read = told(readme, r"- read: (.*)")
    rows = []
    tokenizer = transformers.AutoTokenizer.from_pretrained(base)
    for result, ids, _ in run_peft(readme, base, folder, texts):
        if result.dim() == 1:  # one score a class already
            rows.append(result)
            continue
        place = len(ids) - 1
        if tokenizer.mask_token and f"at {tokenizer.mask_token}" in read:
            place = ids.tolist().index(tokenizer.mask_token_id)
        at_place = result[place + shift]
        if "head.safetensors" in read:
            from safetensors.torch import load_file

            head = load_file(folder / "head.safetensors")
            rows.append(at_place @ head["weight"].T + head["bias"])
        else:
            words = [piece.split(" = ")[1].split(", ") for piece in read.split("its words: ")[1].split("; ")]
            ids_of = [[tokenizer(word, add_special_tokens=False).input_ids for word in group] for group in words]
            assert all(len(i) == 1 for group in ids_of for i in group)
            rows.append(torch.stack([at_place[[i[0] for i in g]].exp().mean().log() for g in ids_of]))
    return torch.stack(rows)


def assert_same_scores(one, bases, folder, texts=TEXTS, base=""):
    readme = export(one, folder)
    ours = one.predictor.scores(one.examples(texts))
    theirs = scores_by_recipe(readme, bases / (base or one.base.kind), folder, texts)
    torch.testing.assert_close(theirs, ours, **CLOSE, msg=lambda text: f"{one.method.name} on {one.base.kind}: {text}")
    assert (ours - ours[0]).abs().max() > 1e-3, "all texts have the same scores: this test shows nothing"
    return readme


@pytest.mark.parametrize("settings", LORA.values(), ids=[name.replace(" ", "-") for name in LORA])
@pytest.mark.parametrize("read", ["head", "verbalizer"])
@pytest.mark.parametrize("kind", ["gpt", "bert"])
def test_lora_in_peft(kind, read, settings, bases, tmp_path):
    readme = assert_same_scores(tuned(kind, f"lora+{read}", *settings), bases, tmp_path / "out")
    model = {
        ("gpt", "head"): "GPT2Model",
        ("gpt", "verbalizer"): "GPT2LMHeadModel",
        ("bert", "head"): "BertForSequenceClassification",
        ("bert", "verbalizer"): "BertForMaskedLM",
    }[kind, read]
    assert f"loaded onto {model}" in readme
    assert (tmp_path / "out" / "head.safetensors").exists() == (model == "GPT2Model")


PROMPTS = {
    "prompt-tuning": ("length=3", "start=random"),
    "p-tuning": ("length=3",),
    "prefix-tuning": ("length=5", "inner=10"),
    "p-tuning-v2": ("length=5", "dropout=0.2"),
}


@pytest.mark.parametrize("what", PROMPTS)
@pytest.mark.parametrize("read", ["head", "verbalizer"])
@pytest.mark.parametrize("kind", ["gpt", "bert"])
def test_prompts_and_prefixes_in_peft(kind, read, what, bases, tmp_path):
    readme = assert_same_scores(tuned(kind, f"{what}+{read}", *PROMPTS[what]), bases, tmp_path)
    is_prompt = what in ("prompt-tuning", "p-tuning")
    assert (
        ("[CLS] is not fed" in readme)
        == ("[CLS]" not in told(readme, "feed: (.*)") and kind == "bert")
        == (is_prompt and kind == "bert")
    )
    if is_prompt and read == "verbalizer":
        assert f"which is {3 + (kind == 'bert')} places further on" in readme


@pytest.mark.parametrize("kind", ["gpt", "bert"])
def test_words_before_and_between_the_placeholders_join_the_prompt(kind, bases, tmp_path):
    """The anchors of P-tuning: words of the template that stand between its vectors."""
    stop = " ." if kind == "bert" else ""
    own = tiny.question(kind, template=f"so {{soft:2}} the soup {{soft:1}} : {{text}} was {{mask}}{stop}", is_own=True)
    readme = assert_same_scores(tuned(kind, "p-tuning", question=own), bases, tmp_path)
    assert f"which is {6 + (kind == 'bert')} places further on" in readme, "so, 2, the soup, 1; and for a BERT [CLS]"
    assert "so" not in told(readme, r'tokenizer\("(.*?)"')


@pytest.mark.parametrize("read", ["focal", "beside"])
@pytest.mark.parametrize("kind", ["gpt", "bert"])
def test_other_heads_are_one_layer_too(kind, read, bases, tmp_path):
    assert_same_scores(tuned(kind, f"lora+{read}", "rank=3"), bases, tmp_path)


@pytest.mark.parametrize("name", ["lora+head", "lora+verbalizer", "prompt-tuning+head"])
def test_pairs_and_their_token_types(name, bases, tmp_path):
    template = "{text} {sep} {text_b} it was {mask} ." if name == "lora+verbalizer" else "{text} {sep} {text_b}"
    asked = tiny.question("bert", is_pair=True, template=template)
    readme = assert_same_scores(tuned("bert", name, question=asked), bases, tmp_path, PAIRS)
    assert "token_type_ids are 1 behind the first [SEP]" in readme


def test_pairs_of_a_gpt(bases, tmp_path):
    asked = tiny.question("gpt", is_pair=True, template="{text} {sep} {text_b} it was {mask}")
    readme = assert_same_scores(
        tuned("gpt", "prefix-tuning", *PROMPTS["prefix-tuning"], question=asked), bases, tmp_path, PAIRS
    )
    assert "<|sep|>" in readme and "token_type" not in readme


@pytest.mark.parametrize("what", ["lora", *PROMPTS])
@pytest.mark.parametrize("kind", ["gpt", "bert"])
def test_taggers_in_peft(kind, what, bases, tmp_path):
    one = tuned(kind, what, *PROMPTS.get(what, ()), question=TAGS)
    readme = export(one, tmp_path)
    assert "loaded onto GPT2ForTokenClassification" in readme or "loaded onto BertForTokenClassification" in readme
    shift = int(told(readme + "which is 0 places", r"which is (\d+) places"))
    for text, (result, ids, _) in zip(TEXTS, run_peft(readme, bases / kind, tmp_path, TEXTS), strict=True):
        rendered = one.predictor.template.render(Example(text), one.base.tokenizer, 61)
        with torch.no_grad():
            inputs = {"input_ids": torch.tensor([rendered.ids])}
            ours = one.predictor.readout(one.predictor.model(**inputs).hidden)[0]
        words = [place for place, part in enumerate(rendered.origin) if part == "text"]
        first = words[0] - (len(rendered.ids) - len(ids))  # among the ids that were fed
        theirs = result[shift + first : shift + first + len(words)]
        torch.testing.assert_close(theirs, ours[words], **CLOSE)


@pytest.mark.parametrize("what", ["lora", *PROMPTS])
def test_writers_in_peft(what, bases, tmp_path):
    """The README's own line is run, with the cache or without as it says."""
    asked = Question((), "{text} so", kind="text", is_own=what not in ("prompt-tuning", "p-tuning"), room=9)
    one = tuned("gpt", what, *PROMPTS.get(what, ()), question=asked)
    readme = export(one, tmp_path)
    assert ("use_cache=False" in readme) == (what != "lora")
    answers = one.predictor.tokens([Writing(text) for text in TEXTS])
    for text, answer, (result, ids, model) in zip(
        TEXTS, answers, run_peft(readme, bases / "gpt", tmp_path, TEXTS), strict=True
    ):
        question = torch.tensor([one.predictor.question(Writing(text)).ids])
        with torch.no_grad():
            ours = one.predictor.model.logits(one.predictor.model(question).hidden[0, -1])
        torch.testing.assert_close(result[-1], ours, **CLOSE)
        assert written(readme, model, ids) == answer, f"{what}: the README's line generates something else"


def written(readme, model, ids):
    """What the line of the README generates after the ids that are fed, up to the end of text."""
    line = told(readme, r"- read: `(.*?)` goes on")
    inputs = {"input_ids": ids[None], "attention_mask": torch.ones_like(ids)[None]}
    row = eval(line, {"model": model, "inputs": inputs})[0].tolist()
    assert row[: len(ids)] == ids.tolist()
    end = model.config.eos_token_id
    return row[len(ids) : row.index(end, len(ids))] if end in row[len(ids) :] else row[len(ids) :]


@pytest.mark.parametrize("what", ["lora", "prefix-tuning"])
def test_an_empty_second_text_takes_its_space_with_it(what, bases, tmp_path):
    """To a GPT a space too many is a token too many."""
    asked = Question((), "{text} {text_b} so", kind="text", is_own=True, is_pair=True, room=5)
    one = tuned("gpt", what, *PROMPTS.get(what, ()), question=asked)
    readme = export(one, tmp_path)
    assert "where {text_b} is empty, leave out the space before it too" in readme
    for pair in (("great soup", ""), ("great soup", "it was sad")):
        ((_, ids, _),) = run_peft(readme, bases / "gpt", tmp_path, [pair])
        assert ids.tolist() == one.predictor.question(Writing(pair[0], text_b=pair[1])).ids, "other tokens are fed"
        as_written = pair[0] + " " + pair[1] + " so"
        is_same = one.base.tokenizer.encode(as_written) == ids.tolist()
        assert is_same == bool(pair[1]), "the space matters where the text is empty, and only there"


# what cannot be exported

REFUSED = {
    "full+head": ("full+head", {}, "can be exported is lora, prompt-tuning"),
    "biases": ("biases", {}, "can be exported is lora, prompt-tuning"),
    "words found": ("lora", {"template": "{text} so {tokens:12,13} {mask}", "is_own": True}, "a search found"),
    "demonstrations": ("lora", {"demonstrations": (Demonstration("so", None, "great"),)}, "asked with demonstrations"),
    "a class's own vector": ("lora+soft", {}, "a SoftVerbalizer answers as no class"),
    "a number": ("lora+number", {"labels": ("1", "2", "3"), "label_words": {}}, "a NumberHead answers as no class"),
    "prompt behind the text": (
        "prompt-tuning",
        {"template": "{text} {soft:2} it was {mask} .", "is_own": True},
        r"has \{text\} before the end of its soft prompt",
    ),
    "types at a prompt": (
        "prompt-tuning",
        {"template": "{soft:2} {text} {sep} {text_b} {mask} .", "is_own": True, "is_pair": True},
        "token types",
    ),
    "types at a prefix": (
        "p-tuning-v2",
        {"template": "{text} {sep} {text_b} {mask} .", "is_own": True, "is_pair": True},
        "token types",
    ),
}


@pytest.mark.parametrize("case", REFUSED, ids=[name.replace(" ", "-") for name in REFUSED])
def test_what_would_not_be_the_same_is_refused(case, tmp_path):
    name, changes, expected = REFUSED[case]
    with pytest.raises(UserError, match=expected):
        peft_files(tuned("bert", name, question=tiny.question("bert", **changes)), tmp_path)


@pytest.mark.parametrize(
    ("name", "settings", "expected"),
    [
        (
            "lora+head",
            "targets=query,transform",
            "adapts transform, and BertForSequenceClassification has no such layer",
        ),
        ("lora+verbalizer", "targets=pooler,value", "adapts pooler, and BertForMaskedLM has no such layer"),
        ("lora", "targets=next_sentence", "adapts next_sentence, and BertForMaskedLM"),
        ("p-tuning-v2", "shift=false", "tuned with shift=true"),
    ],
)
def test_settings_that_peft_has_no_place_for(name, settings, expected, tmp_path):
    rank = ["rank=2"] if name.startswith("lora") else []
    with pytest.raises(UserError, match=expected):
        peft_files(tuned("bert", name, settings, *rank), tmp_path)


def test_layers_around_the_blocks_are_exported_where_they_are(bases, tmp_path):
    assert_same_scores(tuned("bert", "lora+head", "targets=pooler,value"), bases, tmp_path / "head")
    assert_same_scores(tuned("bert", "lora", "targets=transform,value"), bases, tmp_path / "words")


def test_the_readme_names_the_special_tokens_as_an_imported_model_has_them(tmp_path):
    foreign.write_folder(tmp_path / "foreign", "bert", "word level")
    base = carry_out(plan_import(tmp_path / "foreign"), 0)
    asked = Question(("bad", "good"), "{soft:2} {text} is {mask} .", {"bad": ("bad",), "good": ("good",)}, is_own=True)
    method = Method.parse("prompt-tuning")
    one = TunedMethod(method, method.build(base, asked, seed=3).eval(), asked, base)
    write_folder(tmp_path / "base", transformers_files(base))
    readme = assert_same_scores(one, tmp_path, tmp_path / "out", [text for text, _ in REVIEWS][:4], base="base")
    assert "{text} is <mask> . </s>" in readme and "<s> is not fed" in readme and "[" not in readme
