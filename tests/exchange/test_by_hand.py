"""What peft's files mean, worked out by hand: W + s B A, tables of vectors, a classifier. Neither peft nor
transformers is needed, nor the library safetensors, whose files are a header in JSON and the numbers after it."""

import copy
import json
import math
from pathlib import Path

import pytest
import torch

from minitune.data.examples import Example
from minitune.errors import UserError
from minitune.exchange.from_peft import from_peft
from minitune.exchange.peft_config import PeftLoRA, of_pattern
from minitune.exchange.peft_form import form_of, head_of, how_to_feed
from minitune.exchange.peft_prompt import prefix_for_peft, prompt_for_peft, split_at_prompt
from minitune.exchange.peft_weights import read_weights
from minitune.exchange.to_peft import peft_files
from minitune.methods.method import Method
from minitune.prompting.template import Template
from minitune.questions.question import Question
from minitune.training.whole_folder import write_folder
from minitune.tuning.doors import fold
from tests import tiny
from tests.exchange.shared import LORA, TEXTS, tuned
from tests.naming import expect

KINDS = {"F32": torch.float32, "F16": torch.float16}
CLOSE = 1e-4


class Safetensors:
    """The two functions of the library that are used, by hand."""

    @staticmethod
    def save(tensors, metadata=None):
        header, content = {"__metadata__": metadata or {}}, b""
        for name, tensor in tensors.items():
            kind = next(kind for kind, its in KINDS.items() if its == tensor.dtype)
            its = tensor.contiguous().numpy().tobytes()
            offsets = [len(content), len(content) + len(its)]
            header[name] = {"dtype": kind, "shape": list(tensor.shape), "data_offsets": offsets}
            content += its
        written = json.dumps(header).encode()
        return len(written).to_bytes(8, "little") + written + content

    @staticmethod
    def load_file(path):
        content = path.read_bytes()
        end = 8 + int.from_bytes(content[:8], "little")
        header = json.loads(content[8:end])
        header.pop("__metadata__")
        return {
            name: torch.frombuffer(bytearray(content[end:]), dtype=torch.uint8)[slice(*its["data_offsets"])]
            .clone()
            .view(KINDS[its["dtype"]])
            .reshape(its["shape"])
            for name, its in header.items()
        }


@pytest.fixture(autouse=True)
def by_hand(monkeypatch):
    monkeypatch.setattr("minitune.models.tensor_file.library", Safetensors)


@pytest.fixture(params=["gpt", "bert"])
def kind(request):
    return request.param


# scales and patterns


LAYER = "bert.encoder.layer.0.attention.self.query"


def test_the_scale_is_alpha_over_the_layers_own_rank():
    config = PeftLoRA(
        r=8, lora_alpha=16, rank_pattern={"self.query": 2}, alpha_pattern={"layer.0.attention.self.query": 3}
    )
    expect(config.rank(LAYER), 2)
    expect(config.scale(LAYER), 3 / 2, {
        "alpha over the common rank": 3 / 8, "the common alpha": 16 / 2, "alpha itself": 3.0, "no pattern": 2.0,
        "by the root of the rank": 3 / math.sqrt(2),
    })  # fmt: skip
    by_root = PeftLoRA(r=9, lora_alpha=6, use_rslora=True)
    expect(
        by_root.scale(LAYER), 2.0, {"rank-stabilized LoRA divides by the root of the rank": 6 / 9, "alpha itself": 6.0}
    )


@pytest.mark.parametrize(
    ("patterns", "layer", "right", "cause"),
    [
        ({"query": 1}, LAYER, 1, "the last piece of a name is a name"),
        ({"uery": 1}, LAYER, 9, "part of a piece is no name: 'uery' is found in 'query'"),
        ({"self": 1}, LAYER, 9, "a piece in the middle is not the layer: the name must end there"),
        ({"query": 1, "self.query": 2}, LAYER, 1, "the first pattern that fits counts, as in peft"),
        ({"self.query": 2, "query": 1}, LAYER, 2, "the first pattern that fits counts, as in peft"),
        ({"key|query": 1}, LAYER, 1, "alternatives"),
        ({}, LAYER, 9, "without patterns the common one"),
    ],
)
def test_patterns_are_matched_as_in_peft(patterns, layer, right, cause):
    assert of_pattern(patterns, layer, 9) == right, cause


