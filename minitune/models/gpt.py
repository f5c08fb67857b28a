r"""GPT: read left to right, and guess the next token.

    h_0 = token[x] + position[t]
    a   = h + Attention(LN(h))          each position sees itself and what came before
    h   = a + W_down gelu(W_up LN(a))   L such blocks
    p(next token) = softmax(LN(h_L) E^T)    E: (V, D), the token embedding once more: the output is tied

Radford et al. 2019, "Language Models are Unsupervised Multitask Learners", section 2.3 (GPT-2):
pre-LN, a last LN, tanh GELU, learned positions.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from torch import Tensor, nn
from torch.nn import functional as F

from minitune.models.attention import FeedForward, SelfAttention, at_places, dropout_of, seen_from, visible_keys
from minitune.models.cache import Cache, KeyValue
from minitune.models.common import Output, check_sizes, default_positions, draw_weights, one_of, past_length


@dataclass(frozen=True)
class GPTConfig:
    vocab_size: int
    layers: int = 2
    width: int = 128
    heads: int = 4
    inner: int = 512  # width of the feed-forward layer
    context: int = 128
    dropout: float = 0.0
    spread: float = 0.05  # standard deviation of the first weights; GPT-2, six times as wide, has 0.02
    norm_eps: float = 1e-5

    def __post_init__(self):
        check_sizes(self)


class GPTBlock(nn.Module):
    """Pre-LN: normalize, change, add. (B, T, D) -> (B, T, D)."""

    def __init__(self, config: GPTConfig):
        super().__init__()
        self.attention_norm = nn.LayerNorm(config.width, eps=config.norm_eps)
        self.attention = SelfAttention(config.width, config.heads, config.dropout)
        self.mlp_norm = nn.LayerNorm(config.width, eps=config.norm_eps)
        self.mlp = FeedForward(config.width, config.inner, config.dropout, gelu="tanh")

    def forward(
        self, x: Tensor, visible: Tensor | None, past: KeyValue | Cache | None, read: Tensor | None = None
    ) -> tuple[Tensor, KeyValue]:
        """With `read` (B, R), only these positions are computed: -> (B, R, D)."""
        normed = self.attention_norm(x)
        asking = normed
        if read is not None:
            x, asking, visible = at_places(x, read), at_places(normed, read), seen_from(visible, read)
        change, key_value = self.attention(normed, visible, past, asking)
        x = x + change
        return x + self.mlp(self.mlp_norm(x)), key_value


class GPT(nn.Module):
    kind = "gpt"

    def __init__(self, config: GPTConfig):
        super().__init__()
        self.config = config
        self.token_embedding = nn.Embedding(config.vocab_size, config.width)
        self.position_embedding = nn.Embedding(config.context, config.width)
        self.dropout = dropout_of(config.dropout)
        self.blocks = nn.ModuleList(GPTBlock(config) for _ in range(config.layers))
        self.norm = nn.LayerNorm(config.width, eps=config.norm_eps)
        draw_weights(self, config.spread)
        for block in self.blocks:  # each block adds to the stream twice: keep the sum's spread as at the start
            for layer in (block.attention.output, block.mlp.down):
                nn.init.normal_(layer.weight, std=config.spread / math.sqrt(2 * config.layers))

    def forward(
        self,
        input_ids: Tensor | None = None,
        *,
        inputs_embeds: Tensor | None = None,
        attention_mask: Tensor | None = None,
        position_ids: Tensor | None = None,
        past_key_values: tuple[KeyValue | Cache, ...] | None = None,
        read: Tensor | None = None,
    ) -> Output:
        """Run the model: (B, T) or (B, T, D) -> hidden (B, T, D) and every layer's keys and values.

        Args:
            input_ids: (B, T); or instead of it
            inputs_embeds: (B, T, D), what the token embedding would have given (no positions in it).
            attention_mask: (B, P + T), 1 = real, 0 = padding; None = all real.
            position_ids: (B, T); by default they count on from the past.
            past_key_values: for each layer a key and a value, each (B, H, P, D/H), or a `Cache` that grows.
            read: (B, R), the positions that are wanted: hidden is (B, R, D), and the last layer leaves out the rest.

        Raises:
            UserError: past and text are longer than the context.
            ValueError: ids and embeddings both or neither; a mask or a past of another shape.
        """
        x = one_of(input_ids, inputs_embeds, self.token_embedding)  # (B, T, D)
        past = past_length(past_key_values, self.config.layers)
        if position_ids is None:
            position_ids = default_positions(x.shape[1], past, self.config.context, x.device)
        visible = visible_keys(attention_mask, x.shape[1], past, causal=True, device=x.device)
        x = self.dropout(x + self.position_embedding(position_ids))
        key_values = []
        for index, block in enumerate(self.blocks):
            wanted = read if index == len(self.blocks) - 1 else None
            x, key_value = block(x, visible, past_key_values[index] if past_key_values else None, wanted)
            key_values.append(key_value)
        return Output(self.norm(x), tuple(key_values))

    @property
    def context(self) -> int:
        """How many positions a text may take."""
        return self.config.context

    def logits(self, hidden: Tensor, output: Tensor | None = None) -> Tensor:
        """Scores of every token as the next one, a product with the embedding: (..., D) -> (..., V).

        `output` (V, D) stands in for the embedding: the two ends of the tied pair, apart.
        """
        return self.before_decoder(hidden) @ (self.token_embedding.weight if output is None else output).T

    def before_decoder(self, hidden: Tensor) -> Tensor:
        """What is multiplied with each word's vector, here the hidden state itself: (..., D) -> (..., D)."""
        return hidden

    def pool(self, hidden: Tensor) -> Tensor:
        """What a classifier head reads of the position's hidden state, here all of it: (B, D) -> (B, D)."""
        return hidden

    def loss(self, batch: dict[str, Tensor]) -> Tensor:
        """Mean cross-entropy of each next token: `input_ids` (B, T), `attention_mask` (B, T) or None -> ()."""
        ids, mask = batch["input_ids"], batch.get("attention_mask")
        hidden = self(ids, attention_mask=mask).hidden[:, :-1]  # the last position has no next token
        target = ids[:, 1:]
        if mask is not None:
            target = target.masked_fill(mask[:, 1:] == 0, -100)
        return F.cross_entropy(self.logits(hidden).flatten(0, 1), target.flatten())

    def extra_repr(self) -> str:
        return f"parameters={sum(p.numel() for p in self.parameters()):,}"


def gpt_parameters(config: GPTConfig) -> int:
    """V D + C D + L (4 D^2 + 2 D I + 9 D + I) + 2 D: embeddings, positions (C the context), blocks, last norm."""
    v, c, d, i = config.vocab_size, config.context, config.width, config.inner
    return v * d + c * d + config.layers * (4 * d * d + 2 * d * i + 9 * d + i) + 2 * d
