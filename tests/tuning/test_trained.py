"""What every method must hold, put to all of them alike: which parameters it trains, by name and number; that nothing
else moves by a bit; that what it puts in has the model's type, device and mode. One table row a method and variant."""

import copy
from dataclasses import replace
from functools import partial

import pytest
import torch
from torch import nn

from minitune.errors import UserError
from minitune.models import BERT
from minitune.training.loop import TrainConfig, make_optimizer, train
from minitune.tuning.all_or_nothing import all_parameters, freeze, no_parameters, tune_everything
from minitune.tuning.freezing import (
    TopConfig,
    bias_parameters,
    norm_parameters,
    output_parameters,
    top_parameters,
    tune_biases,
    tune_norms,
    tune_output,
    tune_top,
)
from minitune.tuning.lora import LoRAConfig, add_lora, lora_parameters
from minitune.tuning.p_tuning import PTuningConfig, add_p_tuning, p_tuning_parameters
from minitune.tuning.p_tuning_v2 import DeepPromptConfig, add_deep_prompt, deep_prompt_parameters
from minitune.tuning.prefix_tuning import PrefixConfig, add_prefix, prefix_parameters
from minitune.tuning.prompt_tuning import PromptConfig, add_prompt, prompt_parameters
from minitune.tuning.trained import count, trainable, trainable_table
from tests.conftest import make_bert, make_gpt

pytestmark = [getattr(pytest.mark, f"lesson{number}") for number in ("04", "06", "18", "19", "20", "21", "22")]

# name: the function that puts it in (of model and tokenizer), its count (of the model's config)
METHODS = {}


def method(name, add, config, formula):
    takes_tokenizer = add in (add_prompt, add_p_tuning, add_prefix)
    METHODS[name] = (
        lambda model, tokenizer: add(*[model, *([config] if config else []), *([tokenizer] * takes_tokenizer)]),
        partial(formula, config),
        config,
    )


LSTM = [f"lstm.{kind}_l{at}{way}" for kind in ("weight_ih", "weight_hh", "bias_ih", "bias_hh") for at in (0, 1)
        for way in ("", "_reverse")]  # fmt: skip

method("full", tune_everything, None, all_parameters)
method("frozen", freeze, None, no_parameters)
method("top 0", tune_top, TopConfig(0), top_parameters)
method("top 2", tune_top, TopConfig(2), top_parameters)
method("norms", tune_norms, None, norm_parameters)
method("biases", tune_biases, None, bias_parameters)
method("output", tune_output, None, output_parameters)
method("prompt 1", add_prompt, PromptConfig(length=1, start="random"), prompt_parameters)
method("prompt", add_prompt, PromptConfig(length=3), prompt_parameters)
method("p-tuning", add_p_tuning, PTuningConfig(length=3), p_tuning_parameters)
method("p-tuning 5 wide", add_p_tuning, PTuningConfig(length=3, inner=5), p_tuning_parameters)
method("p-tuning mlp", add_p_tuning, PTuningConfig(length=3, encoder="mlp"), p_tuning_parameters)
method("prefix", add_prefix, PrefixConfig(length=3, inner=7, dropout=0.2), prefix_parameters)
method("prefix 1", add_prefix, PrefixConfig(length=1, inner=5, start="random"), prefix_parameters)
method("prefix flat", add_prefix, PrefixConfig(length=3, reparametrize=False, dropout=0.2), prefix_parameters)
method("p-tuning-v2", add_deep_prompt, DeepPromptConfig(length=3, dropout=0.2), deep_prompt_parameters)
method("p-tuning-v2 1", add_deep_prompt, DeepPromptConfig(length=1, shift=False), deep_prompt_parameters)
method("lora", add_lora, LoRAConfig(rank=3, alpha=5.0, dropout=0.2), lora_parameters)
method("lora 1", add_lora, LoRAConfig(rank=1, alpha=5.0, targets=("up", "down", "output")), lora_parameters)
ALL = pytest.mark.parametrize("name", METHODS)
MAIN_NAMES = ("top 2", "output", "prompt", "p-tuning", "prefix", "prefix flat", "p-tuning-v2", "lora")
MAIN = pytest.mark.parametrize("name", MAIN_NAMES)


