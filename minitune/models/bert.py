r"""BERT: read the whole text at once, and guess the words that were hidden.

    h_0 = LN(token[x] + position[t] + type[s])
    a   = LN(h + Attention(h))          each position sees every real one
    h   = LN(a + W_down gelu(W_up a))   L such blocks
    p(word at [MASK]) = softmax(LN(gelu(W_t h_L + b_t)) E^T + b)    E: (V, D), the token embedding: tied
    p(second text follows the first) = softmax(W_n tanh(W_p h_L[CLS] + b_p) + b_n)

Devlin et al. 2019, "BERT", sections 3 and 3.1 (arXiv 1810.04805): post-LN, erf GELU, token types, a tanh
pooler at [CLS], a transform with its own LN before the tied output, and a bias after it.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from minitune.models.attention import FeedForward, SelfAttention, at_places, dropout_of, visible_keys
from minitune.models.cache import KeyValue
from minitune.models.common import Output, check_sizes, default_positions, draw_weights, one_of, past_length


@dataclass(frozen=True)
class BERTConfig:
    vocab_size: int
    layers: int = 2
    width: int = 128
    heads: int = 4
    inner: int = 512  # width of the feed-forward layer
    context: int = 128
    token_types: int = 2
    dropout: float = 0.0
    spread: float = 0.05  # standard deviation of the first weights; 0.02 suits a model of BERT-base's width
    norm_eps: float = 1e-12

    def __post_init__(self):
        check_sizes(self)


class BERTBlock(nn.Module):
    """Post-LN: change, add, normalize. (B, T, D) -> (B, T, D)."""

    def __init__(self, config: BERTConfig):
        super().__init__()
        self.attention = SelfAttention(config.width, config.heads, config.dropout)
        self.attention_norm = nn.LayerNorm(config.width, eps=config.norm_eps)
        self.mlp = FeedForward(config.width, config.inner, config.dropout, gelu="none")
        self.mlp_norm = nn.LayerNorm(config.width, eps=config.norm_eps)

    def forward(
        self, x: Tensor, visible: Tensor | None, past: KeyValue | None, read: Tensor | None = None
    ) -> tuple[Tensor, KeyValue]:
        """With `read` (B, R), only these positions are computed: -> (B, R, D)."""
        asking = x if read is None else at_places(x, read)
        change, key_value = self.attention(x, visible, past, asking)
        x = self.attention_norm(asking + change)
        return self.mlp_norm(x + self.mlp(x)), key_value


class BERT(nn.Module):
    kind = "bert"

    def __init__(self, config: BERTConfig):
        super().__init__()
        self.config = config
        self.token_embedding = nn.Embedding(config.vocab_size, config.width)
        self.position_embedding = nn.Embedding(config.context, config.width)
        self.type_embedding = nn.Embedding(config.token_types, config.width)
        self.embedding_norm = nn.LayerNorm(config.width, eps=config.norm_eps)
        self.dropout = dropout_of(config.dropout)
        self.blocks = nn.ModuleList(BERTBlock(config) for _ in range(config.layers))
        self.pooler = nn.Linear(config.width, config.width)
        self.next_sentence = nn.Linear(config.width, 2)
        self.transform = nn.Linear(config.width, config.width)
        self.transform_norm = nn.LayerNorm(config.width, eps=config.norm_eps)
        self.decoder_bias = nn.Parameter(torch.zeros(config.vocab_size))
        draw_weights(self, config.spread)

    def forward(
        self,
        input_ids: Tensor | None = None,
        *,
        inputs_embeds: Tensor | None = None,
        attention_mask: Tensor | None = None,
        token_type_ids: Tensor | None = None,
        position_ids: Tensor | None = None,
        past_key_values: tuple[KeyValue, ...] | None = None,
        read: Tensor | None = None,
    ) -> Output:
        """Run the model: (B, T) or (B, T, D) -> hidden (B, T, D) and every layer's keys and values.

        Args:
            input_ids: (B, T); or instead of it
            inputs_embeds: (B, T, D), what the token embedding would have given (no positions, types or norm in it).
            attention_mask: (B, P + T), 1 = real, 0 = padding; None = all real.
            token_type_ids: (B, T), 0 for the first text, 1 for the second; None = all 0.
            position_ids: (B, T); by default they count on from the past.
            past_key_values: for each layer a key and a value, each (B, H, P, D/H); every position sees them.
            read: (B, R), the positions that are wanted: hidden is (B, R, D), and the last layer leaves out the rest.

        Raises:
            UserError: past and text are longer than the context.
            ValueError: ids and embeddings both or neither; a mask or a past of another shape.
        """
        x = one_of(input_ids, inputs_embeds, self.token_embedding)  # (B, T, D)
        past = past_length(past_key_values, self.config.layers)
        if position_ids is None:
            position_ids = default_positions(x.shape[1], past, self.config.context, x.device)
        if token_type_ids is None:
            token_type_ids = torch.zeros_like(position_ids)
        visible = visible_keys(attention_mask, x.shape[1], past, causal=False, device=x.device)
        x = x + self.position_embedding(position_ids) + self.type_embedding(token_type_ids)
        x = self.dropout(self.embedding_norm(x))
        key_values = []
        for index, block in enumerate(self.blocks):
            wanted = read if index == len(self.blocks) - 1 else None
            x, key_value = block(x, visible, past_key_values[index] if past_key_values else None, wanted)
            key_values.append(key_value)
        return Output(x, tuple(key_values))

    @property
    def context(self) -> int:
        """How many positions a text may take."""
        return self.config.context

    def logits(self, hidden: Tensor, output: Tensor | None = None) -> Tensor:
        """Scores of every word at a position: (..., D) -> (..., V).

        `output` (V, D) stands in for the embedding: the two ends of the tied pair, apart.
        """
        changed = self.before_decoder(hidden)
        return changed @ (self.token_embedding.weight if output is None else output).T + self.decoder_bias

    def before_decoder(self, hidden: Tensor) -> Tensor:
        """What is multiplied with each word's vector, after the MLM transform: (..., D) -> (..., D)."""
        return self.transform_norm(F.gelu(self.transform(hidden)))

    def pool(self, hidden: Tensor) -> Tensor:
        """What a classifier head reads of [CLS]: (B, D) -> (B, D)."""
        return torch.tanh(self.pooler(hidden))

    def loss(self, batch: dict[str, Tensor]) -> Tensor:
        """Masked words plus next sentence, each a mean cross-entropy -> ().

        Batch: `input_ids`, `attention_mask`, `token_type_ids`, `labels` (B, T; -100 where nothing was hidden),
        `next_sentence` (B,; 0 = follows, 1 = does not), and optionally `position_ids` (B, T).
        """
        hidden = self(
            batch["input_ids"],
            attention_mask=batch["attention_mask"],
            token_type_ids=batch["token_type_ids"],
            position_ids=batch.get("position_ids"),
        ).hidden
        hidden_words = batch["labels"] != -100  # decode these alone: the output layer is half of the work
        words = F.cross_entropy(self.logits(hidden[hidden_words]), batch["labels"][hidden_words])
        follows = self.next_sentence(self.pool(hidden[:, 0]))  # (B, 2)
        return words + F.cross_entropy(follows, batch["next_sentence"])

    def extra_repr(self) -> str:
        return f"parameters={sum(p.numel() for p in self.parameters()):,}"


def bert_parameters(config: BERTConfig) -> int:
    """V D + C D + S D + 2 D + L (4 D^2 + 2 D I + 9 D + I) + D^2 + D + 2 D + 2 + D^2 + 3 D + V.

    Embeddings (C the context, S the token types) and their norm, blocks, pooler, next sentence,
    transform with its norm, decoder bias.
    """
    v, c, s, d, i = config.vocab_size, config.context, config.token_types, config.width, config.inner
    blocks = config.layers * (4 * d * d + 2 * d * i + 9 * d + i)
    return (v + c + s + 2) * d + blocks + (d * d + d) + (2 * d + 2) + (d * d + 3 * d) + v
