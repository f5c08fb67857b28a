"""A LoRA that peft made, trained and saved says the same here; what it has that we have not is refused by its name."""

import dataclasses
import json
import shutil

import pytest
import torch
from torch.nn import functional as F

from minitune.errors import UserError
from minitune.exchange.from_peft import from_peft, is_adapter
from minitune.exchange.peft_config import MAY_BE_NONE, PASSED_OVER, PATTERN, PeftLoRA
from minitune.exchange.to_peft import peft_files
from minitune.outputs import write_folder
from minitune.training.checkpoint import save_checkpoint
from minitune.tuned.tuned import open_tuned
from minitune.tuning.lora import lora_layers
from tests import tiny
from tests.exchange.shared import CLOSE, LORA, TEXTS, bases, tuned

__all__ = ["bases"]
safetensors = pytest.importorskip("safetensors.torch", reason="needs the extra `real`")
WORDS = "bad=awful;fair=sad,slow;good=great,good"
TEMPLATE = {"gpt": "{text} it was {mask}", "bert": "{text} it was {mask} ."}


# there and back


def export(one, folder):
    write_folder(folder, peft_files(one, folder)[0])
    return folder


def words_for(kind, read):
    return {} if read == "head" else {"template": TEMPLATE[kind], "label_words": WORDS}


@pytest.mark.parametrize("name", LORA, ids=[name.replace(" ", "-") for name in LORA])
@pytest.mark.parametrize(
    ("kind", "read"), [("gpt", "head"), ("gpt", "verbalizer"), ("bert", "head"), ("bert", "verbalizer")]
)
def test_ours_comes_back_as_it_was(kind, read, name, tmp_path):
    one = tuned(kind, f"lora+{read}", *LORA[name])
    given = {"labels": tiny.LABELS} if read == "head" else words_for(kind, read)
    again = from_peft(export(one, tmp_path), one.base, **given)
    before, after = lora_layers(one.predictor.model), lora_layers(again.predictor.model)
    assert list(before) == list(after), "other layers are adapted"
    for path, layer in before.items():
        ours, theirs = layer.adapters["lora"], after[path].adapters["lora"]
        assert torch.equal(ours.A, theirs.A) and torch.equal(ours.B, theirs.B), f"{path}: not bit for bit"
        torch.testing.assert_close(theirs.delta(), ours.delta(), rtol=1e-6, atol=0)
    assert again.labels == tiny.LABELS and again.method.settings.dropout == one.method.settings.dropout
    texts = one.examples(TEXTS)
    torch.testing.assert_close(again.predictor.scores(texts), one.predictor.scores(texts), rtol=1e-6, atol=1e-6)


def test_what_was_imported_is_saved_and_opened_as_any_tuned_method(tmp_path):
    one = tuned("bert", "lora+head", "rank=3")
    save_checkpoint(tmp_path / "base", one.base)
    again = from_peft(export(one, tmp_path / "peft"), one.base)
    again.base = dataclasses.replace(one.base, name=str(tmp_path / "base"))
    again.save(tmp_path / "tuned")
    opened = open_tuned(tmp_path / "tuned")
    assert opened.labels == ("LABEL_0", "LABEL_1", "LABEL_2")
    assert torch.equal(opened.probabilities(TEXTS), again.probabilities(TEXTS))
    assert "softmax" in opened.explain(TEXTS[0])


# made and trained by peft itself

ON = {
    "gpt": ("GPT2ForSequenceClassification", "GPT2LMHeadModel"),
    "bert": ("BertForSequenceClassification", "BertForMaskedLM"),
}
TARGETS = {"gpt": ["c_attn", "mlp.c_proj"], "bert": ["query", "dense"]}
MADE = {
    "as it is": {},
    "by the root": {"use_rslora": True},
    "ranks and alphas of their own": {
        "rank_pattern": {"mlp.c_proj|query": 5},
        "alpha_pattern": {"c_attn|output.dense": 3},
    },
    "one layer": {"layers_to_transform": [1]},
}