def make(tokenizer, **changes):
    return (make_gpt if tokenizer.kind == "gpt" else make_bert)(len(tokenizer), **changes)


def put_in(name, tokenizer, dtype=torch.float64, device="cpu", training=False, **changes):
    """The base, and what is called in its place."""
    model = make(tokenizer, **changes).to(device, dtype).train(training)
    torch.manual_seed(0)
    return model, METHODS[name][0](model, tokenizer)


class Reading(nn.Module):
    """A loss that asks everything of a model: its words, its pooled state and, of BERT, the next sentence."""

    def __init__(self, tuned, tokenizer, placeholders):
        super().__init__()
        self.model, self.kind = tuned, tokenizer.kind
        generator = torch.Generator().manual_seed(3)
        first = len(tokenizer.specials)
        self.ids = torch.randint(first, len(tokenizer), (4, 11), generator=generator)
        self.ids[:, 2 : 2 + placeholders] = tokenizer.soft_id
        self.mask = (torch.arange(11) < torch.tensor([11, 7, 6, 10])[:, None]).long()

    def loss(self, batch=None):
        inputs = {"attention_mask": self.mask}
        if self.kind == "bert":
            inputs["token_type_ids"] = (torch.arange(11) % 3).expand(4, 11)
        hidden = self.model(self.ids, **inputs).hidden
        real = self.mask.bool()
        words = nn.functional.cross_entropy(self.model.logits(hidden)[real], (self.ids[real] + 1) % 57)
        pooled = self.model.pool(hidden[:, 0])
        if self.kind == "bert":
            base = next(part for part in self.modules() if isinstance(part, BERT))
            pooled = base.next_sentence(pooled)
        return words + (pooled - 1).square().mean()


def reading(name, tokenizer, **changes):
    model, tuned = put_in(name, tokenizer, **changes)
    config = METHODS[name][2]
    soft = config.length if isinstance(config, (PromptConfig, PTuningConfig)) else 0
    return model, Reading(tuned, tokenizer, soft)


# ---- what is trained, by name ----


def expected_names(name, kind):
    """Written down without looking at a model: 3 layers."""
    what, bert = name.split()[0], kind == "bert"
    blocks, prefix = [f"blocks.{at}" for at in range(3)], ""
    ends = ("weight", "bias")
    layers = [f"attention.{layer}" for layer in ("query", "key", "value", "output")] + ["mlp.up", "mlp.down"]
    linear = [f"{block}.{layer}" for block in blocks for layer in layers]
    norms = [f"{block}.{norm}" for block in blocks for norm in ("attention_norm", "mlp_norm")]
    after = ["pooler", "next_sentence", "transform", "transform_norm"] if bert else ["norm"]
    below = ["embedding_norm"] if bert else []
    loose = ["decoder_bias"] if bert else []
    tables = ["token_embedding.weight", "position_embedding.weight"] + ["type_embedding.weight"] * bert
    both = lambda layers: [f"{layer}.{end}" for layer in layers for end in ends]  # noqa: E731
    if what == "full":
        return {*both(linear + norms + after + below), *loose, *tables}
    if what == "top":
        blocks = [f"blocks.{at}." for at in range(3 - int(name.split()[1]), 3)]
        chosen = [layer for layer in linear + norms if layer.startswith(tuple(blocks))] if blocks else []
        return {*both(chosen + after), *loose}
    if what == "norms":
        return set(both(norms + (["transform_norm"] if bert else ["norm"]) + below))
    if what == "biases":
        return {*(f"{layer}.bias" for layer in linear + norms + after + below), *loose}
    if what == "output":
        before = both(["transform", "transform_norm"]) + loose if bert else []
        return {"output", *(f"model.{name}" for name in before)}
    if what == "lora":
        config = METHODS[name][2]
        chosen = [layer for layer in linear if layer.endswith(tuple(f".{target}" for target in config.targets))]
        return {f"{layer}.adapters.lora.{matrix}" for layer in chosen for matrix in "AB"}
    prefix = "door.source."
    if what == "p-tuning":
        lstm = [] if "mlp" in name else LSTM
        return {f"{prefix}{part}" for part in ("start.weight", *both(["mlp.0", "mlp.2"]), *lstm)}
    if name in ("prefix", "prefix 1"):
        return {f"{prefix}{part}" for part in ("start.weight", *both(["inner", "outer"]))}
    return set() if what == "frozen" else {f"{prefix}table"}


