"""Lessons 18 to 22, parity: peft, the library of these methods, on transformers' GPT-2 and BERT. From the same numbers,
drawn anew and far from any start, it gives the same scores, the same cross-entropy and the same gradients as ours.

Where peft departs from a paper, one test pins what it does and what ours does, and how the two are related."""

from types import SimpleNamespace
from typing import NamedTuple

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from minitune.data.examples import Example
from minitune.models import BERT, GPT, BERTConfig, GPTConfig
from minitune.models.convert import load_transformers, translate
from minitune.predictors.classifier import Classifier
from minitune.prompting.template import Template
from minitune.readout.head import Head
from minitune.tuning.doors import Prefix, SoftPrompt, Tuned, fold
from minitune.tuning.lora import LoRAConfig, add_lora, lora_layers
from minitune.tuning.lora_adapters import fold_lora, lora_off, merge_lora
from minitune.tuning.lora_peft import Update, alpha_for, block_form
from minitune.tuning.p_tuning import PromptEncoder, PTuningConfig, add_p_tuning, p_tuning_parameters
from minitune.tuning.p_tuning_v2 import DeepPromptConfig, add_deep_prompt, deep_prompt_parameters
from minitune.tuning.prefix_tuning import PrefixConfig, add_prefix, prefix_parameters
from minitune.tuning.prompt_tuning import PromptConfig, add_prompt, prompt_parameters
from tests.conftest import perturbed

transformers = pytest.importorskip("transformers", reason="needs the extra `parity`")
peft = pytest.importorskip("peft", reason="needs the extra `parity`")
pytestmark = [
    pytest.mark.parity,
    pytest.mark.filterwarnings("ignore:Token type ids are not supported"),
    pytest.mark.filterwarnings("ignore:.is_gradient_checkpointing. is deprecated"),
]
EXACT = {"rtol": 1e-10, "atol": 1e-10}
VOCAB, LAYERS, WIDTH, HEADS, INNER, CONTEXT, TYPES = 57, 3, 24, 3, 44, 31, 3
SIZES = {"layers": LAYERS, "width": WIDTH, "heads": HEADS, "inner": INNER, "context": CONTEXT}
GPT_SIZES = GPTConfig(VOCAB, **SIZES)
LENGTH = 5  # of every prompt and prefix
SOFT = 55  # the placeholder
# what the methods ask of a tokenizer
TOKENIZER = SimpleNamespace(soft_id=SOFT, encode=lambda text: [ord(letter) % 50 for letter in text])


# ---- two models with the same weights ----


def transformers_gpt2():
    sizes = {"vocab_size": VOCAB, "n_positions": CONTEXT, "n_embd": WIDTH, "n_layer": LAYERS, "n_head": HEADS}
    off = dict.fromkeys(("resid_pdrop", "embd_pdrop", "attn_pdrop"), 0.0)
    config = transformers.GPT2Config(**sizes, n_inner=INNER, **off, bos_token_id=None, eos_token_id=None)
    return perturbed(transformers.GPT2LMHeadModel(config), seed=7)


def transformers_bert(model_class=transformers.BertForPreTraining, **changes):
    sizes = {"vocab_size": VOCAB, "max_position_embeddings": CONTEXT, "type_vocab_size": TYPES, "hidden_size": WIDTH}
    sizes |= {"num_hidden_layers": LAYERS, "num_attention_heads": HEADS, "intermediate_size": INNER}
    off = dict.fromkeys(("hidden_dropout_prob", "attention_probs_dropout_prob"), 0.0)
    return perturbed(model_class(transformers.BertConfig(**sizes, **off, pad_token_id=None, **changes)), seed=8)


def twins(kind):
    """Ours and theirs, with the same weights."""
    if kind == "gpt":
        theirs = transformers_gpt2()
        return load_transformers(GPT(GPT_SIZES).double().eval(), theirs.state_dict()), theirs
    theirs = transformers_bert()
    ours = BERT(BERTConfig(VOCAB, **SIZES, token_types=TYPES)).double().eval()
    return load_transformers(ours, theirs.state_dict()), theirs


