"""Lesson 06, layer freezing. Six questions that every method's tests answer, in this order: shapes, numbers worked by
hand, invariants, parity with an independent computation, gradients, and whether it learns. The names of what is
trained, and that the rest does not move, stand in test_trained.py, with those of all methods."""

import copy
from dataclasses import replace

import pytest
import torch
from torch import nn

from minitune.errors import UserError
from minitune.models import generate
from minitune.models.bert import bert_parameters
from minitune.models.build import random_model
from minitune.models.gpt import gpt_parameters
from minitune.training.loop import TrainConfig, make_optimizer, train
from minitune.tuning.all_or_nothing import tune_everything
from minitune.tuning.freezing import (
    GradualConfig,
    LayerwiseConfig,
    TopConfig,
    Untied,
    bias_parameters,
    block_parameters,
    gradual_unfreezing,
    layer_rates,
    layers_from_the_top,
    norm_parameters,
    output_parameters,
    top_parameters,
    tune_biases,
    tune_norms,
    tune_output,
    tune_top,
)
from tests.conftest import make_bert, make_gpt

pytestmark = pytest.mark.lesson06


def trained(module):
    return {name for name, p in module.named_parameters() if p.requires_grad}


class Reading(nn.Module):
    """Asks the model for its words and its pooled state."""

    def __init__(self, model, ids):
        super().__init__()
        self.model, self.ids = model, ids

    def loss(self, batch=None):
        hidden = self.model(self.ids).hidden
        words = nn.functional.cross_entropy(self.model.logits(hidden).flatten(0, 1), ((self.ids + 1) % 57).flatten())
        return words + (self.model.pool(hidden[:, 0]) - 1).square().mean()


def moved(module, before):
    return {name for name, p in module.named_parameters() if not torch.equal(p, before[name])}


# what is trained, and shapes


def test_layers_from_the_top_are_all_of_the_model_each_parameter_once(model):
    layers = layers_from_the_top(model)
    assert len(layers) == 1 + 3 + 1, "what comes after the blocks, three blocks, the embeddings"
    names = {id(p): name for name, p in model.named_parameters()}
    named = [{names[id(p)] for p in layer} for layer in layers]
    for at, block in enumerate(("blocks.2.", "blocks.1.", "blocks.0.")):
        assert all(name.startswith(block) for name in named[1 + at]), f"layer {1 + at} from the top is {block[:-1]}"
        assert len(named[1 + at]) == 16, "a block has 16 parameters"
    after = {"norm"} if model.kind == "gpt" else {"pooler", "next_sentence", "transform", "transform_norm"}
    expected = {f"{part}.{end}" for part in after for end in ("weight", "bias")}
    expected |= {"decoder_bias"} if model.kind == "bert" else set()
    assert named[0] == expected, f"too much or too little comes after the blocks: {sorted(named[0] ^ expected)}"
    assert "token_embedding.weight" in named[4] and all("embedding" in name for name in named[4])
    twice = sum(map(len, named)) - len(names)
    assert not twice and set().union(*named) == set(names.values()), "a parameter is in no layer, or in two"


@pytest.mark.parametrize("layers", [0, 1, 2, 3])
def test_the_last_blocks_train_and_what_comes_after_them(model, layers):
    names = trained(tune_top(model, TopConfig(layers)))
    blocks = sorted({int(name.split(".")[1]) for name in names if name.startswith("blocks.")})
    assert blocks == list(range(3 - layers, 3)), f"with k = {layers}, of the blocks 0, 1 and 2 these train: {blocks}"
    outside, after = {name.split(".")[0] for name in names} - {"blocks"}, {"norm"}
    if model.kind == "bert":
        after = {"pooler", "next_sentence", "transform", "transform_norm", "decoder_bias"}
    assert outside == after, f"outside the blocks {sorted(outside)} train, and not {sorted(after)}"


# numbers worked by hand


