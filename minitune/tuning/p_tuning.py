r"""P-tuning: pseudo-tokens anywhere in the template, written by a small network so that they hang together.

    e_1 ... e_P = MLP(LSTM(z_1 ... z_P))        z_i: (D,)    LSTM: two layers, both directions, H wide each
    MLP(x) = W_2 relu(W_1 x + b_1) + b_2        W_1: (D, 2 H)    W_2: (D, D)
    template:  [e_1 e_2] the town [e_3] {text} [e_4] {mask} .        "the town" is an anchor: a word that stays

The network is there for training only: the vectors depend on each other, and one step moves them together. Afterwards
`fold` keeps the P D numbers that it writes and drops it. Without the LSTM (`encoder="mlp"`) each vector comes from its
own z_i alone, and W_1 is (D, D).

Liu et al. 2021, "GPT Understands, Too", section 3 (arXiv 2103.10385). Their code for facts has H = D/2 (14 D^2 + 18 D
numbers beside the z), their few-shot code H = D.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from minitune.data.tokenizers import Tokenizer
from minitune.errors import UserError
from minitune.models.build import Model, ModelConfig
from minitune.tuning.doors import SoftPrompt, Tuned, check_room

ENCODERS = ("lstm", "mlp")


@dataclass(frozen=True)
class PTuningConfig:
    length: int = 6  # P, all placeholders of the template
    encoder: str = "lstm"  # or mlp
    inner: int = 0  # H, the LSTM's width a direction; 0 = half the model's, as in the paper's code for facts

    def __post_init__(self):
        if self.length < 1:
            raise UserError(f"the prompt's length is {self.length}; it must be 1 or more")
        if self.encoder not in ENCODERS:
            raise UserError(f"there is no prompt encoder {self.encoder!r}; choose one of {', '.join(ENCODERS)}")
        if self.inner < 0:
            raise UserError(f"the encoder's width is {self.inner}; it must be 1 or more, or 0 for half the model's")


class PromptEncoder(nn.Module):
    """Writes the prompt: () -> (P, D)."""

    def __init__(self, config: PTuningConfig, width: int):
        super().__init__()
        self.start = nn.Embedding(config.length, width)  # z
        inner = config.inner or width // 2
        read = width
        self.lstm = None
        if config.encoder == "lstm":
            self.lstm = nn.LSTM(width, inner, num_layers=2, bidirectional=True, batch_first=True)
            read = 2 * inner
        self.mlp = nn.Sequential(nn.Linear(read, width), nn.ReLU(), nn.Linear(width, width))

    def forward(self) -> Tensor:
        x = self.start.weight[None]  # (1, P, D)
        if self.lstm is not None:
            x, _ = self.lstm(x)  # (1, P, D) -> (1, P, 2 H)
        return self.mlp(x)[0]  # (1, P, 2 H) -> (P, D)


def add_p_tuning(model: Model, config: PTuningConfig, tokenizer: Tokenizer) -> Tuned:
    """Freeze `model` and put the encoder's vectors at the template's placeholders. Changes no weight of it.

    Raises:
        UserError: a prompt longer than the context.
    """
    check_room(config.length, model)
    embedding = model.token_embedding.weight
    encoder = PromptEncoder(config, model.config.width).to(embedding)
    match_spread(encoder, embedding)
    model.requires_grad_(False)
    return Tuned(model, SoftPrompt(encoder, tokenizer.soft_id))


@torch.no_grad()
def match_spread(encoder: PromptEncoder, embedding: Tensor) -> None:
    """Scale the last layer, in place, so that the first vectors have the spread of the model's embeddings."""
    last = encoder.mlp[-1]
    factor = embedding.std() / encoder().std().clamp(min=1e-8)
    last.weight *= factor
    last.bias *= factor


def p_tuning_parameters(config: PTuningConfig, model: ModelConfig) -> int:
    """P D + 14 D^2 + 18 D with the LSTM, H = D/2; stored P D.

    For any H: P D + 8 H D + 32 H^2 + 32 H + 2 H D + D^2 + 2 D. With the MLP: P D + 2 D^2 + 2 D.
    """
    p, d, h = config.length, model.width, config.inner or model.width // 2
    if config.encoder == "mlp":
        return p * d + 2 * d * d + 2 * d
    return p * d + (8 * h * d + 32 * h * h + 32 * h) + (2 * h * d + d * d + 2 * d)
