"""Lessons 02 and 03, parity: the reference library's GPT-2 and BERT, with random weights and odd sizes, give the same
hidden states, scores, losses and gradients as ours, at every real position."""

import pytest
import torch
from torch.nn import functional as F

from minitune.models import BERT, GPT, BERTConfig, GPTConfig, generate
from minitune.models.convert import lacking, load_transformers, translate
from minitune.readout.head import Head
from tests.conftest import perturbed, random_past

transformers = pytest.importorskip("transformers", reason="needs the extra `parity`")
pytestmark = [pytest.mark.parity, pytest.mark.lesson02, pytest.mark.lesson03]
EXACT = {"rtol": 0, "atol": 1e-10}
BERT_SIZES = {"hidden_size": 24, "num_hidden_layers": 3, "num_attention_heads": 3, "intermediate_size": 44}
BERT_SIZES |= {"type_vocab_size": 3, "max_position_embeddings": 31, "pad_token_id": None}
HEADS = ("transform", "decoder_bias", "next_sentence")


@pytest.fixture
def gpt2():
    sizes = {"vocab_size": 57, "n_positions": 31, "n_embd": 24, "n_layer": 3, "n_head": 3, "n_inner": 44}
    off = dict.fromkeys(("resid_pdrop", "embd_pdrop", "attn_pdrop"), 0.0)
    config = transformers.GPT2Config(**sizes, **off, bos_token_id=None, eos_token_id=None)
    return perturbed(transformers.GPT2LMHeadModel(config), seed=7)


def reference_bert(model_class, **changes):
    off = dict.fromkeys(("hidden_dropout_prob", "attention_probs_dropout_prob"), 0.0)
    return perturbed(model_class(transformers.BertConfig(vocab_size=57, **BERT_SIZES, **off, **changes)), seed=8)


@pytest.fixture
def for_pretraining():
    return reference_bert(transformers.BertForPreTraining)


@pytest.fixture
def our_gpt(gpt2):
    config = GPTConfig(57, layers=3, width=24, heads=3, inner=44, context=31)
    return load_transformers(GPT(config).double().eval(), gpt2.state_dict())


def our_bert(source, missing=()):
    config = BERTConfig(57, layers=3, width=24, heads=3, inner=44, context=31, token_types=3)
    return load_transformers(BERT(config).double().eval(), source.state_dict(), missing)


@pytest.fixture
def types(ids):
    return (torch.arange(11) > 4).long() + (torch.arange(11) > 8).long() + torch.zeros_like(ids)


def states(blocks):
    """Collects what each block gives, as (B, T, D), from the next run on."""
    caught = []
    for block in blocks:
        block.register_forward_hook(lambda module, inputs, out: caught.append(out if torch.is_tensor(out) else out[0]))
    return caught


def reference_past(past):
    cache = transformers.DynamicCache()
    for layer, (key, value) in enumerate(past):
        cache.update(key, value, layer)
    return cache


def assert_same_states(ours, theirs, real):
    assert len(ours) == len(theirs) == 3
    for layer, (a, b) in enumerate(zip(ours, theirs, strict=True)):
        torch.testing.assert_close(a[real], b[real], **EXACT, msg=lambda text, layer=layer: f"block {layer}: {text}")


def assert_same_gradients(kind, ours, theirs):
    gradients = {name: p.grad for name, p in theirs.named_parameters() if p.grad is not None}
    expected = translate(kind, gradients)
    got = {name: p.grad for name, p in ours.named_parameters() if p.grad is not None}
    assert set(got) == set(expected)
    for name, gradient in got.items():
        assert gradient.abs().sum() > 0, f"{name} has a gradient of zero: this test shows nothing"
        torch.testing.assert_close(
            gradient, expected[name], rtol=1e-10, atol=1e-10, msg=lambda text, n=name: f"{n}: {text}"
        )


# GPT-2


@pytest.mark.parametrize("padded", [False, True])
def test_gpt2_states_logits_loss_gradients(gpt2, our_gpt, ids, mask, padded):
    mask = mask if padded else torch.ones_like(mask)
    ours, theirs = states(our_gpt.blocks), states(gpt2.transformer.h)
    output = our_gpt(ids, attention_mask=mask)
    reference = gpt2(ids, attention_mask=mask, output_hidden_states=True)
    real = mask.bool()
    assert_same_states(ours, theirs, real)
    torch.testing.assert_close(output.hidden[real], reference.hidden_states[-1][real], **EXACT)
    torch.testing.assert_close(our_gpt.logits(output.hidden)[real], reference.logits[real], **EXACT)

    loss = our_gpt.loss({"input_ids": ids, "attention_mask": mask})
    target = ids[:, 1:].masked_fill(mask[:, 1:] == 0, -100)
    reference_loss = F.cross_entropy(reference.logits[:, :-1].transpose(1, 2), target)
    torch.testing.assert_close(loss, reference_loss, **EXACT)
    loss.backward()
    reference_loss.backward()
    assert_same_gradients("gpt", our_gpt, gpt2)