def test_counts_by_hand():
    """D, I, L, V = 24, 44, 3, 57."""
    gpt, bert = make_gpt().config, make_bert().config
    block = 4 * (24 * 24 + 24) + (24 * 44 + 44) + (44 * 24 + 24) + 2 * 2 * 24  # attention, up, down, two norms
    assert block_parameters(gpt) == block_parameters(bert) == block, "four layers, up and down, two norms; with biases"
    assert top_parameters(TopConfig(2), gpt) == 2 * block + 48
    assert top_parameters(TopConfig(2), bert) == 2 * block + 2 * (24 * 24 + 24) + 48 + (24 * 2 + 2) + 57
    assert norm_parameters(None, gpt) == 2 * 24 * 7 and norm_parameters(None, bert) == 2 * 24 * 8
    assert bias_parameters(None, gpt) == 3 * (6 * 24 + 44 + 24) + 24
    assert bias_parameters(None, bert) == 3 * (6 * 24 + 44 + 24) + 24 + 24 + 2 + 2 * 24 + 57
    assert output_parameters(None, gpt) == 57 * 24
    assert output_parameters(None, bert) == 57 * 24 + (24 * 24 + 24) + 48 + 57
    everything = {"gpt": gpt_parameters(gpt), "bert": bert_parameters(bert)}
    tables = {"gpt": (57 + 31) * 24, "bert": (57 + 31 + 3) * 24 + 48}
    for config, kind in ((gpt, "gpt"), (bert, "bert")):
        assert top_parameters(TopConfig(3), config) == everything[kind] - tables[kind], "all but the embeddings"


def test_rates_by_hand(model):
    rates = layer_rates(model, LayerwiseConfig(decay=0.5))
    assert set(rates) == {name for name, _ in model.named_parameters()}
    expected = {"blocks.2.": 1.0, "blocks.1.": 0.5, "blocks.0.": 0.25, "token": 0.125, "position": 0.125}
    expected |= {"type": 0.125, "embedding_norm": 0.125}
    for name, rate in rates.items():
        wanted = next((value for start, value in expected.items() if name.startswith(start)), 1.0)
        message = f"{name} has {rate}: the last block and what comes after it have 1, and each layer below half as much"
        assert rate == wanted, message
    assert set(layer_rates(model, LayerwiseConfig(decay=1.0)).values()) == {1.0}


def test_unfreezing_by_hand(model):
    """12 steps and three layers to unfreeze (two blocks, the embeddings) beside the two that begin."""
    unfreeze = gradual_unfreezing(model, GradualConfig(share=1.0), steps=12)
    layers = layers_from_the_top(model)
    open_layers = []
    for step in range(12):
        unfreeze(step)
        states = [{p.requires_grad for p in layer} for layer in layers]
        assert all(len(state) == 1 for state in states)
        count = sum(state == {True} for state in states)
        assert states == [{True}] * count + [{False}] * (5 - count), "from the top, and never one before another"
        open_layers.append(count)
    assert open_layers == [2, 2, 2, 3, 3, 3, 4, 4, 4, 5, 5, 5], "first the last block and what follows, then one more"


@pytest.mark.parametrize(("share", "steps"), [(0.5, 12), (0.5, 100), (0.3, 57), (1.0, 10), (0.01, 40)])
def test_all_is_unfrozen_within_its_share_of_the_steps(model, share, steps):
    unfreeze = gradual_unfreezing(model, GradualConfig(share), steps)
    unfreeze(0)
    assert not any(p.requires_grad for p in layers_from_the_top(model)[2]), "the second last block waits for its turn"
    unfreeze(max(4, round(share * steps)))
    assert all(p.requires_grad for p in model.parameters()), f"{share} of {steps} steps are over, and something waits"


# invariants


@pytest.mark.parametrize("choose", [tune_norms, tune_biases, lambda m: tune_top(m, TopConfig(1)), tune_output])
def test_what_was_trained_before_does_not_matter(model, choose):
    from_all, from_none = (trained(choose(copy.deepcopy(model).requires_grad_(start))) for start in (True, False))
    more = sorted(from_all - from_none)
    assert not more, f"freeze the whole model first: {len(more)} that trained before still do, {more[:3]} ..."
    assert from_all == from_none, f"these train only if they did before: {sorted(from_none - from_all)}"


@pytest.mark.parametrize("choose", [tune_norms, tune_biases, lambda m: tune_top(m, TopConfig(2))])
def test_the_tied_matrix_is_never_among_them(model, ids, choose):
    """Trained as the output's, it would change the input too; as the input's, the output."""
    assert choose(model) is model
    assert "token_embedding.weight" not in trained(model), "training the output's matrix trains the input's too"
    before = copy.deepcopy(model.token_embedding.weight)
    train(Reading(model, ids), lambda number: {}, TrainConfig(steps=3, lr=0.1, weight_decay=0.5))
    assert torch.equal(model.token_embedding.weight, before), "the tied matrix has moved: which end was frozen?"


