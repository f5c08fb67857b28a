r"""Prefix tuning: learn keys and values that stand before the text in every layer.

    attention(Q, [K_p ; K], [V_p ; V])        K_p, V_p: (P, D) for each layer, learned

Every position of the text sees the prefix, in every layer; the text's own positions start after it. Learned as they
stand, the keys and values are P 2 L D numbers. The paper found these unstable, and has a small network write them:

    [K_p ; V_p of all layers]_i = W_2 tanh(W_1 z_i + b_1) + b_2        z_i: (D,)    W_1: (M, D)    W_2: (2 L D, M)

The network is folded away after training (`fold`): P 2 L D numbers are stored either way. A prefix of zeros is not the
same as none: a key of 0 scores exp(0) = 1, and takes its share of every softmax.

Li and Liang 2021, "Prefix-Tuning", sections 4.2 and 4.3 (arXiv 2101.00190).
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from minitune.data.tokenizers import Tokenizer
from minitune.errors import UserError
from minitune.models.attention import KeyValue
from minitune.models.build import Model, ModelConfig
from minitune.tuning.doors import Learned, Prefix, Tuned, check_room

STARTS = ("random", "words")
FIT_STEPS, FIT_LR = 500, 3e-3


@dataclass(frozen=True)
class PrefixConfig:
    length: int = 8  # P
    reparametrize: bool = True  # written by the network, or learned as it stands
    inner: int = 256  # M, the network's width
    start: str = "words"  # what it is at first: the keys and values of real words, or random
    words: str = ""  # those words, over and over if they are fewer than P; "" = drawn from the vocabulary
    dropout: float = 0.0  # of the prefix, in training

    def __post_init__(self):
        if self.length < 1 or self.inner < 1:
            raise UserError(f"length {self.length} and inner {self.inner}: both must be 1 or more")
        if self.start not in STARTS:
            raise UserError(f"a prefix cannot start from {self.start!r}; choose one of {', '.join(STARTS)}")
        if not 0 <= self.dropout < 1:
            raise UserError(f"dropout is {self.dropout}; it must be at least 0 and below 1")


class PrefixEncoder(nn.Module):
    """The network that writes the prefix: () -> (P, 2 L D)."""

    def __init__(self, config: PrefixConfig, model: ModelConfig):
        super().__init__()
        self.start = nn.Embedding(config.length, model.width)  # z
        self.inner = nn.Linear(model.width, config.inner)
        self.outer = nn.Linear(config.inner, 2 * model.layers * model.width)

    def forward(self) -> Tensor:
        return self.outer(torch.tanh(self.inner(self.start.weight)))  # (P, D) -> (P, M) -> (P, 2 L D)


def add_prefix(model: Model, config: PrefixConfig, tokenizer: Tokenizer) -> Tuned:
    """Freeze `model` and put a prefix before it. Changes no weight of it.

    Raises:
        UserError: the prefix leaves no room for a text; words to start from that have no token.
    """
    weight = model.token_embedding.weight
    check_room(config.length, model)
    real = table_of(keys_and_values(model, word_ids(config, tokenizer)))  # (P, 2 L D)
    if config.reparametrize:
        source = PrefixEncoder(config, model.config).to(weight)
        if config.start == "words":
            fit(source, real)
    else:
        drawn = torch.randn(real.shape).to(weight) * real.std()
        source = Learned(real if config.start == "words" else drawn)
    model.requires_grad_(False)
    return Tuned(model, Prefix(source, model.config, dropout=config.dropout))


def word_ids(config: PrefixConfig, tokenizer: Tokenizer) -> list[int]:
    """The P words to start from.

    Raises:
        UserError: the given words have no token.
    """
    if config.words:
        ids = tokenizer.encode(config.words)
        if not ids:
            raise UserError(f"nothing is left of the words {config.words!r} as the tokenizer reads them; take others")
    else:
        words = tokenizer.word_ids()
        ids = [words[i] for i in torch.randperm(len(words))]
    return [ids[i % len(ids)] for i in range(config.length)]


@torch.no_grad()
def keys_and_values(model: Model, ids: list[int]) -> tuple[KeyValue, ...]:
    """What every layer makes of these tokens, read by themselves: for each layer two of (1, H, P, D/H)."""
    device = model.token_embedding.weight.device
    return model(torch.tensor([ids], device=device)).past_key_values


def table_of(past: tuple[KeyValue, ...]) -> Tensor:
    """Keys and values of one row as `Prefix` reads them: for each layer two of (1, H, P, D/H) -> (P, 2 L D)."""
    flat = [part[0].transpose(0, 1).flatten(1) for layer in past for part in layer]  # each (P, H, D/H) -> (P, D)
    return torch.cat(flat, dim=1)


def fit(source: PrefixEncoder, table: Tensor) -> None:
    """Train the network alone until it writes `table` (the paper's start for little data): no task is seen."""
    optimizer = torch.optim.Adam(source.parameters(), lr=FIT_LR)
    for _ in range(FIT_STEPS):
        loss = (source() - table).square().mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    optimizer.zero_grad()


def prefix_parameters(config: PrefixConfig, model: ModelConfig) -> int:
    """P D + M D + M + 2 L D (M + 1) with the network of width M, 2 P L D without; stored 2 P L D."""
    p, d, m = config.length, model.width, config.inner
    flat = 2 * model.layers * d  # of one position
    return p * d + m * d + m + flat * (m + 1) if config.reparametrize else p * flat