def put_peft_on(theirs, config_class, **settings):
    """peft's method on the model, or on the BERT below its heads. In place; returns the model."""
    if hasattr(theirs, "bert"):
        config = config_class(task_type="FEATURE_EXTRACTION", **settings)
        theirs.requires_grad_(False)  # peft freezes what it is given, and that is not the heads
        theirs.bert = peft.get_peft_model(theirs.bert, config).double()
        return theirs.eval()
    return peft.get_peft_model(theirs, config_class(task_type="CAUSAL_LM", **settings)).double().eval()


@pytest.fixture(params=["gpt", "bert"])
def kind(request):
    return request.param


@pytest.fixture
def batch(kind, ids, mask):
    """Four texts, padded on the right; a BERT's have two kinds of tokens beside the first."""
    inputs = {"input_ids": ids.masked_fill(ids == SOFT, 3), "attention_mask": mask}
    types = (torch.arange(11) > 4).long() + (torch.arange(11) > 8).long() + torch.zeros_like(ids)
    return inputs | ({"token_type_ids": types} if kind == "bert" else {})


def with_placeholders(batch):
    """Placeholders before each text, before a BERT's [CLS] too, as peft has it: (B, T) -> (B, P + T)."""
    first = {"input_ids": SOFT, "attention_mask": 1, "token_type_ids": 0}
    return {name: F.pad(tensor, (LENGTH, 0), value=first[name]) for name, tensor in batch.items()}


def without_types(batch):
    """All zero, in place: a prompt that is to give features gets no token types from peft. Under a head it does."""
    if "token_type_ids" in batch:
        batch["token_type_ids"] = torch.zeros_like(batch["token_type_ids"])


def cross_entropy(logits, batch):
    """GPT: of each next word. BERT: of another word than the one that stands there, at every third place."""
    ids, real = batch["input_ids"], batch["attention_mask"].bool() & (batch["input_ids"] != SOFT)
    if "token_type_ids" in batch:
        guessed = real & (torch.arange(ids.shape[1]) % 3 == 1)
        return F.cross_entropy(logits[guessed], (ids[guessed] + 5) % SOFT)
    return F.cross_entropy(logits[:, :-1][real[:, 1:]], ids[:, 1:][real[:, 1:]])


def scores_of(theirs, batch):
    """(B, T, V), or (B, P + T, V) behind a soft prompt"""
    output = theirs(**batch)
    return output.logits if "logits" in output else output.prediction_logits


def assert_same(ours, theirs, batch, theirs_batch=None, usual="the scale of the update"):
    """The same scores at every real place and the same loss; leaves the gradients of both.

    Args:
        usual: what it is that usually differs, for the message.
    """
    logits = ours.logits(ours(**batch).hidden)
    reference = scores_of(theirs, theirs_batch or batch)
    assert logits.shape == reference.shape
    real = batch["attention_mask"].bool()
    torch.testing.assert_close(logits[real], reference[real], **EXACT, msg=lambda text: f"look at {usual}. {text}")
    loss, reference_loss = cross_entropy(logits, batch), cross_entropy(reference, batch)
    torch.testing.assert_close(loss, reference_loss, **EXACT)
    loss.backward()
    reference_loss.backward()


def assert_same_gradient(name, ours, theirs):
    assert ours.abs().max() > 1e-6, f"{name} has a gradient of zero: this test shows nothing"
    torch.testing.assert_close(ours, theirs, **EXACT, msg=lambda text: f"the gradient of {name}: {text}")


# ---- prompts and prefixes ----


class Door(NamedTuple):
    put: object  # into our model
    count: int  # what the formula says that it trains
    theirs: type
    settings: dict
    names: dict  # the beginnings of our parameters' names, and of theirs