def test_gpt2_with_a_past(gpt2, our_gpt, ids, mask):
    past = random_past(4, 5)
    full = torch.cat([torch.ones(4, 5, dtype=torch.long), mask], dim=1)
    full[1, :2] = 0
    output = our_gpt(ids, attention_mask=full, past_key_values=past)
    reference = gpt2(ids, attention_mask=full, past_key_values=reference_past(past))
    real = mask.bool()
    torch.testing.assert_close(our_gpt.logits(output.hidden)[real], reference.logits[real], **EXACT)
    cache = reference.past_key_values
    for layer, (key, value) in enumerate(output.past_key_values):
        for ours, theirs in ((key, cache.layers[layer].keys), (value, cache.layers[layer].values)):
            keep = full.bool()
            torch.testing.assert_close(ours.transpose(1, 2)[keep], theirs.transpose(1, 2)[keep], **EXACT)


def test_gpt2_from_embeddings(gpt2, our_gpt, ids):
    embeds = torch.randn(4, 11, 24, dtype=torch.float64)
    ours = our_gpt.logits(our_gpt(inputs_embeds=embeds).hidden)
    torch.testing.assert_close(ours, gpt2(inputs_embeds=embeds).logits, **EXACT)


def test_gpt2_writes_the_same_greedily(gpt2):
    with torch.no_grad():  # or it would say the same word for ever
        for name, parameter in gpt2.named_parameters():
            parameter.mul_(0.1 if name.endswith("bias") else 3.0 if "attn.c_proj" in name else 1.0)
    config = GPTConfig(57, layers=3, width=24, heads=3, inner=44, context=31)
    ours = load_transformers(GPT(config).double().eval(), gpt2.state_dict())
    prompts = [[3, 14, 15, 9], [26], [8, 9, 7, 9, 3, 2, 3]]
    padded = torch.tensor([[0] * (7 - len(p)) + p for p in prompts])
    mask = torch.tensor([[0] * (7 - len(p)) + [1] * len(p) for p in prompts])
    settings = {"max_new_tokens": 12, "do_sample": False, "pad_token_id": 0}
    written = gpt2.generate(padded, attention_mask=mask, **settings)[:, 7:].tolist()
    assert len({word for row in written for word in row}) > 4
    assert generate(ours, prompts, 12) == written, "test_together and test_generate name the cause"


# BERT


@pytest.mark.parametrize("padded", [False, True])
def test_bert_states_logits_losses_gradients(for_pretraining, ids, mask, types, padded):
    mask = mask if padded else torch.ones_like(mask)
    model = our_bert(for_pretraining)
    ours, theirs = states(model.blocks), states(for_pretraining.bert.encoder.layer)
    hidden = model(ids, attention_mask=mask, token_type_ids=types).hidden
    reference = for_pretraining(ids, attention_mask=mask, token_type_ids=types)
    real = mask.bool()
    assert_same_states(ours, theirs, real)
    torch.testing.assert_close(model.logits(hidden)[real], reference.prediction_logits[real], **EXACT)
    follows = model.next_sentence(model.pool(hidden[:, 0]))
    torch.testing.assert_close(follows, reference.seq_relationship_logits, **EXACT)

    labels = torch.where((torch.arange(11) % 3 == 1) & real, (ids + 5) % 57, -100)
    next_sentence = torch.tensor([1, 0, 0, 1])
    batch = {"input_ids": ids, "attention_mask": mask, "token_type_ids": types}
    loss = model.loss(batch | {"labels": labels, "next_sentence": next_sentence})
    reference_loss = F.cross_entropy(reference.prediction_logits.transpose(1, 2), labels)
    reference_loss = reference_loss + F.cross_entropy(reference.seq_relationship_logits, next_sentence)
    torch.testing.assert_close(loss, reference_loss, **EXACT)
    loss.backward()
    reference_loss.backward()
    assert_same_gradients("bert", model, for_pretraining)


def test_bert_with_a_past(for_pretraining, ids, mask, types):
    model = our_bert(for_pretraining)
    past = random_past(4, 5)
    full = torch.cat([torch.ones(4, 5, dtype=torch.long), mask], dim=1)
    inputs = {"attention_mask": full, "token_type_ids": types}
    hidden = model(ids, past_key_values=past, **inputs).hidden
    reference = for_pretraining.bert(ids, past_key_values=reference_past(past), **inputs).last_hidden_state
    torch.testing.assert_close(hidden[mask.bool()], reference[mask.bool()], **EXACT)


def test_bert_with_a_classifier(ids, mask, types):
    source = reference_bert(transformers.BertForSequenceClassification, num_labels=5)
    model, head = our_bert(source, missing=HEADS), Head(24, 5).double()
    with torch.no_grad():
        head.linear.weight.copy_(source.classifier.weight)
        head.linear.bias.copy_(source.classifier.bias)
    scores = head(model(ids, attention_mask=mask, token_type_ids=types).hidden[:, 0], model)
    reference = source(ids, attention_mask=mask, token_type_ids=types).logits
    torch.testing.assert_close(scores, reference, **EXACT)

    labels = torch.tensor([4, 0, 2, 2])
    F.cross_entropy(scores, labels).backward()
    F.cross_entropy(reference, labels).backward()
    torch.testing.assert_close(head.linear.weight.grad, source.classifier.weight.grad, **EXACT)
    torch.testing.assert_close(head.linear.bias.grad, source.classifier.bias.grad, **EXACT)
    assert_same_gradients("bert", model, source)