def test_where_the_tied_matrix_is_trained_both_ends_change(model, ids):
    """As in full fine-tuning: what a word is read as and what it is said by are one."""
    hidden, scores = model(ids).hidden, model.logits(torch.ones(24, dtype=torch.float64))
    model.requires_grad_(False)
    model.token_embedding.weight.requires_grad_(True)
    train(Reading(model, ids), lambda number: {}, TrainConfig(steps=1, lr=0.1))
    assert not torch.allclose(model.logits(torch.ones(24, dtype=torch.float64)), scores)
    assert not torch.allclose(model(ids).hidden, hidden)


def test_an_untied_output_moves_alone(model, ids):
    base = copy.deepcopy(model)
    tuned = tune_output(model)
    assert isinstance(tuned, Untied) and tuned.output.data_ptr() != model.token_embedding.weight.data_ptr(), (
        "the output is the input embedding itself, and not a copy"
    )
    hidden = base(ids).hidden
    assert torch.equal(tuned(ids).hidden, hidden)
    assert torch.equal(tuned.logits(hidden), base.logits(hidden)), "at first the copy says what the tied one said"
    assert tuned.logits(hidden.detach()).requires_grad, "the words are not scored by the copy, or it does not train"
    before = dict(copy.deepcopy(tuned).named_parameters())
    train(Reading(tuned, ids), lambda number: {}, TrainConfig(steps=3, lr=0.1, weight_decay=0.5))
    outside = {"output"}
    if model.kind == "bert":
        outside |= {f"model.{part}.{end}" for part in ("transform", "transform_norm") for end in ("weight", "bias")}
        outside |= {"model.decoder_bias"}
    extra, still = sorted(moved(tuned, before) - outside), sorted(outside - moved(tuned, before))
    assert not extra, f"the input embedding, or more, moves with the output: {extra}"
    assert not still, f"what stands right before BERT's output learns with it; these have not moved: {still}"
    assert torch.equal(tuned(ids).hidden, hidden), "what is read has changed as well: the two ends are still one"
    assert not torch.allclose(tuned.logits(hidden), base.logits(hidden))
    assert torch.equal(tuned.pool(hidden), base.pool(hidden))


def test_an_untied_model_is_called_and_read_as_the_model(gpt, ids, mask):
    base, tuned = copy.deepcopy(gpt), tune_output(gpt)
    assert (tuned.kind, tuned.config, tuned.context) == (gpt.kind, gpt.config, gpt.context)
    hidden = base(ids, attention_mask=mask).hidden
    assert torch.equal(tuned(ids, attention_mask=mask).hidden, hidden), "the mask does not reach the model"
    prompts = [[4, 9, 1], [7]]
    assert generate(tuned, prompts, 5) == generate(base, prompts, 5)
    with torch.no_grad():
        tuned.output[11] += 5 * base.norm.bias
    assert generate(tuned, prompts, 5, use_cache=False) == generate(tuned, prompts, 5)


class NamedAwkwardly(nn.Module):
    """Modules whose names contain what is looked for in the names of parameters."""

    def __init__(self):
        super().__init__()
        self.bias = nn.Linear(3, 3, bias=False)
        self.bias_layer, self.unbiased = nn.Linear(3, 3), nn.Linear(3, 3, bias=False)
        self.norm_layer, self.plain = nn.Linear(3, 3), nn.LayerNorm(3)
        self.my_bias_table = nn.Parameter(torch.zeros(3))


def test_names_are_matched_whole_and_kinds_by_class():
    for choose, word, expected in (
        (tune_biases, "bias", {"bias_layer.bias", "norm_layer.bias", "plain.bias"}),
        (tune_norms, "norm", {"plain.weight", "plain.bias"}),
    ):
        found = trained(choose(NamedAwkwardly()))
        assert not found - expected, f'chosen by "{word}" anywhere in the name? {sorted(found - expected)} train'
        assert found == expected, f"{sorted(expected - found)} do not train: {choose.__name__} means all of them"


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        (lambda m: tune_top(m, TopConfig(4)), "layers is 4, and the model has 3; train from 0 to all of them"),
        (lambda m: tune_top(m, TopConfig(-1)), "layers is -1"),
        (lambda m: LayerwiseConfig(decay=0.0), "decay is 0.0; it must be above 0 and at most 1"),
        (lambda m: LayerwiseConfig(decay=1.5), "decay is 1.5"),
        (lambda m: GradualConfig(share=0.0), "share is 0.0; it must be above 0 and at most 1"),
        (lambda m: GradualConfig(share=1.1), "share is 1.1"),
    ],
)
def test_numbers_out_of_range_are_refused_and_nothing_changes(model, wrong, message):
    model.blocks[1].requires_grad_(False)
    before = trained(model)
    with pytest.raises(UserError, match=message):
        wrong(model)
    assert trained(model) == before