def made_by_peft(kind, read, bases, folder, **settings):
    """A LoRA of peft's own, trained three steps, saved; also the function that gives its scores of ids."""
    transformers = pytest.importorskip("transformers", reason="needs the extra `parity`")
    peft = pytest.importorskip("peft", reason="needs the extra `parity`")
    torch.manual_seed(4)
    name = ON[kind][read != "head"]
    model = getattr(transformers, name).from_pretrained(bases / kind, **({"num_labels": 3} if read == "head" else {}))
    task = "SEQ_CLS" if read == "head" else {"gpt": "CAUSAL_LM", "bert": "FEATURE_EXTRACTION"}[kind]
    given = {"r": 2, "lora_alpha": 7, "target_modules": TARGETS[kind], "lora_dropout": 0.25} | settings
    model = peft.get_peft_model(model, peft.LoraConfig(task_type=task, **given))
    optimizer = torch.optim.AdamW([p for p in model.parameters() if p.requires_grad], lr=0.05)
    for seed in range(3):
        ids = torch.randint(20, 60, (4, 7), generator=torch.Generator().manual_seed(seed))
        logits = model(input_ids=ids).logits.flatten(0, -2)
        F.cross_entropy(logits, torch.arange(len(logits)) % logits.shape[1]).backward()
        optimizer.step()
        optimizer.zero_grad()
    model.save_pretrained(folder)
    return model.eval()


@pytest.mark.parity
@pytest.mark.filterwarnings("ignore:fan_in_fan_out is set to False")
@pytest.mark.parametrize("made", MADE, ids=[name.replace(" ", "-") for name in MADE])
@pytest.mark.parametrize("read", ["head", "verbalizer"])
@pytest.mark.parametrize("kind", ["gpt", "bert"])
def test_what_peft_trained_says_the_same_here(kind, read, made, bases, tmp_path):
    base = tiny.checkpoint(kind)
    model = made_by_peft(kind, read, bases, tmp_path, **MADE[made])
    one = from_peft(tmp_path, base, **words_for(kind, read))
    items = one.predictor.items(one.examples(TEXTS))
    batch = one.predictor.collate(items)
    with torch.no_grad():
        logits = model(input_ids=batch["input_ids"], attention_mask=batch["attention_mask"]).logits
    if read == "head":
        theirs, ours = logits, one.predictor.scores(one.examples(TEXTS))
    else:
        rows = torch.arange(len(items))
        theirs = logits[rows, batch["blank"]]
        with torch.no_grad():
            ours = one.predictor.model.logits(one.predictor.read(batch))
    torch.testing.assert_close(ours, theirs, **CLOSE)
    with torch.no_grad():
        plain = base.model(input_ids=batch["input_ids"]).hidden
        tuned_hidden = one.predictor.model(input_ids=batch["input_ids"]).hidden
    assert (plain - tuned_hidden).abs().max() > 0.01, "the adapter changes next to nothing: this test shows nothing"


# what is refused


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    """An adapter with a classifier and one without, of each kind: to be copied."""
    folder = tmp_path_factory.mktemp("saved")
    for kind in ("gpt", "bert"):
        for read in ("head", "verbalizer"):
            export(tuned(kind, f"lora+{read}", "rank=3", "alpha=5"), folder / f"{kind}-{read}")
    return folder


def changed(saved, folder, name, config=None, tensors=None):
    """A copy of a saved adapter with other entries: in the config by name, among the tensors by a function of them."""
    shutil.copytree(saved / name, folder, dirs_exist_ok=True)
    if config:
        path = folder / "adapter_config.json"
        path.write_text(json.dumps(json.loads(path.read_text()) | config))
    if tensors:
        path = folder / "adapter_model.safetensors"
        content = safetensors.load_file(path)
        tensors(content)
        safetensors.save_file({n: t.contiguous() for n, t in content.items()}, path)
    return folder


OPTIONS = {
    "peft_type": ("PREFIX_TUNING", "of peft's methods minitune imports LORA"),
    "use_dora": (True, "use_dora=True"),
    "bias": ("lora_only", "bias='lora_only'"),
    "lora_bias": (True, "lora_bias=True"),
    "init_lora_weights": ("pissa", "init_lora_weights='pissa'"),
    "trainable_token_indices": ([3], "trainable_token_indices=[3]"),
    "layer_replication": ([[0, 1]], "layer_replication"),
    "an_option_of_tomorrow": ("on", "an_option_of_tomorrow='on'"),
    "task_type": ("TOKEN_CLS", "task_type='TOKEN_CLS', which cannot be imported; expected SEQ_CLS"),
    "r": (0, "r=0"),
    "lora_alpha": ("much", "lora_alpha='much'"),
    "lora_dropout": (1.0, "lora_dropout=1.0"),
    "use_rslora": ("yes", "use_rslora='yes'"),
    "rank_pattern": ({"query": "two"}, "rank_pattern"),
    "alpha_pattern": ({"(": 3}, "alpha_pattern"),
}
ODD = (None, True, 0, -1, 2.5, "x", [], [1], {}, {"a": {}}, {"query": None}, float("inf"), 10**400, [[]] * 3)