# LoRA, there and back


def their_weights(kind, model):
    """transformers' names of the adapted layers, each with our weights that it is made of, in the order of its rows."""
    names = {}
    for i, block in enumerate(model.blocks):
        attention, mlp = block.attention, block.mlp
        if kind == "gpt":
            of = f"transformer.h.{i}"
            names[f"{of}.attn.c_attn"] = [attention.query.weight, attention.key.weight, attention.value.weight]
            names |= {f"{of}.attn.c_proj": [attention.output.weight], f"{of}.mlp.c_fc": [mlp.up.weight]}
            names[f"{of}.mlp.c_proj"] = [mlp.down.weight]
        else:
            of = f"bert.encoder.layer.{i}"
            names |= {
                f"{of}.attention.self.{its}": [getattr(attention, its).weight] for its in ("query", "key", "value")
            }
            names[f"{of}.attention.output.dense"] = [attention.output.weight]
            names |= {f"{of}.intermediate.dense": [mlp.up.weight], f"{of}.output.dense": [mlp.down.weight]}
    return names


def merged(kind, tensors, scale_of):
    """A copy of the tiny model with W + s B A, layer by layer."""
    model = copy.deepcopy(tiny.checkpoint(kind).model)
    weights = their_weights(kind, model)
    layers = {name.removeprefix("base_model.model.").rpartition(".lora_")[0] for name in tensors if ".lora_" in name}
    for layer in layers:
        a, b = (tensors[f"base_model.model.{layer}.lora_{matrix}.weight"] for matrix in "AB")
        full = layer if layer in weights else f"transformer.{layer}"
        delta = scale_of(layer) * b @ a
        with torch.no_grad():
            for weight, rows in zip(
                weights[full], delta.split(24 if len(weights[full]) > 1 else len(delta)), strict=True
            ):
                weight += rows
    return model


def scores_by(method, model, question, base, head=None):
    """The scores of the texts, of a plain model and a head."""
    plain = Method.parse(method).build(base, question, seed=0)
    plain.model.load_state_dict(model.state_dict())
    with torch.no_grad():
        if head:
            plain.readout.linear.weight.copy_(head["weight"])
            plain.readout.linear.bias.copy_(head["bias"])
    return plain.eval().scores([Example(text) for text in TEXTS])


@pytest.mark.parametrize("settings", LORA.values(), ids=[name.replace(" ", "-") for name in LORA])
@pytest.mark.parametrize("read", ["head", "verbalizer"])
def test_an_exported_lora_is_w_plus_s_b_a(kind, read, settings, tmp_path):
    one = tuned(kind, f"lora+{read}", *settings)
    write_folder(tmp_path / "out", peft_files(one, tmp_path / "out")[0])
    tensors = Safetensors.load_file(tmp_path / "out" / "adapter_model.safetensors")
    config = json.loads((tmp_path / "out" / "adapter_config.json").read_text())
    assert config["fan_in_fan_out"] == (kind == "gpt"), "GPT-2's Conv1D holds its weights turned: peft must be told"
    assert (config["modules_to_save"] or []) == ["classifier"] * (read == "head" and kind == "bert"), (
        "a classifier that is not named is made anew when peft loads the folder"
    )
    head = None
    if read == "head":
        beside = tmp_path / "out" / "head.safetensors"
        assert beside.exists() == (kind == "gpt")
        head = {name: tensors.get(f"base_model.model.classifier.{name}") for name in ("weight", "bias")}
        head = Safetensors.load_file(beside) if kind == "gpt" else head

    def scale(layer, by_root=config["use_rslora"], patterns=True):
        rank = config["rank_pattern"].get(layer, config["r"]) if patterns else config["r"]
        alpha = config["alpha_pattern"].get(layer, config["lora_alpha"]) if patterns else config["lora_alpha"]
        return alpha / (math.sqrt(rank) if by_root else rank)

    def scores(scale_of):
        return scores_by(f"frozen+{read}", merged(kind, tensors, scale_of), one.question, one.base, head)

    wrong = {"alpha is no scale: it is alpha / r": lambda: scores(lambda layer: config["lora_alpha"])}
    wrong["the other of alpha / r and alpha / sqrt(r)"] = lambda: scores(
        lambda layer: scale(layer, not config["use_rslora"])
    )
    wrong["B and A are of the untrained start: the update is lost"] = lambda: scores(lambda layer: 0.0)
    expect(one.predictor.scores(one.examples(TEXTS)), scores(scale), wrong, tolerance=CLOSE)