# parity: the training loop with these rates, against steps by hand


def test_layers_learn_at_their_rates(model, ids):
    """Adam's first step is the learning rate whatever the gradient: what each layer moved is its rate."""
    rates = {f"model.{name}": rate for name, rate in layer_rates(model, LayerwiseConfig(decay=0.5)).items()}
    reading = Reading(tune_everything(model), ids)
    groups = make_optimizer(reading, TrainConfig(), rates).param_groups
    assert sum(len(group["params"]) for group in groups) == len(list(model.parameters()))
    before = copy.deepcopy(dict(reading.named_parameters()))
    train(reading, lambda number: {}, TrainConfig(steps=1, lr=0.01, warmup=1, weight_decay=0.0, clip=1e9), rates=rates)
    after = dict(reading.named_parameters())
    for name in ("norm.weight", "pooler.weight", "blocks.2.mlp.up.weight", "blocks.1.mlp.up.weight",
                 "blocks.0.mlp.up.weight", "token_embedding.weight"):  # fmt: skip
        if f"model.{name}" in after:
            step = (after[f"model.{name}"] - before[f"model.{name}"]).abs().median().item()
            assert step == pytest.approx(0.01 * rates[f"model.{name}"], rel=1e-3), name


def test_gradual_unfreezing_in_the_loop(model, ids):
    """Only what is open has moved when the next layer opens; at the end all has."""
    reading, layers = Reading(tune_everything(model), ids), layers_from_the_top(model)
    unfreeze = gradual_unfreezing(model, GradualConfig(share=1.0), steps=8)  # one layer more at steps 2, 4, 6
    before = [[p.detach().clone() for p in layer] for layer in layers]
    seen = []

    def note(step):
        unfreeze(step)
        if step % 2 == 0:
            seen.append(
                [
                    any(not torch.equal(p, b) for p, b in zip(*pair, strict=True))
                    for pair in zip(layers, before, strict=True)
                ]
            )

    train(reading, lambda number: {}, TrainConfig(steps=8, lr=0.01, weight_decay=0.5), before_step=note)
    assert seen == [[at < opened for at in range(5)] for opened in (0, 2, 3, 4)], "a layer moved before its turn"
    assert all(not torch.equal(p, b) for p, b in zip(layers[4][:1], before[4][:1], strict=True))


# gradients


@pytest.mark.parametrize("layers", [0, 1, 2, 3])
def test_below_the_first_trained_layer_nothing_is_kept(model, ids, layers):
    """That is what saves the time: no graph, where no gradient will be asked for."""
    tune_top(model, TopConfig(layers))
    has_graph = {}
    for at, block in enumerate(model.blocks):
        block.register_forward_hook(lambda m, i, out, at=at: has_graph.update({at: out[0].grad_fn is not None}))
    hidden = model(ids).hidden
    expected = {at: at >= 3 - layers for at in range(3)}
    assert has_graph == expected, f"with the last {layers} trained, a graph is built in {has_graph}"
    assert hidden.requires_grad == (layers > 0 or model.kind == "gpt"), "GPT's last norm is part of `hidden`"
    loss = model.logits(hidden).square().mean() + model.pool(hidden).sum()
    loss.backward()
    below = [name for name, p in model.named_parameters() if not p.requires_grad and p.grad is not None]
    assert not below


def test_the_output_alone_needs_no_graph_through_the_model(model, ids):
    tuned = tune_output(model)
    hidden = tuned(ids).hidden
    assert hidden.grad_fn is None, "the graph reaches down to the embedding: the two ends are still tied"
    tuned.logits(hidden).square().mean().backward()
    assert tuned.output.grad.abs().sum() > 0 and model.token_embedding.weight.grad is None


# does it learn?


@pytest.mark.parametrize("choose", [lambda m: tune_top(m, TopConfig(1)), tune_norms, tune_biases, tune_output])
def test_learns_a_few_rows_by_heart(model, ids, choose):
    tuned = choose(random_model(replace(model.config, spread=0.2), seed=3).double())
    labels = torch.tensor([0, 1, 1, 0])
    optimizer = torch.optim.Adam([p for p in tuned.parameters() if p.requires_grad], lr=0.03)
    losses = []
    for _ in range(25):
        loss = nn.functional.cross_entropy(tuned.logits(tuned(ids).hidden[:, -1])[:, [3, 5]], labels)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert losses[-1] < 0.5 * losses[0], f"the loss went from {losses[0]:.2f} to {losses[-1]:.2f} in 25 steps"