@ALL
def test_exactly_these_are_trained_and_as_many_as_the_formula_says(name, tokenizer):
    model, tuned = put_in(name, tokenizer)
    names = set(trainable(tuned))
    expected = expected_names(name, tokenizer.kind)
    assert names == expected, f"too many: {sorted(names - expected)}; missing: {sorted(expected - names)}"
    assert count(trainable(tuned)) == METHODS[name][1](model.config), "the formula counts something else"


def test_the_formulas_hold_for_other_sizes(tokenizer):
    for name in METHODS:
        model, tuned = put_in(name, tokenizer, layers=2, width=10, heads=2, inner=13, context=19)
        assert count(trainable(tuned)) == METHODS[name][1](model.config), name


def test_the_formulas_say_what_the_papers_say_at_the_usual_proportions(tokenizer):
    """The feed-forward layer is four times as wide as the model: only the formulas are asked, nothing is built."""
    d = 128
    config = replace(make(tokenizer).config, width=d, heads=4, inner=4 * d, layers=2)
    count_of = {name: formula(config) for name, (_, formula, _) in METHODS.items()}
    assert count_of["lora"] == 2 * 2 * 3 * 2 * d, "r (in + out), for two layers a block"
    assert count_of["prompt"] == 3 * d and count_of["prefix flat"] == 3 * 2 * 2 * d
    assert count_of["p-tuning"] == 3 * d + 14 * d * d + 18 * d, "the LSTM has half the width"
    assert count_of["biases"] == 2 * 11 * d + (4 * d + 2 + len(tokenizer) if tokenizer.kind == "bert" else d)
    assert count_of["top 2"] - count_of["top 0"] == 2 * (12 * d * d + 13 * d)


# ---- what moves ----


@ALL
def test_all_of_it_moves_in_three_steps_and_the_rest_not_by_a_bit(name, tokenizer):
    if name == "frozen":
        return
    _, joined = reading(name, tokenizer)
    held = {id(p) for group in make_optimizer(joined, TrainConfig()).param_groups for p in group["params"]}
    message = "the optimizer must hold what is trainable; built before the method was put in, it does not"
    assert held == {id(p) for p in trainable(joined).values()}, message
    before = copy.deepcopy(joined.state_dict())
    train(joined, lambda number: {}, TrainConfig(steps=3, lr=0.05, warmup=1, weight_decay=0.5))
    moved = {name for name, tensor in joined.state_dict().items() if not torch.equal(tensor, before[name])}
    # a key's bias adds the same to all scores of a query, and the softmax takes it away again: rounding moves it
    idle = {parameter for parameter in before if parameter.endswith("key.bias")}
    declared = set(trainable(joined))
    message = f"moved, but not declared: {sorted(moved - declared)}; declared, but still: {sorted(declared - moved)}"
    assert moved - idle == declared - idle and moved <= declared, message
    message = "what is frozen has a gradient; were it zero, weight decay would move it in another optimizer"
    assert all(p.grad is None for p in joined.parameters() if not p.requires_grad), message


def test_what_is_learned_as_it_stands_does_not_decay(tokenizer):
    """A prompt near 0 is no simpler than one elsewhere, and neither is A or B by itself."""
    for name in MAIN_NAMES:
        _, joined = reading(name, tokenizer)
        groups = make_optimizer(joined, TrainConfig(weight_decay=0.3)).param_groups
        decaying = {id(p) for group in groups if group["weight_decay"] for p in group["params"]}
        linear = {id(m.weight) for m in joined.modules() if isinstance(m, nn.Linear)}
        names = {n for n, p in joined.named_parameters() if id(p) in decaying - linear}
        assert not names, f"{name}: weight decay pulls {sorted(names)} towards 0, where nothing is better"


# ---- type, device, mode ----


@MAIN
def test_what_is_put_in_has_the_type_of_the_model(name, tokenizer):
    """Everywhere else it is float64; here it is one that nothing has by default."""
    _, joined = reading(name, tokenizer, dtype=torch.bfloat16)
    assert {p.dtype for p in joined.parameters()} == {torch.bfloat16}
    assert joined.loss().dtype == torch.bfloat16, "something inside was computed in another type"