@pytest.mark.parametrize("option", OPTIONS)
def test_options_that_have_no_counterpart_are_refused_by_name(option, saved, tmp_path):
    value, expected = OPTIONS[option]
    with pytest.raises(UserError) as refused:
        from_peft(changed(saved, tmp_path, "bert-head", {option: value}), tiny.checkpoint("bert"))
    assert expected in str(refused.value) and "adapter_config.json" in str(refused.value)


@pytest.mark.parametrize("option", ["rank_pattern", "alpha_pattern"])
@pytest.mark.parametrize(
    "pattern", ["(a+)+$", "(query|value)+", "[a-z]*x", "a{9}", "query.*.*.*.*x", ".*+", "(?=query)", r"\w+", "a*", "x?"]
)
def test_a_pattern_that_might_never_end_is_refused_and_not_run(option, pattern, saved, tmp_path):
    folder = changed(saved, tmp_path, "bert-head", {option: {"value": 3, pattern: 3}})
    with pytest.raises(
        UserError, match=rf"has {option}=.*names of layers, with dots, alternatives \(\|\) and up to three plain"
    ):
        from_peft(folder, tiny.checkpoint("bert"))


@pytest.mark.parametrize(
    "pattern",
    [
        "query",
        "self.query|self.value",
        r"attention\.self\.(q)".replace("(q)", "query"),
        "layer.1.*query",
        "^bert.*1.*query$",
    ],
)
def test_patterns_of_names_match_as_in_peft(pattern):
    config = PeftLoRA(r=2, rank_pattern={pattern: 7})
    layer = "bert.encoder.layer.1.attention.self.query"
    assert PATTERN.fullmatch(pattern) and (config.rank(layer), config.rank(layer + "s")) == (7, 2)


def test_no_value_of_any_option_ends_in_a_traceback(saved, tmp_path):
    """Refused in one sentence, or passed over because it changes nothing."""
    written = json.loads((saved / "bert-head" / "adapter_config.json").read_text())
    before = from_peft(saved / "bert-head", tiny.checkpoint("bert")).probabilities(TEXTS)
    passed = set()
    for name in written:
        for value in ODD:
            folder = changed(saved, tmp_path, "bert-head", {name: value})
            try:
                after = from_peft(folder, tiny.checkpoint("bert"))
            except UserError as error:
                assert "\n" not in str(error)
                continue
            same = torch.allclose(after.probabilities(TEXTS), before)
            assert same or name in ("lora_alpha", "use_rslora"), f"{name}={value!r} is let pass, and changes the scores"
            passed.add(name)
    assert passed <= {*PASSED_OVER, *MAY_BE_NONE, "lora_alpha", "use_rslora", "lora_dropout"}, passed


@pytest.mark.parametrize("kind", ["gpt", "bert"])
@pytest.mark.parametrize("value", [True, False])
def test_fan_in_fan_out_changes_nothing(kind, value, saved, tmp_path):
    """peft itself sets it as the layer's class asks, whatever the file says."""
    before = from_peft(saved / f"{kind}-head", tiny.checkpoint(kind)).probabilities(TEXTS)
    folder = changed(saved, tmp_path, f"{kind}-head", {"fan_in_fan_out": value})
    assert torch.equal(from_peft(folder, tiny.checkpoint(kind)).probabilities(TEXTS), before)


QUERY = "base_model.model.bert.encoder.layer.0.attention.self.query.lora_{}.weight"


def replaced(name, make):
    return lambda tensors: tensors.update({name: make(tensors[name])})


def renamed(name, new):
    return lambda tensors: tensors.update({new: tensors.pop(name)})