PROMPT = PromptConfig(LENGTH, start="random")
LSTM = PTuningConfig(LENGTH)
NETWORK = PrefixConfig(LENGTH, inner=10, start="random", words="abc")
PLAIN = PrefixConfig(LENGTH, reparametrize=False, words="abc")
DEEP = DeepPromptConfig(LENGTH)
AS_IT_STANDS = {"table": "embedding.weight"}
DOORS = {
    "prompt tuning": Door(
        lambda model: add_prompt(model, PROMPT, TOKENIZER),
        prompt_parameters(PROMPT, GPT_SIZES),
        peft.PromptTuningConfig,
        {},
        AS_IT_STANDS,
    ),
    "p-tuning with its lstm": Door(
        lambda model: add_p_tuning(model, LSTM, TOKENIZER),
        p_tuning_parameters(LSTM, GPT_SIZES),
        peft.PromptEncoderConfig,
        {"encoder_reparameterization_type": "LSTM", "encoder_hidden_size": WIDTH // 2},
        {"start": "embedding", "lstm": "lstm_head", "mlp": "mlp_head"},
    ),
    "prefix tuning with its network": Door(
        lambda model: add_prefix(model, NETWORK, TOKENIZER),
        prefix_parameters(NETWORK, GPT_SIZES),
        peft.PrefixTuningConfig,
        {"prefix_projection": True, "encoder_hidden_size": 10},
        {"start": "embedding", "inner": "transform.0", "outer": "transform.2"},
    ),
    "prefix tuning as it stands": Door(
        lambda model: add_prefix(model, PLAIN, TOKENIZER),
        prefix_parameters(PLAIN, GPT_SIZES),
        peft.PrefixTuningConfig,
        {},
        AS_IT_STANDS,
    ),
    "p-tuning v2": Door(
        lambda model: add_deep_prompt(model, DEEP),
        deep_prompt_parameters(DEEP, GPT_SIZES),
        peft.PrefixTuningConfig,
        {},
        AS_IT_STANDS,
    ),
}
LESSONS = {"prompt tuning": 18, "p-tuning with its lstm": 19, "p-tuning v2": 21, "lora": 22}


def of(names):
    """Each with the mark of its lesson."""
    marks = {name: getattr(pytest.mark, f"lesson{LESSONS.get(name, 20)}") for name in names}
    return pytest.mark.parametrize(
        "name", [pytest.param(name, marks=mark, id=name.replace(" ", "-")) for name, mark in marks.items()]
    )


def their_encoder(theirs):
    return next(part.prompt_encoder["default"] for part in theirs.modules() if hasattr(part, "prompt_encoder"))


def their_name(name, names):
    first, dot, rest = name.partition(".")
    return names[first] + dot + rest


def pair_of(door, kind):
    """Our model and theirs behind the same door, everything drawn anew, with the same numbers."""
    ours, theirs = twins(kind)
    tuned = door.put(ours)
    theirs = put_peft_on(theirs, door.theirs, num_virtual_tokens=LENGTH, **door.settings)
    copy_source(door, tuned, theirs)
    return tuned.eval(), theirs


def copy_source(door, tuned, theirs):
    source = perturbed(tuned.door.source, seed=9)
    their_encoder(theirs).load_state_dict({their_name(n, door.names): t for n, t in source.state_dict().items()})


def assert_same_source_gradients(door, tuned, theirs):
    gradients = {their_name(n, door.names): p.grad for n, p in tuned.door.source.named_parameters()}
    for name, reference in their_encoder(theirs).named_parameters():
        assert_same_gradient(name, gradients[name], reference.grad)


@of(DOORS)
def test_scores_loss_and_gradients_of_prompts_and_prefixes(name, kind, batch):
    door = DOORS[name]
    tuned, theirs = pair_of(door, kind)
    without_types(batch)
    if isinstance(tuned.door, SoftPrompt):
        assert_same(tuned, theirs, with_placeholders(batch), batch, usual="the order of the vectors, and their places")
    else:
        assert_same(tuned, theirs, batch, usual="key against value, the text's first position, and the mask")
    assert_same_source_gradients(door, tuned, theirs)
    for model in (tuned, theirs):
        assert sum(p.numel() for p in model.parameters() if p.grad is not None) == door.count


@of(DOORS)
def test_what_is_folded_is_what_peft_saves(name, kind):
    tuned, theirs = pair_of(DOORS[name], kind)
    adapted = theirs.bert if kind == "bert" else theirs
    saved = adapted.get_prompt_embedding_to_save("default")
    torch.testing.assert_close(fold(tuned).door.source().detach(), saved, **EXACT)


@pytest.mark.lesson20
@pytest.mark.lesson21
def test_the_prefix_is_laid_out_as_in_peft(kind):
    """For each layer its key, then its value: the rows of the table may be exchanged as they are."""
    door = DOORS["p-tuning v2"]
    tuned, theirs = pair_of(door, kind)
    adapted = theirs.bert if kind == "bert" else theirs
    for layer, (key, value, *_) in enumerate(adapted.get_prompt(batch_size=2)):
        ours = tuned.door.past(rows=2)[layer]
        assert torch.equal(ours[0], key), f"layer {layer}: our key is not peft's; is it the value?"
        assert torch.equal(ours[1], value), f"layer {layer}: our value is not peft's"


# ---- LoRA ----

CHANGES = {"alpha over rank": {}, "alpha over its root": {"rank_stabilized": True}}
STABLE = pytest.mark.parametrize("changes", CHANGES.values(), ids=[name.replace(" ", "-") for name in CHANGES])


def lora_on(model, seed=9, **changes):
    config = LoRAConfig(**({"rank": 2, "alpha": 5.0} | changes))
    add_lora(model, config)
    for number, layer in enumerate(lora_layers(model).values()):
        perturbed(layer.adapters, seed=seed + number)
    return config


def their_lora(config, rank, alpha, targets):
    settings = {"target_modules": targets, "use_rslora": config.rank_stabilized, "lora_dropout": config.dropout}
    return {"r": rank, "lora_alpha": alpha, "init_lora_weights": False} | settings


def our_matrix(model, path, matrix, gradient=False):
    parameter = getattr(lora_layers(model)[path].adapters["lora"], matrix)
    return parameter.grad if gradient else parameter.detach()


def stacked(model, block, gradient=False):
    """Our adapters of query and value, as one of c_attn: A (2r, D), B (3D, 2r), which has no rows for the key."""
    path = f"blocks.{block}.attention"
    own = {at: [our_matrix(model, f"{path}.{at}", matrix, gradient) for matrix in "AB"] for at in ("query", "value")}
    return block_form({at: Update(*matrices, scale=1.0) for at, matrices in own.items()})[:2]


def fused_pair(**changes):
    """Ours on query and value; theirs on c_attn, of rank 2r: alpha grows by 2 to keep the scale, or by sqrt(2)."""
    ours, theirs = twins("gpt")
    config = lora_on(ours, **changes)
    alpha = alpha_for(config.scale, 2 * config.rank, config.rank_stabilized)
    settings = their_lora(config, 2 * config.rank, alpha, ["c_attn"])
    theirs = put_peft_on(theirs, peft.LoraConfig, fan_in_fan_out=True, **settings)
    with torch.no_grad():
        for block, layer in enumerate(fused_layers(theirs)):
            a, b = stacked(ours, block)
            layer.lora_A["default"].weight.copy_(a)
            layer.lora_B["default"].weight.copy_(b)
    return ours, theirs


def fused_layers(theirs):
    return [block.attn.c_attn for block in theirs.base_model.model.transformer.h]


def separate_pair(kind, ours_to_theirs, **changes):
    """Ours and theirs on the same matrices, one to one. Also {our path: their layer}."""
    ours, theirs = twins(kind)
    config = lora_on(ours, targets=tuple(ours_to_theirs), **changes)
    settings = their_lora(config, config.rank, config.alpha, list(ours_to_theirs.values()))
    theirs = put_peft_on(theirs, peft.LoraConfig, fan_in_fan_out=kind == "gpt", **settings)
    return ours, theirs, copy_lora(ours, theirs)


@torch.no_grad()
def copy_lora(ours, theirs):
    """Our numbers into theirs, one to one; returns {our path: their layer}."""
    layers = [layer for layer in theirs.modules() if isinstance(layer, peft.tuners.lora.LoraLayer)]
    layers = dict(zip(lora_layers(ours), layers, strict=True))  # both in the model's order
    for path, layer in layers.items():
        layer.lora_A["default"].weight.copy_(our_matrix(ours, path, "A"))
        layer.lora_B["default"].weight.copy_(our_matrix(ours, path, "B"))
    return layers


def assert_same_lora_gradients(ours, layers):
    for path, layer in layers.items():
        for matrix, theirs in (("A", layer.lora_A["default"]), ("B", layer.lora_B["default"])):
            assert_same_gradient(f"{path}.{matrix}", our_matrix(ours, path, matrix, gradient=True), theirs.weight.grad)


GPT_BATCH = pytest.mark.parametrize("kind", ["gpt"], indirect=True)
BERT_BATCH = pytest.mark.parametrize("kind", ["bert"], indirect=True)
SEPARATE = {
    "gpt": {"up": "mlp.c_fc", "down": "mlp.c_proj"},  # not square, so a transposed matrix cannot hide
    "bert": {"query": "query", "value": "value"},
}


@pytest.mark.lesson22
@STABLE
@GPT_BATCH
def test_lora_on_gpt2s_fused_projection(kind, batch, changes):
    ours, theirs = fused_pair(**changes)
    assert_same(ours, theirs, batch)
    own = stacked(ours, 0)[1] != 0  # where B has numbers of ours: peft trains the rest as well
    for block, layer in enumerate(fused_layers(theirs)):
        a, b = stacked(ours, block, gradient=True)
        assert_same_gradient(f"A of block {block}", a, layer.lora_A["default"].weight.grad)
        assert_same_gradient(f"B of block {block}", b[own], layer.lora_B["default"].weight.grad[own])
    with lora_off(ours), torch.no_grad():
        change = ours(**batch).hidden - theirs.base_model.model.transformer(**batch).last_hidden_state
    assert change.abs().max() > 0.1, "the adapters change next to nothing: this test shows nothing"


@pytest.mark.lesson22
@STABLE
def test_lora_on_separate_matrices(kind, batch, changes):
    ours, theirs, layers = separate_pair(kind, SEPARATE[kind], **changes)
    assert_same(ours, theirs, batch)
    assert_same_lora_gradients(ours, layers)
    assert len(layers) == 2 * LAYERS and all(p.grad is None for n, p in ours.named_parameters() if "adapters" not in n)


@pytest.mark.lesson22
@STABLE
@pytest.mark.parametrize(("kind", "fused"), [("gpt", True), ("gpt", False), ("bert", False)], indirect=["kind"])
@pytest.mark.filterwarnings("ignore:All adapters are already merged")
def test_merged_lora_is_the_same_model_with_the_same_weights(kind, batch, changes, fused):
    ours, theirs = fused_pair(**changes) if fused else separate_pair(kind, SEPARATE[kind], **changes)[:2]
    before = {name: p.clone() for name, p in ours.named_parameters() if "adapters" not in name}
    adapted = theirs.bert if kind == "bert" else theirs
    merge_lora(ours)
    adapted.merge_adapter()
    with torch.no_grad():
        logits, reference = ours.logits(ours(**batch).hidden), scores_of(theirs, batch)
    real = batch["attention_mask"].bool()
    torch.testing.assert_close(
        logits[real], reference[real], **EXACT, msg=lambda text: f"merged: is the scale in the sum? {text}"
    )

    fold_lora(ours)
    if kind == "bert":
        theirs.bert = adapted.merge_and_unload()
    merged = translate(kind, (theirs if kind == "bert" else adapted.merge_and_unload()).state_dict())
    assert set(merged) == set(dict(ours.named_parameters()))
    for name, parameter in ours.named_parameters():
        torch.testing.assert_close(parameter.detach(), merged[name], **EXACT, msg=lambda text, n=name: f"{n}: {text}")
    moved = [name for name, p in before.items() if not torch.equal(p, ours.get_parameter(name.replace(".base.", ".")))]
    assert len(moved) == 2 * LAYERS, "what was merged is not what was targeted"


@pytest.mark.lesson22
@BERT_BATCH
def test_dropout_falls_on_the_input_of_the_low_rank_branch_alone(kind, batch):
    """From the same seed both drop the same numbers, if both drop them at the same place."""
    ours, theirs, _ = separate_pair("bert", SEPARATE["bert"], dropout=0.4)
    still = ours(**batch).hidden
    torch.manual_seed(5)
    hidden = ours.train()(**batch).hidden
    torch.manual_seed(5)
    reference = theirs.train().bert(**batch).last_hidden_state
    torch.testing.assert_close(
        hidden, reference, **EXACT, msg=lambda text: f"dropout falls on x, before A, and not on W x. {text}"
    )
    assert (hidden - still).abs().max() > 0.01


# ---- a head on top, and all of it trained at once ----


@of([*DOORS, "lora"])
@BERT_BATCH
def test_bert_under_a_new_head(kind, batch, name):
    """peft reads place 0 of whatever comes out: [CLS], and behind a prompt the first of its vectors."""
    source = transformers_bert(transformers.BertForSequenceClassification, num_labels=4)
    ours = BERT(BERTConfig(VOCAB, **SIZES, token_types=TYPES)).double().eval()
    load_transformers(ours, source.state_dict(), missing=("transform", "decoder_bias", "next_sentence"))
    if name == "lora":
        config = lora_on(ours)
        settings = their_lora(config, config.rank, config.alpha, ["query", "value"])
        theirs = peft.get_peft_model(source, peft.LoraConfig(task_type="SEQ_CLS", **settings)).double().eval()
        layers = copy_lora(ours, theirs)
    else:
        door = DOORS[name]
        ours = door.put(ours)
        settings = door.settings | {"num_virtual_tokens": LENGTH}
        theirs = peft.get_peft_model(source, door.theirs(task_type="SEQ_CLS", **settings)).double().eval()
        copy_source(door, ours, theirs)
    theirs_batch = batch
    if name in ("prompt tuning", "p-tuning with its lstm"):
        batch = with_placeholders(batch)
    classifier = next(part for n, part in theirs.named_modules() if n.endswith("classifier.modules_to_save.default"))
    head = Head(WIDTH, 4).double()
    head.linear.load_state_dict(classifier.state_dict())

    scores = head(ours(**batch).hidden[:, 0], ours)
    reference = theirs(**theirs_batch).logits
    torch.testing.assert_close(scores, reference, **EXACT)
    label = torch.tensor([3, 0, 2, 2])
    loss, reference_loss = head.loss(scores, label), F.cross_entropy(reference, label)
    torch.testing.assert_close(loss, reference_loss, **EXACT)
    loss.backward()
    reference_loss.backward()
    assert_same_gradient("the head's weight", head.linear.weight.grad, classifier.weight.grad)
    assert_same_gradient("the head's bias", head.linear.bias.grad, classifier.bias.grad)
    if name == "lora":
        assert_same_lora_gradients(ours, layers)
    else:
        assert_same_source_gradients(door, ours, theirs)


# ---- where peft departs from a paper ----


@pytest.mark.lesson18
@BERT_BATCH
def test_peft_reads_a_virtual_token_where_ours_reads_cls(kind, batch, bert_tokenizer):
    """Behind a prepended prompt, place 0 is the first vector of the prompt, and [CLS] stands at place P. peft's
    classifier reads place 0 all the same. Our template keeps [CLS] first, and our classifier reads it."""
    source = transformers_bert(transformers.BertForSequenceClassification, num_labels=4)
    theirs = peft.get_peft_model(source, peft.PromptTuningConfig(task_type="SEQ_CLS", num_virtual_tokens=LENGTH))
    bert = theirs.double().eval().base_model.bert
    caught = []
    bert.register_forward_hook(lambda module, inputs, output: caught.append(output.last_hidden_state))
    logits = theirs(**batch).logits
    (hidden,) = caught  # (B, P + T, D)

    def read(place):
        pooled = torch.tanh(bert.pooler.dense(hidden[:, place]))
        return theirs.base_model.classifier(pooled)

    torch.testing.assert_close(logits, read(0), **EXACT)
    assert (logits - read(LENGTH)).abs().max() > 1e-4, "peft reads [CLS] now: it has mended this"

    tuned = add_prompt(BERT(BERTConfig(len(bert_tokenizer), **SIZES)), PromptConfig(LENGTH), bert_tokenizer)
    joined = Classifier(tuned, bert_tokenizer, Template.parse(f"{{soft:{LENGTH}}} {{text}}"), Head(WIDTH, 4))
    one = joined.collate(joined.items([Example("the soup was great .", "", 0)]))
    row, place = one["input_ids"][0].tolist(), one["text_end"].item()
    assert row[place] == bert_tokenizer.cls_id and row[1 : 1 + LENGTH] == [bert_tokenizer.soft_id] * LENGTH


@pytest.mark.lesson19
def test_pefts_mlp_writes_the_prompt_with_three_layers_and_ours_with_two():
    """The paper's code has two. With the identity in its middle peft's says what ours says: relu(relu(x)) = relu(x)."""
    ours = perturbed(PromptEncoder(PTuningConfig(LENGTH, encoder="mlp"), WIDTH), seed=9)
    theirs = their_prompt_encoder("MLP", WIDTH)
    assert [tuple(m.weight.shape) for m in ours.mlp if isinstance(m, nn.Linear)] == [(WIDTH, WIDTH)] * 2
    assert [tuple(m.weight.shape) for m in theirs.mlp_head if isinstance(m, nn.Linear)] == [(WIDTH, WIDTH)] * 3
    with torch.no_grad():
        theirs.embedding.load_state_dict(ours.start.state_dict())
        theirs.mlp_head[0].load_state_dict(ours.mlp[0].state_dict())
        theirs.mlp_head[2].weight.copy_(torch.eye(WIDTH))
        theirs.mlp_head[2].bias.zero_()
        theirs.mlp_head[4].load_state_dict(ours.mlp[2].state_dict())
    torch.testing.assert_close(ours(), theirs(torch.arange(LENGTH)), **EXACT)


@pytest.mark.lesson19
def test_behind_a_full_width_lstm_pefts_layers_are_wider_than_ours():
    """H = D: peft's go 2D -> 2D -> D, ours, as in the paper, 2D -> D -> D. Ours in peft's: zeros beside them."""
    config = PTuningConfig(LENGTH, inner=WIDTH)
    ours, theirs = perturbed(PromptEncoder(config, WIDTH), seed=9), their_prompt_encoder("LSTM", WIDTH)
    d = WIDTH
    assert [tuple(m.weight.shape) for m in ours.mlp if isinstance(m, nn.Linear)] == [(d, 2 * d), (d, d)]
    assert [tuple(m.weight.shape) for m in theirs.mlp_head if isinstance(m, nn.Linear)] == [(2 * d, 2 * d), (d, 2 * d)]
    assert sum(p.numel() for p in ours.parameters()) == p_tuning_parameters(config, GPT_SIZES)
    assert sum(p.numel() for p in theirs.parameters()) == LENGTH * d + 10 * d * d + 36 * d * d + 34 * d + d
    with torch.no_grad():
        theirs.embedding.load_state_dict(ours.start.state_dict())
        theirs.lstm_head.load_state_dict(ours.lstm.state_dict())
        for layer in (theirs.mlp_head[0], theirs.mlp_head[2]):
            layer.weight.zero_()
            layer.bias.zero_()
        theirs.mlp_head[0].weight[:d] = ours.mlp[0].weight
        theirs.mlp_head[0].bias[:d] = ours.mlp[0].bias
        theirs.mlp_head[2].weight[:, :d] = ours.mlp[2].weight
        theirs.mlp_head[2].bias.copy_(ours.mlp[2].bias)
    torch.testing.assert_close(ours(), theirs(torch.arange(LENGTH)), **EXACT)


def their_prompt_encoder(kind, hidden):
    sizes = {"num_virtual_tokens": LENGTH, "token_dim": WIDTH, "num_transformer_submodules": 1}
    config = peft.PromptEncoderConfig(encoder_reparameterization_type=kind, encoder_hidden_size=hidden, **sizes)
    return peft.PromptEncoder(config).double()


@pytest.mark.lesson22
@GPT_BATCH
def test_pefts_lora_on_c_attn_adapts_the_key_too(kind, batch):
    """One A for all three, and rows of B for query, key and value: 4 r D numbers, as many as ours on query and value
    have (the paper's choice), but other functions. Exported, ours stay what they are only until peft trains them."""
    ours, theirs = fused_pair()
    cross_entropy(scores_of(theirs, batch), batch).backward()
    key_rows = slice(WIDTH, 2 * WIDTH)
    for layer in fused_layers(theirs):
        b = layer.lora_B["default"].weight
        assert (b[key_rows] == 0).all() and b.grad[key_rows].abs().max() > 1e-6
    rank = 2
    theirs = put_peft_on(transformers_gpt2(), peft.LoraConfig, r=rank, target_modules=["c_attn"], fan_in_fan_out=True)
    count = sum(p.numel() for p in theirs.parameters() if p.requires_grad)
    assert count == LAYERS * 4 * rank * WIDTH == sum(p.numel() for p in ours.parameters() if p.requires_grad)


@pytest.mark.lesson18
@pytest.mark.lesson21
def test_first_vectors():
    """peft draws prompts and prefixes from N(0, 1), whatever the embeddings are. A random prompt of ours has the
    embeddings' spread, a random prefix a spread of 0.02; both can be set."""
    torch.manual_seed(3)
    ours, theirs = twins("gpt")  # embeddings with a spread of 0.3
    prompt = add_prompt(ours, PromptConfig(length=30, start="random"), TOKENIZER).door.source()
    prefix = add_deep_prompt(ours, DeepPromptConfig(length=30)).door.source()
    as_theirs = add_deep_prompt(ours, DeepPromptConfig(length=30, spread=1.0)).door.source()
    assert 0.27 < prompt.std() < 0.33 and 0.019 < prefix.std() < 0.021 and 0.95 < as_theirs.std() < 1.05
    their_prompt = put_peft_on(theirs, peft.PromptTuningConfig, num_virtual_tokens=30)
    their_prefix = put_peft_on(transformers_gpt2(), peft.PrefixTuningConfig, num_virtual_tokens=30)
    assert 0.9 < their_encoder(their_prompt).embedding.weight.std() < 1.1
    assert 0.95 < their_encoder(their_prefix).embedding.weight.std() < 1.05


@pytest.mark.lesson21
def test_the_text_starts_behind_the_prefix_in_peft_and_here_unless_told_otherwise(kind, batch):
    tuned, theirs = pair_of(DOORS["p-tuning v2"], kind)
    stays = Tuned(tuned.model, Prefix(tuned.door.source, tuned.config, shift=False))
    without_types(batch)
    real = batch["attention_mask"].bool()
    with torch.no_grad():
        reference = scores_of(theirs, batch)[real]
        torch.testing.assert_close(tuned.logits(tuned(**batch).hidden)[real], reference, **EXACT)
        assert (stays.logits(stays(**batch).hidden)[real] - reference).abs().max() > 1e-4


@pytest.mark.lesson21
@BERT_BATCH
def test_without_a_head_peft_leaves_the_token_types_out(kind, batch):
    tuned, theirs = pair_of(DOORS["p-tuning v2"], kind)
    real = batch["attention_mask"].bool()
    with torch.no_grad():
        hidden, reference = tuned(**batch).hidden[real], theirs.bert(**batch).last_hidden_state[real]
        assert (hidden - reference).abs().max() > 1e-4, "peft passes token types on now: it has mended this"
        without_types(batch)
        torch.testing.assert_close(tuned(**batch).hidden[real], reference, **EXACT)