@pytest.mark.parametrize(
    "config",
    [
        {"use_rslora": False},
        {"use_rslora": True},
        {"rank_pattern": {"c_attn|query": 4}, "alpha_pattern": {"c_attn|value": 3}},
    ],
    ids=["plain", "by-the-root", "patterns"],
)
@pytest.mark.parametrize("read", ["head", "verbalizer"])
def test_an_imported_lora_is_w_plus_s_b_a(kind, read, config, tmp_path):
    generator = torch.Generator().manual_seed(7)
    base, tensors, scales, last = tiny.checkpoint(kind), {}, {}, {}
    content = {"peft_type": "LORA", "r": 2, "lora_alpha": 7, "lora_dropout": 0.25} | config
    for layer, weights in their_weights(kind, base.model).items():
        last_piece = layer.rpartition(".")[2]
        if last_piece not in ("c_attn", "c_fc", "query", "value"):
            continue
        rank = content.get("rank_pattern", {}).get("c_attn|query", 2) if last_piece in ("c_attn", "query") else 2
        alpha = content.get("alpha_pattern", {}).get("c_attn|value", 7) if last_piece in ("c_attn", "value") else 7
        rows, columns = sum(len(weight) for weight in weights), weights[0].shape[1]
        for matrix, shape in (("A", (rank, columns)), ("B", (rows, rank))):
            tensors[f"base_model.model.{layer}.lora_{matrix}.weight"] = torch.randn(shape, generator=generator) * 0.3
        scales[layer] = alpha / (math.sqrt(rank) if content.get("use_rslora") else rank)
        last[layer] = (alpha / rank, alpha / math.sqrt(rank), 7 / 2)
    head = {"weight": torch.randn(3, 24, generator=generator), "bias": torch.randn(3, generator=generator)}
    if read == "head":
        name = {"gpt": "score", "bert": "classifier"}[kind]
        tensors |= {f"base_model.model.{name}.{part}": tensor for part, tensor in head.items()}
    (tmp_path / "adapter_config.json").write_text(json.dumps(content))
    half = {
        name: tensor.half() if "lora_A" in name else tensor for name, tensor in tensors.items()
    }  # as some are saved
    (tmp_path / "adapter_model.safetensors").write_bytes(Safetensors.save(half))
    words = {"template": tiny.question(kind).template, "label_words": "good=great,good;bad=awful;fair=sad,slow"}
    order = ("good", "bad", "fair")  # in no alphabet
    one = from_peft(tmp_path, base, **({"labels": order} if read == "head" else words))
    assert one.labels == order, "the classes are named in another order than that of the classifier's rows"
    assert one.method.settings.dropout == 0.25, "whoever trains it on has no dropout"
    whole = {name: tensor.float() for name, tensor in half.items()}

    def scores(scale_of, rows=head):
        its_head = rows if read == "head" else None
        return scores_by(f"frozen+{read}", merged(kind, whole, scale_of), one.question, base, its_head)

    wrong = {
        "alpha is no scale: it is alpha / r": lambda: scores(lambda layer: 7.0),
        "alpha / r of the common rank and alpha for every layer": lambda: scores(lambda layer: last[layer][2]),
        "alpha / r, where it is by the root": lambda: scores(lambda layer: last[layer][0]),
        "by the root, where it is alpha / r": lambda: scores(lambda layer: last[layer][1]),
        "the head's bias is not copied": lambda: scores(scales.get, head | {"bias": torch.zeros(3)}),
        "the update is lost": lambda: scores(lambda layer: 0.0),
        "the head's weight is not copied": lambda: scores(scales.get, head | {"weight": untrained}),
    }
    untrained = Method.parse("frozen+head").build(base, tiny.question(kind), seed=0).readout.linear.weight.detach()
    expect(one.predictor.scores([Example(text) for text in TEXTS]), scores(scales.get), wrong, tolerance=CLOSE)


