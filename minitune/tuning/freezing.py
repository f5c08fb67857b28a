r"""Layer freezing: train some layers of the model and leave the rest.

    embeddings -> block 1 -> ... -> block L - k | block L - k + 1 -> ... -> block L -> what reads them
                      frozen                    |                trained

Nothing below the first trained layer needs a gradient, so nothing there is kept for a backward pass: PyTorch builds no
graph until it meets a parameter that is trained, and a step costs less. Which part is trained is a matter of choice:

    top      the k last blocks, and what comes after them: the last norm (GPT); the pooler with its next sentence, and
             the transform with its norm and the decoder bias (BERT)
    norms    the gains and shifts of every LayerNorm
    biases   every bias (of norms too)
    output   the word scores alone: the output's matrix, untied from the embedding; of BERT its transform, norm and bias

Norms and biases lie in every layer, so their graph reaches down to the first: few numbers are not few operations.

GPT and BERT use one matrix at both ends. Trained at one end, it would change at the other as well, and the graph would
reach down to the first layer. So `top`, `norms` and `biases` never train it, and `output` trains a copy of it.

Howard and Ruder 2018, "ULMFiT", sections 3.2 and 3.3 (gradual unfreezing, rates by layer; arXiv 1801.06146); Lee et al.
2019, "What Would Elsa Do?" (the last layers; arXiv 1911.03090); Frankle et al. 2021 (norms alone, there BatchNorm, of
networks for images; arXiv 2003.00152); Ben Zaken et al. 2022, "BitFit" (biases alone; arXiv 2106.10199).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from torch import Tensor, nn

from minitune.errors import UserError
from minitune.models.bert import BERTConfig
from minitune.models.build import Model, ModelConfig
from minitune.models.common import Output


@dataclass(frozen=True)
class TopConfig:
    layers: int = 1  # k, the trained blocks, counted from the last


@dataclass(frozen=True)
class LayerwiseConfig:
    decay: float = 0.5  # the learning rate of a layer, in units of that of the layer above it

    def __post_init__(self):
        if not 0 < self.decay <= 1:
            raise UserError(f"decay is {self.decay}; it must be above 0 and at most 1")


@dataclass(frozen=True)
class GradualConfig:
    share: float = 0.5  # of the steps, in equal stages of one layer more; behind them all is trained

    def __post_init__(self):
        if not 0 < self.share <= 1:
            raise UserError(f"share is {self.share}; it must be above 0 and at most 1")


# ---- what is trained ----


def tune_top(model: Model, config: TopConfig) -> Model:
    """Train the last k blocks and what comes after them, in place; returns the model.

    Raises:
        UserError: the model has fewer blocks.
    """
    if not 0 <= config.layers <= len(model.blocks):
        raise UserError(
            f"layers is {config.layers}, and the model has {len(model.blocks)}; train from 0 to all of them"
        )
    model.requires_grad_(False)
    for layer in layers_from_the_top(model)[: 1 + config.layers]:
        set_trainable(layer, True)
    return model


def tune_norms(model: Model) -> Model:
    """Train every LayerNorm, in place; returns the model."""
    model.requires_grad_(False)
    for module in model.modules():
        if isinstance(module, nn.LayerNorm):
            module.requires_grad_(True)
    return model


def tune_biases(model: Model) -> Model:
    """Train every bias, in place; returns the model. (`decoder_bias`, of BERT's word scores, is one.)"""
    model.requires_grad_(False)
    for name, parameter in model.named_parameters():
        if name.rpartition(".")[2] in ("bias", "decoder_bias"):
            parameter.requires_grad_(True)
    return model


def layers_from_the_top(model: Model) -> list[list[nn.Parameter]]:
    """What comes after the blocks; the blocks from the last to the first; the embeddings. Each parameter once."""
    blocks = [list(block.parameters()) for block in reversed(model.blocks)]
    inside = {id(p) for block in blocks for p in block}
    below = [p for name, p in model.named_parameters() if "embedding" in name.partition(".")[0]]
    inside |= {id(p) for p in below}
    return [[p for p in model.parameters() if id(p) not in inside], *blocks, below]


def set_trainable(parameters: list[nn.Parameter], on: bool) -> None:
    for parameter in parameters:
        parameter.requires_grad_(on)


# ---- the two ends of a tied pair ----


class Untied(nn.Module):
    """A model whose output has a matrix of its own; called, and read, as the model itself."""

    def __init__(self, model: Model):
        super().__init__()
        self.model = model
        self.kind, self.config, self.context = model.kind, model.config, model.context
        self.training = model.training
        self.output = nn.Parameter(model.token_embedding.weight.detach().clone())  # (V, D)

    def forward(self, input_ids: Tensor, **inputs: Tensor) -> Output:
        return self.model(input_ids, **inputs)

    def logits(self, hidden: Tensor) -> Tensor:
        return self.model.logits(hidden, self.output)

    def before_decoder(self, hidden: Tensor) -> Tensor:
        return self.model.before_decoder(hidden)

    def pool(self, hidden: Tensor) -> Tensor:
        return self.model.pool(hidden)


def tune_output(model: Model) -> Untied:
    """Train the word scores alone: a copy of the tied matrix, and for BERT its transform, norm and bias before it."""
    model.requires_grad_(False)
    if model.kind == "bert":
        for part in (model.transform, model.transform_norm):
            part.requires_grad_(True)
        model.decoder_bias.requires_grad_(True)
    return Untied(model)


# ---- when, and how fast ----


def layer_rates(model: Model, config: LayerwiseConfig) -> dict[str, float]:
    """For each parameter's name, its learning rate as a part of the last layer's: 1, decay, decay^2, ..."""
    depth = {id(p): at for at, layer in enumerate(layers_from_the_top(model)) for p in layer}
    return {name: config.decay ** max(0, depth[id(p)] - 1) for name, p in model.named_parameters()}


def gradual_unfreezing(model: Model, config: GradualConfig, steps: int) -> Callable[[int], None]:
    """A function of the step, to be called before it: at first the last block and what comes after it train, and at
    equal distances one layer more, from the top down to the embeddings."""
    layers = layers_from_the_top(model)
    every = max(1, int(steps * config.share / (len(layers) - 1)))

    def unfreeze(step: int) -> None:
        for at, layer in enumerate(layers):
            set_trainable(layer, at <= 1 + step // every)

    return unfreeze


# ---- how many ----


def block_parameters(model: ModelConfig) -> int:
    """4 D^2 + 2 D I + 9 D + I, or 12 D^2 + 13 D where I = 4 D."""
    d, i = model.width, model.inner
    return 4 * d * d + 2 * d * i + 9 * d + i


def top_parameters(config: TopConfig, model: ModelConfig) -> int:
    """k (4 D^2 + 2 D I + 9 D + I), and 2 D (GPT); or 2 D^2 + 6 D + 2 + V (BERT).

    Those are k blocks and GPT's last norm, or BERT's pooler, transform, its norm, next sentence and decoder bias.
    """
    d = model.width
    after = 2 * (d * d + d) + 2 * d + (2 * d + 2) + model.vocab_size if isinstance(model, BERTConfig) else 2 * d
    return config.layers * block_parameters(model) + after


def norm_parameters(config: object, model: ModelConfig) -> int:
    """2 D (2 L + 1) (GPT); 2 D (2 L + 2) (BERT)."""
    return 2 * model.width * (2 * model.layers + (2 if isinstance(model, BERTConfig) else 1))


def bias_parameters(config: object, model: ModelConfig) -> int:
    """L (7 D + I), and D (GPT); or 4 D + 2 + V (BERT).

    Where I = 4 D, 11 D L + D and 11 D L + 4 D + 2 + V.
    """
    d = model.width
    outside = 4 * d + 2 + model.vocab_size if isinstance(model, BERTConfig) else d
    return model.layers * (7 * d + model.inner) + outside


def output_parameters(config: object, model: ModelConfig) -> int:
    """V D (GPT); V D + D^2 + 3 D + V (BERT)."""
    v, d = model.vocab_size, model.width
    return v * d + (d * d + 3 * d + v if isinstance(model, BERTConfig) else 0)