@MAIN
def test_what_is_put_in_is_on_the_model_s_device(name, tokenizer):
    """On "meta" tensors have a device and no numbers: whatever is made on the CPU instead, shows."""
    _, tuned = put_in(name, tokenizer, device="meta")
    assert {p.device.type for p in tuned.parameters()} == {"meta"}


@MAIN
@pytest.mark.parametrize("training", [False, True])
def test_what_is_put_in_is_in_the_model_s_mode(name, tokenizer, training):
    """A model in eval mode stays in it: nobody calls eval() again, and dropout that came in would be on."""
    _, joined = reading(name, tokenizer, dropout=0.3, training=training)
    tuned = joined.model
    wrong = sorted(name or "it itself" for name, part in tuned.named_modules() if part.training != training)
    assert not wrong, f"the model has training={training}; of the other mode are {wrong}"
    if not training:
        assert torch.equal(joined.loss(), joined.loss()), "two forwards in eval mode differ"
    assert tuned.train() is tuned and tuned.eval() is tuned, "train() and eval() return the module"


# ---- the questions themselves ----


def test_what_is_trainable_by_name_a_tied_one_once():
    module = nn.Sequential(nn.Linear(3, 2), nn.Linear(2, 2), nn.Linear(2, 2))
    module[2].weight = module[1].weight
    module[0].weight.requires_grad_(False)
    assert list(trainable(module)) == ["0.bias", "1.weight", "1.bias", "2.bias"]
    assert count(trainable(module)) == 2 + 4 + 2 + 2 and count({}) == 0


def test_the_table_adds_up():
    module = nn.Sequential(nn.Linear(300, 4), nn.Linear(4, 2)).double()
    module[0].weight.requires_grad_(False)
    lines = trainable_table(module).splitlines()
    text = "\n".join(lines)
    rows = {line.split()[0]: line for line in lines if line.strip()}
    assert "0.weight" not in text and rows["0.bias"].split()[-1] == "4"
    assert "2 x 4" in rows["1.weight"] and rows["1.weight"].split()[-1] == "8"
    assert "1.15% of 1,214" in rows["in"] and "112" in rows["in"] and rows["in"].split()[-1] == "14"


def test_a_model_is_what_it_was_if_putting_in_fails(tokenizer):
    """Nothing has changed then: neither what is trained, nor names, nor numbers, nor modes."""
    wrong = [
        partial(tune_top, config=TopConfig(9)),
        partial(tune_top, config=TopConfig(-1)),
        partial(add_prompt, config=PromptConfig(length=31), tokenizer=tokenizer),
        partial(add_p_tuning, config=PTuningConfig(length=31), tokenizer=tokenizer),
        partial(add_prefix, config=PrefixConfig(length=31), tokenizer=tokenizer),
        partial(add_prefix, config=PrefixConfig(length=40, reparametrize=False), tokenizer=tokenizer),
        partial(add_deep_prompt, config=DeepPromptConfig(length=31)),
        partial(add_lora, config=LoRAConfig(targets=("query", "qury"))),
        partial(add_lora, config=LoRAConfig(rank=25)),
        partial(add_lora, config=LoRAConfig(), name="a.b"),
    ]
    if tokenizer.kind == "bert":  # its normalizer takes away what no one sees; GPT has a token for each byte
        wrong += [
            partial(add_prompt, config=PromptConfig(start="text", text="\u200b"), tokenizer=tokenizer),
            partial(add_prefix, config=PrefixConfig(words=" "), tokenizer=tokenizer),
        ]
    model = make(tokenizer)
    model.blocks[0].requires_grad_(False)
    model.blocks[1].train()
    state = copy.deepcopy(model.state_dict())
    grads = {name: p.requires_grad for name, p in model.named_parameters()}
    modes = {name: part.training for name, part in model.named_modules()}
    for put in wrong:
        with pytest.raises(UserError):
            put(model)
        assert {name: p.requires_grad for name, p in model.named_parameters()} == grads, f"{put.func.__name__} froze"
        assert {name: part.training for name, part in model.named_modules()} == modes, put.func.__name__
        now = model.state_dict()
        assert list(now) == list(state) and all(torch.equal(now[name], state[name]) for name in state), put
