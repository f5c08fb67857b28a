r"""Self-attention: every position asks a question, and every position answers.

    attention(Q, K, V) = softmax(Q K^T / sqrt(D/H)) V        Q: (B, H, T, D/H)    K, V: (B, H, S, D/H)

A past of P keys and values, from an earlier call or learned by a method, stands before the T
positions of this call, so S = P + T: every query sees the whole past.

Vaswani et al. 2017, "Attention Is All You Need", section 3.2 (arXiv 1706.03762).
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from minitune.models.cache import Cache, KeyValue


def attention_weights(query: Tensor, key: Tensor, visible: Tensor | None = None) -> Tensor:
    """How much each query takes from each key: (B, H, T, D/H), (B, H, S, D/H) -> (B, H, T, S).

    `visible` (broadcast to (B, H, T, S), True = may be seen) hides keys. The rows sum to 1; a row
    that may see nothing is all zero.
    """
    scores = query @ key.transpose(-2, -1) / math.sqrt(query.shape[-1])  # (B, H, T, S)
    if visible is None:
        return scores.softmax(dim=-1)
    weights = scores.masked_fill(~visible, -torch.inf).softmax(dim=-1)
    nothing_to_see = ~visible.any(dim=-1, keepdim=True)  # softmax of nothing but -inf is 0 / 0
    return weights.masked_fill(nothing_to_see, 0.0)


def attention(query: Tensor, key: Tensor, value: Tensor, visible: Tensor | None = None) -> Tensor:
    """The equation above, written out: -> (B, H, T, D/H). For reading and for tests."""
    return attention_weights(query, key, visible) @ value


def fused_attention(query: Tensor, key: Tensor, value: Tensor, visible: Tensor | None = None) -> Tensor:
    """The same numbers from PyTorch's fused kernel, which never stores the (T, S) weights."""
    return F.scaled_dot_product_attention(query, key, value, attn_mask=visible)


def visible_keys(
    attention_mask: Tensor | None, queries: int, past: int, causal: bool, device: torch.device
) -> Tensor | None:
    """Which keys each query may see: None if all, else bool, broadcast to (B, H, T, P + T).

    Args:
        attention_mask: (B, P + T), 1 = real, 0 = padding; None = all real. It covers the past too.
        queries: T, the positions of this call.
        past: P, the positions that stand before them.
        causal: a query sees no key that comes after it (GPT).

    Raises:
        ValueError: the mask is not P + T wide.
    """
    keys = past + queries
    visible = None
    if causal and queries > 1:
        visible = torch.ones(queries, keys, dtype=torch.bool, device=device).tril(diagonal=past)  # (T, P + T)
    if attention_mask is not None:
        if attention_mask.shape[-1] != keys:
            raise ValueError(
                f"attention_mask is {attention_mask.shape[-1]} wide and there are {keys} keys "
                f"({past} of the past, {queries} of this call): put the past's ones before the text's mask"
            )
        real = attention_mask.bool()[:, None, None, :]  # (B, 1, 1, P + T)
        visible = real if visible is None else visible & real  # (B, 1, T, P + T)
    return visible


def at_places(x: Tensor, read: Tensor) -> Tensor:
    """The positions `read` (B, R) of each row: (B, T, ...) -> (B, R, ...)."""
    return x[torch.arange(len(x), device=x.device)[:, None], read]


def seen_from(visible: Tensor | None, read: Tensor) -> Tensor | None:
    """What the positions `read` (B, R) may see: (T, S) or (B, 1, T, S) -> (B, 1, R, S)."""
    if visible is None:
        return None
    rows = visible.expand(len(read), 1, *visible.shape[-2:])[:, 0]  # (B, T, S)
    return at_places(rows, read)[:, None]


def dropout_of(share: float) -> nn.Module:
    """Dropout, or nothing where nothing is dropped: the calls alone took a twentieth of the time of writing a token."""
    return nn.Dropout(share) if share else nn.Identity()


class SelfAttention(nn.Module):
    """Multi-head self-attention with four linear layers: (B, T, D) -> (B, T, D)."""

    def __init__(self, width: int, heads: int, dropout: float):
        super().__init__()
        if width % heads:
            raise ValueError(f"the width {width} does not divide into {heads} heads")
        self.heads = heads
        self.query = nn.Linear(width, width)
        self.key = nn.Linear(width, width)
        self.value = nn.Linear(width, width)
        self.output = nn.Linear(width, width)
        self.dropout = dropout_of(dropout)
        self.together: tuple[Tensor, Tensor] | None = None  # (3 D, D) and (3 D,), while a text is written

    def forward(
        self, x: Tensor, visible: Tensor | None, past: KeyValue | Cache | None = None, asking: Tensor | None = None
    ) -> tuple[Tensor, KeyValue]:
        """Returns the output (B, T, D), and all keys and values, past ones included: each (B, H, P + T, D/H).

        `asking` (B, R, D) are the positions that ask, if not all of x do; the output is then (B, R, D).
        """
        query, key, value = map(self.split, self.project(x, x if asking is None else asking))
        if isinstance(past, Cache):
            key, value = past.append(key, value)
        elif past is not None:
            key = torch.cat([past[0], key], dim=2)  # (B, H, P, D/H), (B, H, T, D/H) -> (B, H, P + T, D/H)
            value = torch.cat([past[1], value], dim=2)
        mixed = fused_attention(query, key, value, visible)  # (B, H, T, D/H)
        joined = mixed.transpose(1, 2).flatten(2)  # (B, H, T, D/H) -> (B, T, H, D/H) -> (B, T, D)
        return self.dropout(self.output(joined)), (key, value)

    def project(self, x: Tensor, asking: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Query (B, R, D), key and value (B, T, D); in one product where the weights stand side by side."""
        if self.together and asking is x:
            return F.linear(x, *self.together).chunk(3, dim=2)  # (B, T, D) -> (B, T, 3 D) -> 3 x (B, T, D)
        return self.query(asking), self.key(x), self.value(x)

    def split(self, x: Tensor) -> Tensor:
        return x.unflatten(2, (self.heads, -1)).transpose(1, 2)  # (B, T, D) -> (B, T, H, D/H) -> (B, H, T, D/H)


class FeedForward(nn.Module):
    """Widen, bend, narrow: (B, T, D) -> (B, T, D). `gelu` is "tanh" as in GPT-2, or "none" (erf) as in BERT."""

    def __init__(self, width: int, inner: int, dropout: float, gelu: str):
        super().__init__()
        self.up = nn.Linear(width, inner)
        self.down = nn.Linear(inner, width)
        self.gelu = gelu
        self.dropout = dropout_of(dropout)

    def forward(self, x: Tensor) -> Tensor:
        return self.dropout(self.down(F.gelu(self.up(x), approximate=self.gelu)))