TENSORS = {
    "not finite": (replaced(QUERY.format("A"), lambda t: t * float("nan")), "not finite"),
    "beyond float32": (
        replaced(QUERY.format("A"), lambda t: torch.where(t > t.median(), 1e39, t.double())),
        r"layer.0.attention.self.query.lora_A.weight with numbers beyond float32, which ends at 3.4e38, 3\d of 72",
    ),
    "float8": (replaced(QUERY.format("A"), lambda t: t.to(torch.float8_e5m2)), "torch.float8_e5m2; numbers with a"),
    "whole numbers": (replaced(QUERY.format("A"), lambda t: t.long()), "torch.int64; numbers with a fraction"),
    "another rank": (replaced(QUERY.format("A"), lambda t: t[:2]), r"lora_A of .*query .* is \(2, 24\), and \(3, 24\)"),
    "turned": (replaced(QUERY.format("B"), lambda t: t.T), r"lora_B of .*query .* is \(3, 24\), and \(24, 3\)"),
    "no partner": (lambda tensors: tensors.pop(QUERY.format("B")), "lora_B of .*query .* is missing"),
    "a layer that is not there": (
        lambda tensors: [
            renamed(QUERY.format(m), QUERY.format(m).replace("layer.0", "layer.7"))(tensors) for m in "AB"
        ],
        "adapts bert.encoder.layer.7.attention.self.query, and the bert",
    ),
    "the embedding": (
        renamed(QUERY.format("A"), "base_model.model.bert.embeddings.word_embeddings.lora_embedding_A"),
        "lora_embedding_A, which is no part of a LoRA",
    ),
    "a norm of its own": (
        lambda tensors: tensors.update({"base_model.model.bert.pooler.dense.weight": torch.ones(24, 24)}),
        "pooler.dense.weight, which is no part",
    ),
    "a block is missing": (
        lambda tensors: [tensors.pop(QUERY.format(m)) for m in "AB"],
        "nothing for bert.encoder.layer.0.attention.self.query, which its target_modules name",
    ),
    "a narrow classifier": (replaced("base_model.model.classifier.weight", lambda t: t[:, :9]), r"is \(3, 9\)"),
    "a number": (replaced("base_model.model.classifier.weight", lambda t: t[:1]), "two classes or more"),
    "no weight": (lambda tensors: tensors.pop("base_model.model.classifier.weight"), "weight in .* is missing"),
    "another bias": (replaced("base_model.model.classifier.bias", lambda t: t[:2]), r"bias in .* is \(2,\)"),
    "a score": (
        lambda tensors: [
            renamed(f"base_model.model.classifier.{p}", f"base_model.model.score.{p}")(tensors)
            for p in ("weight", "bias")
        ],
        "has a score, and that of a bert is called classifier",
    ),
}


@pytest.mark.parametrize("case", TENSORS, ids=[name.replace(" ", "-") for name in TENSORS])
def test_tensors_that_do_not_fit_are_refused(case, saved, tmp_path):
    change, expected = TENSORS[case]
    with pytest.raises(UserError, match=expected):
        from_peft(changed(saved, tmp_path, "bert-head", tensors=change), tiny.checkpoint("bert"))


def test_another_base_is_refused(saved):
    with pytest.raises(UserError, match="that of a gpt is called score"):
        from_peft(saved / "bert-head", tiny.checkpoint("gpt"))
    with pytest.raises(UserError, match="the bert '' has no such linear layer"):
        from_peft(saved / "gpt-verbalizer", tiny.checkpoint("bert"), template="{text} {mask}", label_words=WORDS)
    with pytest.raises(UserError, match="no such linear layer: another size"):
        from_peft(saved / "bert-head", tiny.checkpoint("bert", layers=1))


def test_an_adapter_of_fewer_layers_is_refused_where_peft_would_have_adapted_all(saved, tmp_path):
    folder = changed(saved, tmp_path, "bert-head", {"target_modules": ["query", "value"]})
    with pytest.raises(UserError, match=r"nothing for bert.encoder.layer.2.*fewer layers"):
        from_peft(folder, tiny.checkpoint("bert", layers=3))
    changed(saved, tmp_path, "bert-head", {"target_modules": ["query", "value"], "layers_to_transform": [0, 1]})
    from_peft(tmp_path, tiny.checkpoint("bert", layers=3))


