r"""How a method stands before a model without touching it.

A door is a place where a model takes in something besides a text's ids; a method stands at one of them:

    SoftPrompt   ids -> embeddings, with learned vectors at the placeholder tokens     door: `inputs_embeds`
    Prefix       learned keys and values before the text, in every layer               door: `past_key_values`

What is learned comes from a `source`, any module that returns it when called: a plain table (`Learned`), or a small
network that writes the table while training and is folded into one afterwards (`fold`). The third door, a linear
layer that is wrapped by name, needs nothing of this module: see `lora.py`.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from minitune.errors import UserError
from minitune.models.attention import KeyValue
from minitune.models.build import Model, ModelConfig
from minitune.models.common import Output

Inputs = dict[str, Tensor]


class Learned(nn.Module):
    """A table that is learned as it stands: () -> table."""

    def __init__(self, table: Tensor):
        super().__init__()
        self.table = nn.Parameter(table.detach().clone())

    def forward(self) -> Tensor:
        return self.table


def check_room(length: int, model: Model) -> None:
    """See that a prompt or prefix of this length is shorter than the model's context.

    Raises:
        UserError: it leaves no room for a text.
    """
    if length >= model.context:
        raise UserError(
            f"a prompt of {length} leaves no room for a text: the model's context is {model.context}; "
            "take a shorter one"
        )


class SoftPrompt(nn.Module):
    """Swaps learned vectors in where a template wrote placeholders; nothing else moves.

    Args:
        source: () -> (P, D), the vectors in the order of the placeholders.
        placeholder: the id of the placeholder token.
    """

    positions = 0  # the template has given the vectors places in the text: no more are taken

    def __init__(self, source: nn.Module, placeholder: int):
        super().__init__()
        self.source, self.placeholder = source, placeholder

    def forward(self, model: Model, inputs: Inputs) -> Inputs:
        """`input_ids` (B, T) with P placeholders a row become `inputs_embeds` (B, T, D).

        Raises:
            ValueError: a row has another number of placeholders than there are vectors. (None at all, in every
                row, is let pass: such are the later steps of cached generation.)
        """
        ids = inputs.pop("input_ids")
        is_soft = ids == self.placeholder  # (B, T)
        embeds = model.token_embedding(ids)  # (B, T) -> (B, T, D)
        if is_soft.any():
            vectors = self.source()  # (P, D)
            counts = is_soft.sum(dim=1)
            if (counts != len(vectors)).any():
                raise ValueError(
                    f"the rows have {sorted(set(counts.tolist()))} placeholders and the prompt has {len(vectors)} "
                    "vectors: write one placeholder for each"
                )
            which = (is_soft.cumsum(dim=1) - 1).clamp(min=0)  # (B, T): 0 at the first placeholder, 1 at the second
            embeds = torch.where(is_soft[..., None], vectors[which], embeds)
        return {**inputs, "inputs_embeds": embeds}


class Prefix(nn.Module):
    """Puts learned keys and values before the text, in every layer.

    Args:
        source: () -> (P, 2 L D): for each layer its key, then its value, each D = H x D/H wide.
        shift: the text's positions start after the prefix, as after any past; without it they start at 0.
        dropout: of single keys' and values' numbers, in training.
    """

    def __init__(self, source: nn.Module, config: ModelConfig, shift: bool = True, dropout: float = 0.0):
        super().__init__()
        self.source, self.shift = source, shift
        self.layers, self.heads = config.layers, config.heads
        self.dropout = nn.Dropout(dropout)
        with torch.no_grad():
            self.length = len(source())
        self.positions = self.length if shift else 0

    def past(self, rows: int = 1) -> tuple[KeyValue, ...]:
        """For each layer a key and a value, each (B, H, P, D/H)."""
        table = self.source()  # (P, 2 L D)
        parts = table.view(self.length, self.layers, 2, self.heads, -1)  # (P, L, 2, H, D/H)
        parts = parts.permute(1, 2, 3, 0, 4)[:, :, None]  # (L, 2, 1, H, P, D/H)
        parts = self.dropout(parts.expand(-1, -1, rows, -1, -1, -1))  # (L, 2, B, H, P, D/H)
        return tuple((layer[0], layer[1]) for layer in parts)

    def forward(self, model: Model, inputs: Inputs) -> Inputs:
        """Adds `past_key_values`, and ones for them to the mask: (B, T) -> (B, P + T).

        Raises:
            ValueError: there is a past already.
        """
        if inputs.get("past_key_values") is not None:
            raise ValueError(
                "a prefix cannot stand before another past: to generate with a cache, take the model itself and start "
                "from the prefix, generate(tuned.model, prompts, past_key_values=tuned.door.past())"
            )
        ids = inputs["input_ids"]
        mask = inputs.get("attention_mask")
        if mask is not None:
            inputs["attention_mask"] = torch.cat([mask.new_ones(len(ids), self.length), mask], dim=1)
        positions = inputs.get("position_ids")  # counted from the text's own start
        if self.shift and positions is not None:
            inputs["position_ids"] = positions + self.length
        if not self.shift and positions is None:
            inputs["position_ids"] = torch.arange(ids.shape[1], device=ids.device)[None]
        return {**inputs, "past_key_values": self.past(len(ids))}


class Tuned(nn.Module):
    """A model with something at its door: it is called, and read, as the model itself.

    Any number of them may share one model; each is swapped for another by using the other.
    """

    def __init__(self, model: Model, door: SoftPrompt | Prefix):
        super().__init__()
        self.model, self.door = model, door
        self.kind, self.config = model.kind, model.config
        self.context = model.context - door.positions
        self.training = model.training  # a new part is in training mode: its dropout would be on in an eval model
        door.train(model.training)

    def forward(self, input_ids: Tensor, **inputs: Tensor) -> Output:
        """(B, T) -> hidden (B, T, D), of the text alone; the rest as the model takes it."""
        return self.model(**self.door(self.model, {"input_ids": input_ids, **inputs}))

    def logits(self, hidden: Tensor) -> Tensor:
        return self.model.logits(hidden)

    def before_decoder(self, hidden: Tensor) -> Tensor:
        return self.model.before_decoder(hidden)

    def pool(self, hidden: Tensor) -> Tensor:
        return self.model.pool(hidden)


@torch.no_grad()
def fold(tuned: Tuned) -> Tuned:
    """Keep what the source says in eval mode and drop the network that says it, in place: the same logits there, bit
    for bit."""
    source = tuned.door.source
    mode = source.training
    tuned.door.source = Learned(source.eval()()).train(mode)
    return tuned