def test_a_block_that_is_missing_is_told_by_whole_pieces_of_names(tmp_path):
    """target_modules names "ense", which is no layer's name, and fewer layers are adapted than end in these letters."""
    one = tuned("bert", "lora+head", "rank=2")
    write_folder(tmp_path / "out", peft_files(one, tmp_path / "out")[0])
    path = tmp_path / "out" / "adapter_config.json"
    content = json.loads(path.read_text())
    for targets, is_refused in ((["query", "value", "ey"], False), (["query", "value", "key"], True)):
        path.write_text(json.dumps(content | {"target_modules": targets}))
        if is_refused:
            with pytest.raises(UserError, match=r"nothing for bert.encoder.layer.0.attention.self.key"):
                from_peft(tmp_path / "out", one.base)
        else:
            from_peft(tmp_path / "out", one.base)  # "ey" is the end of "key", and no piece of its name


def test_what_was_saved_in_half_precision_is_reckoned_with_in_float32(tmp_path):
    saved = torch.tensor([0.1, 0.2, 0.3]).half()
    (tmp_path / "adapter_model.safetensors").write_bytes(Safetensors.save({"lora_A": saved}))
    read = read_weights(tmp_path)["lora_A"]
    assert read.dtype == torch.float32, f"{read.dtype}: B times another scale is rounded to three digits"
    assert torch.equal(read, saved.float())


# heads


@pytest.mark.parametrize("read", ["head", "focal", "beside"])
def test_every_head_is_one_linear_layer(kind, read):
    one = tuned(kind, f"lora+{read}")
    readout, model = one.predictor.readout, one.predictor.model
    hidden = torch.randn(5, 24, generator=torch.Generator().manual_seed(2))
    head = head_of(readout)
    state = model.pool(hidden) if kind == "bert" else hidden
    right = readout(hidden, model)
    wrong = {}
    if read == "beside":
        weight, many = readout.linear.weight, len(readout.prompt)
        wrong["the weights of the vector beside, and not those of the text"] = lambda: (
            state @ weight[:, :-many].T + head["bias"]
        )
        wrong["the vector beside is left out of the bias"] = lambda: state @ head["weight"].T + readout.linear.bias
    expect(state @ head["weight"].T + head["bias"], right, wrong, tolerance=1e-5)


# prompts and prefixes


def test_what_stands_before_the_last_vector_joins_the_prompt(kind):
    own = tiny.question(kind, template="so {soft:2} the soup {soft:1} : {text} was {mask}", is_own=True)
    one = tuned(kind, "prompt-tuning", question=own)
    t, model = one.base.tokenizer, one.predictor.model
    ids, rest = split_at_prompt(one.predictor.template, t)
    so, the, soup = (t.word_id(word) for word in ("so", "the", "soup"))
    first = [t.cls_id] if kind == "bert" else []
    right = [*first, so, t.soft_id, t.soft_id, the, soup, t.soft_id]
    expect(ids, right, {"[CLS] is not fed, so the prompt must begin with it": right[1:]} if kind == "bert" else {})
    assert "".join(str(part) for part in rest) == ":{text}was{mask}"
    vectors, words = model.door.source(), one.base.model.token_embedding.weight
    table = prompt_for_peft(model, ids)[1]
    rows = [*(words[i] for i in first), words[so], vectors[0], vectors[1], words[the], words[soup], vectors[2]]
    swapped = [*rows[: len(first)], words[so], vectors[2], vectors[1], words[the], words[soup], vectors[0]]
    expect(table, torch.stack(rows), {"the vectors are in another order": torch.stack(swapped)})
    fed = how_to_feed(rest, t, before=True)
    assert fed.startswith(": {text} was"), f"{fed!r}: words behind the prompt are not fed, or those in it twice"
    assert (t.library.id_to_token(t.sep_id) in fed) == (kind == "bert")
    files, lines = peft_files(one, Path("out"))
    assert files["head.safetensors"] is None
    read = next(line for line in lines if line.startswith("- read"))
    assert f"which is {len(right)} places further on" in read, "the place of the blank is told without the prompt"
    assert "bad = awful; fair = sad, slow; good = great, good" in read


