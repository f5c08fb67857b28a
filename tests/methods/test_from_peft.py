"""A LoRA that peft made, trained and saved says the same here; what it has that we have not is refused by its name."""


import pytest
import torch
from torch.nn import functional as F

from minitune.methods.from_peft import from_peft
from minitune.methods.to_peft import peft_files
from minitune.methods.tuned import open_tuned
from minitune.training.checkpoint import save_checkpoint
from minitune.training.transformers_folder import transformers_files
from minitune.training.whole_folder import write_folder
from minitune.tuning.lora import lora_layers
from tests import tiny
from tests.methods.test_to_peft import CLOSE, LORA, TEXTS, tuned

safetensors = pytest.importorskip("safetensors.torch", reason="needs the extra `real`")
WORDS = "bad=awful;fair=sad,slow;good=great,good"
TEMPLATE = {"gpt": "{text} it was {mask}", "bert": "{text} it was {mask} ."}


@pytest.fixture(scope="module")
def bases(tmp_path_factory):
    """The folders of transformers with the tiny models."""
    folder = tmp_path_factory.mktemp("transformers")
    for kind in ("gpt", "bert"):
        write_folder(folder / kind, transformers_files(tiny.checkpoint(kind)))
    return folder


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
    again.base.name = str(tmp_path / "base")
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