def test_an_update_of_zeros_is_refused(saved, tmp_path):
    def no_b(tensors):
        tensors.update({name: t * 0 for name, t in tensors.items() if "lora_B" in name})

    folder = changed(saved, tmp_path, "gpt-verbalizer", tensors=no_b)
    with pytest.raises(UserError, match="changes nothing: every B of it is zero"):
        from_peft(folder, tiny.checkpoint("gpt"), template="{text} {mask}", label_words=WORDS)


FILES = {
    "no config": ("adapter_config.json", None, "no file .*adapter_config.json"),
    "no json": ("adapter_config.json", b'{\n"r": 3,\n}', "no valid JSON: line 3"),
    "no object": ("adapter_config.json", b"[]", "has no peft_type"),
    "no method": ("adapter_config.json", b"{}", "has no peft_type"),
    "no utf-8": ("adapter_config.json", b'{"r": "\xff"}', "UTF-8"),
    "no tensors": ("adapter_model.safetensors", None, "there is no file .*adapter_model.safetensors"),
    "empty": ("adapter_model.safetensors", b"", "damaged or no .safetensors file"),
    "damaged": ("adapter_model.safetensors", b"\x80" * 64, "damaged or no .safetensors file"),
}


@pytest.mark.parametrize("case", FILES, ids=[name.replace(" ", "-") for name in FILES])
def test_files_that_are_missing_or_damaged(case, saved, tmp_path):
    name, content, expected = FILES[case]
    folder = changed(saved, tmp_path, "bert-head")
    (folder / name).unlink() if content is None else (folder / name).write_bytes(content)
    with pytest.raises(UserError, match=expected):
        from_peft(folder, tiny.checkpoint("bert"))
    assert is_adapter(folder) == (case != "no config")


def test_a_cut_file_and_a_pickle_are_refused(saved, tmp_path):
    folder = changed(saved, tmp_path, "bert-head")
    path = folder / "adapter_model.safetensors"
    whole = path.read_bytes()
    path.write_bytes(whole[:-8])
    with pytest.raises(UserError, match="damaged"):
        from_peft(folder, tiny.checkpoint("bert"))
    path.rename(folder / "adapter_model.bin")
    with pytest.raises(UserError, match="bin, which may run code"):
        from_peft(folder, tiny.checkpoint("bert"))


QUESTIONS = {
    "neither words nor a template": ("bert-verbalizer", {}, r"say how, with --template .* and --label-words"),
    "no template": ("bert-verbalizer", {"label_words": WORDS}, "with --template"),
    "no words": ("bert-verbalizer", {"template": "{text} {mask}"}, "--label-words"),
    "labels without a classifier": ("bert-verbalizer", {"labels": ["a", "b"]}, "leave --labels out"),
    "words under a classifier": ("bert-head", {"label_words": WORDS}, "leave --label-words out"),
    "another number of labels": ("bert-head", {"labels": ["a", "b"]}, "2 labels are given, and .* has 3 classes"),
    "a label twice": ("bert-head", {"labels": ["a", "b", "b"]}, "2 labels are given, and .* has 3 classes"),
    "no blank": ("bert-verbalizer", {"template": "{text} so", "label_words": WORDS}, "has no blank"),
    "a word of unknown letters": (
        "bert-verbalizer",
        {"template": "{text} {mask}", "label_words": "a=猫;b=sad"},
        "'猫' cannot be read at a blank",
    ),
    "a soft prompt": ("bert-head", {"template": "{soft:2} {text}"}, "lora learns no soft prompt"),
}


@pytest.mark.parametrize("case", QUESTIONS, ids=[name.replace(" ", "-") for name in QUESTIONS])
def test_questions_that_do_not_fit(case, saved):
    name, given, expected = QUESTIONS[case]
    with pytest.raises(UserError, match=expected):
        from_peft(saved / name, tiny.checkpoint(name.partition("-")[0]), **given)


def test_a_classifier_that_reads_pairs(saved):
    one = from_peft(saved / "bert-head", tiny.checkpoint("bert"), tiny.LABELS, template="{text} {sep} {text_b}")
    assert one.question.is_pair and one.predict([("great soup", "a dull plot")])[0] in tiny.LABELS