# loud checks of names and shapes


def test_a_missing_tensor_is_refused_and_named(gpt2, for_pretraining):
    model = GPT(GPTConfig(57, layers=3, width=24, heads=3, inner=44, context=31)).double()
    state = gpt2.state_dict()
    del state["transformer.h.1.mlp.c_fc.bias"]
    with pytest.raises(ValueError, match=r"nothing for \['blocks.1.mlp.up.bias'\]"):
        load_transformers(model, state)
    headless = {name: t for name, t in for_pretraining.state_dict().items() if name.startswith("bert.")}
    config = BERTConfig(57, layers=3, width=24, heads=3, inner=44, context=31, token_types=3)
    with pytest.raises(ValueError, match=r"nothing for .*'decoder_bias'"):
        load_transformers(BERT(config), headless)
    load_transformers(BERT(config), headless, missing=HEADS)


def test_an_unknown_tensor_is_refused_and_named(gpt2):
    model = GPT(GPTConfig(57, layers=3, width=24, heads=3, inner=44, context=31)).double()
    for name in ("transformer.h.0.attn.c_attn.lora_A", "transformer.wtf.weight"):
        with pytest.raises(ValueError, match=name.split(".")[-1] if "lora" in name else "wtf"):
            load_transformers(model, gpt2.state_dict() | {name: torch.zeros(24, 24)})


@pytest.mark.parametrize(
    ("sizes", "message"),
    [
        ({"context": 32}, r"position_embedding.weight is \(31, 24\) in the source and \(32, 24\) here"),
        ({"vocab_size": 58}, r"token_embedding.weight is \(57, 24\)"),
        ({"inner": 45}, r"mlp.up.weight is \(44, 24\) in the source and \(45, 24\) here"),
        ({"layers": 2}, "this gpt has no such parameter"),
        ({"layers": 4}, "nothing for .*blocks.3"),
    ],
)
def test_another_shape_is_refused(gpt2, sizes, message):
    config = {"vocab_size": 57, "layers": 3, "width": 24, "heads": 3, "inner": 44, "context": 31} | sizes
    with pytest.raises(ValueError, match=message):
        load_transformers(GPT(GPTConfig(**config)), gpt2.state_dict())


# what a file may have, and may lack


def test_a_second_name_of_a_tied_tensor_must_be_the_same(gpt2, for_pretraining):
    gpt, bert = gpt2.state_dict(), for_pretraining.state_dict()
    twins = {"lm_head.weight": gpt, "cls.predictions.decoder.weight": bert, "cls.predictions.decoder.bias": bert}
    for name, state in twins.items():
        assert name in state
        model = GPT(GPTConfig(57, layers=3, width=24, heads=3, inner=44, context=31)) if state is gpt else None
        model = model or BERT(BERTConfig(57, layers=3, width=24, heads=3, inner=44, context=31, token_types=3))
        load_transformers(model, state)
        with pytest.raises(ValueError, match=rf"{name} and .* differ, and here the output is tied"):
            load_transformers(model, state | {name: state[name] + 1})


def test_old_names_of_norms_and_of_the_bias_are_known(for_pretraining):
    state = {name.replace("Norm.weight", "Norm.gamma"): t for name, t in for_pretraining.state_dict().items()}
    state = {name.replace("Norm.bias", "Norm.beta"): tensor for name, tensor in state.items()}
    assert sum("gamma" in name for name in state) == 8
    del state["cls.predictions.bias"]  # and its twin stays
    config = BERTConfig(57, layers=3, width=24, heads=3, inner=44, context=31, token_types=3)
    ours = load_transformers(BERT(config).double().eval(), state)
    expected = our_bert(for_pretraining).state_dict()
    assert all(torch.equal(tensor, expected[name]) for name, tensor in ours.state_dict().items())


@pytest.mark.parametrize(
    ("model_class", "expected"),
    [
        ("BertForPreTraining", ()),
        ("BertForMaskedLM", ("pooler", "next-sentence head")),
        ("BertModel", ("MLM head", "next-sentence head")),
        ("BertForSequenceClassification", ("MLM head", "next-sentence head")),
        ("BertForTokenClassification", ("MLM head", "pooler", "next-sentence head")),
        ("BertForQuestionAnswering", ("MLM head", "pooler", "next-sentence head")),
        ("BertForNextSentencePrediction", ("MLM head",)),
    ],
)
def test_what_each_model_of_the_library_lacks(model_class, expected):
    state = reference_bert(getattr(transformers, model_class)).state_dict()
    assert lacking("bert", state) == expected


def test_half_of_a_part_is_not_lacking_but_damaged(for_pretraining, gpt2):
    state = for_pretraining.state_dict()
    del state["bert.pooler.dense.bias"]
    assert lacking("bert", state) == () == lacking("gpt", gpt2.state_dict())