def test_a_prefix_is_laid_out_as_peft_reads_it(kind):
    one = tuned(kind, "prefix-tuning", "length=5", "inner=10")
    past = one.predictor.model.door.past()
    fold(one.predictor.model)
    settings, table = prefix_for_peft(one.predictor.model)
    layers, heads, size = 2, 3, 8
    theirs = table.view(5, layers * 2, heads, size).permute(1, 2, 0, 3)  # as in peft: (2 L, H, P, D/H)
    for layer, (keys, values) in enumerate(past):
        wrong = {"keys and values are swapped": values[0]}
        expect(theirs[2 * layer], keys[0], wrong, tolerance=1e-6)
        expect(theirs[2 * layer + 1], values[0], tolerance=1e-6)
    assert settings["num_virtual_tokens"] == 5 and settings["token_dim"] == 24
    assert (settings["num_layers"], settings["num_attention_heads"]) == (2, 3)


@pytest.mark.parametrize(
    ("kind", "asked", "read", "prefix", "model", "task"),
    [
        ("bert", "classes", "head", False, "BertForSequenceClassification", "SEQ_CLS"),
        ("bert", "classes", "head", True, "BertForSequenceClassification", "FEATURE_EXTRACTION"),
        ("bert", "classes", "verbalizer", False, "BertForMaskedLM", "FEATURE_EXTRACTION"),
        ("bert", "tags", "head", True, "BertForTokenClassification", "FEATURE_EXTRACTION"),
        ("bert", "tags", "head", False, "BertForTokenClassification", "TOKEN_CLS"),
        ("gpt", "classes", "head", True, "GPT2Model", "FEATURE_EXTRACTION"),
        ("gpt", "classes", "verbalizer", True, "GPT2LMHeadModel", "CAUSAL_LM"),
        ("gpt", "text", "verbalizer", False, "GPT2LMHeadModel", "CAUSAL_LM"),
    ],
)
def test_the_class_and_the_task_by_hand(kind, asked, read, prefix, model, task):
    form = form_of(kind, Question(("a", "b"), "{text}", kind=asked), read, prefix)
    assert (form.model, form.task) == (model, task), "under SEQ_CLS and TOKEN_CLS peft finds no way for a prefix"


def test_a_classifier_beside_a_prompt_is_named_as_peft_keeps_it(tmp_path):
    for name, inside in (("lora+head", "base_model.model.classifier"), ("p-tuning-v2+head", "base_model.classifier")):
        files, _ = peft_files(tuned("bert", name), tmp_path)
        (tmp_path / "it").write_bytes(files["adapter_model.safetensors"])
        names = set(Safetensors.load_file(tmp_path / "it"))
        assert f"{inside}.weight" in names, f"peft finds no classifier of {name}, and makes a new one"
        config = json.loads(files["adapter_config.json"])
        assert config["modules_to_save"] == ["classifier"]


def test_the_classes_are_told_in_the_order_of_the_scores(tmp_path):
    asked = tiny.question("bert", labels=("good", "bad", "fair"))
    lines = peft_files(tuned("bert", "lora+head", question=asked), tmp_path)[1]
    assert any("good, bad, fair" in line for line in lines), "the README tells the classes in another order"


def test_a_bare_gpt_has_no_name_before_its_layers(tmp_path):
    """peft finds the layers by their names: on GPT2Model they have no "transformer." before them."""
    for read, start in (("head", "base_model.model.h.0"), ("verbalizer", "base_model.model.transformer.h.0")):
        files, _ = peft_files(tuned("gpt", f"lora+{read}"), tmp_path)
        (tmp_path / "it").write_bytes(files["adapter_model.safetensors"])
        names = Safetensors.load_file(tmp_path / "it")
        assert any(name.startswith(start) for name in names), f"{read}: peft finds no layer called {next(iter(names))}"


def test_what_stands_after_the_text_cannot_join_the_prompt(kind):
    with pytest.raises(UserError, match=r"has \{text\} before the end"):
        split_at_prompt(Template.parse("{text} {soft:2} was {mask}"), tiny.checkpoint(kind).tokenizer)
