r"""The loss of a frozen classifier as a function of its trigger: what AutoPrompt searches.

The examples are made into ids once, with placeholders where the trigger stands. For N triggers and B examples, N B
texts are read, some hundred at once: texts of like length together, each at the one place where the answer is read. To
a GPT the N texts of an example are the same up to the trigger, so what stands before it is read once for all of them.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from minitune.models.build import Model
from minitune.models.cache import KeyValue

AT_ONCE = 128  # texts in a forward pass: with more, what a layer makes of them no longer fits into the cache


class ModelTriggerLoss:
    """A `TriggerLoss` of B examples, each asked in K texts: one, but for read-outs that read several "blanks".

    Args:
        model: frozen.
        readout: hidden (B, D), at "blanks" (B, K, L, D), and model -> scores (B, C); its `loss` is the mean over scores
            and labels.
        inputs: `input_ids` (B K, T) with placeholders, and `attention_mask` and what else the model takes, padded on
            the right; the K texts of an example one after another.
        place: where each text is read: (B K, L).
        label: (B,)
        trigger_id: the placeholder, which stands P times in every text.
    """

    def __init__(
        self,
        model: Model,
        readout: nn.Module,
        inputs: Mapping[str, Tensor],
        place: Tensor,
        label: Tensor,
        trigger_id: int,
    ):
        self.model, self.readout, self.inputs = model, readout, dict(inputs)
        self.place, self.label = place, label
        self.labels = label.tolist()
        self.embedding = model.token_embedding.weight.detach().cpu()
        self.lengths = self.inputs["attention_mask"].sum(dim=1)  # (B K,)
        self.many = len(place) // len(label)  # K
        where = self.inputs["input_ids"] == trigger_id  # (B K, T)
        self.slots = where.nonzero()[:, 1].unflatten(0, (len(place), -1))  # (B K, P)

    def part(self, rows: Tensor) -> tuple[dict[str, Tensor], Tensor, Tensor]:
        """The texts of some examples, no wider than the longest of them: inputs, slots (B K, P), places (B K, L)."""
        texts = (rows[:, None] * self.many + torch.arange(self.many, device=rows.device)).flatten()  # (B,) -> (B K,)
        width = int(self.lengths[texts].max())
        inputs = {name: tensor[texts, :width] for name, tensor in self.inputs.items()}
        return inputs, self.slots[texts], self.place[texts]

    def read(self, inputs: Mapping[str, Tensor], place: Tensor) -> Tensor:
        """The scores of the classes: (B K, T), (B K, L) -> (B, C)."""
        hidden = self.model(**inputs, read=place).hidden  # (B K, L, D)
        hidden = hidden.unflatten(0, (-1, self.many)) if self.readout.reads == "blanks" else hidden[:, 0]
        return self.readout(hidden, self.model)

    def gradient_of(self, trigger: Tensor, rows: Tensor) -> Tensor:
        """(P,), (B,) -> (P, D), through the embeddings that go in.

        The gradient of the embedding table would not do: it is the output layer, too, and has a share of its own there.
        """
        rows = rows.to(self.place.device)
        inputs, slots, place = self.part(rows)
        table, ids = self.model.token_embedding.weight.detach(), inputs.pop("input_ids")
        chosen = table[trigger.to(ids.device)].requires_grad_(True)  # (P, D), one for all examples
        with torch.enable_grad():
            where = slots[:, :, None].expand(-1, -1, chosen.shape[1])  # (B K, P, D)
            embeds = table[ids].scatter(1, where, chosen.expand(len(ids), -1, -1))  # (B K, T, D)
            loss = self.readout.loss(self.read(inputs | {"inputs_embeds": embeds}, place), self.label[rows])
        return torch.autograd.grad(loss, chosen)[0].cpu()

    @torch.no_grad()
    def loss_of(self, triggers: Tensor, rows: Tensor) -> Tensor:
        """(N, P), (B,) -> (N,)"""
        rows, triggers = rows.to(self.place.device), triggers.to(self.place.device)
        longest = self.lengths.unflatten(0, (-1, self.many)).amax(dim=1)  # (B,)
        rows = rows[longest[rows].argsort(stable=True)]
        groups = rows.split(max(1, AT_ONCE // (len(triggers) * self.many)))
        scores = [self.scores(triggers, group) for group in groups]
        each = torch.cat(scores, dim=1)  # (N, B, C)
        return torch.stack([self.readout.loss(its, self.label[rows]) for its in each]).cpu()  # (N,)

    def scores(self, triggers: Tensor, rows: Tensor) -> Tensor:
        """Every example with every trigger, in one forward pass: (N, P), (B,) -> (N, B, C)."""
        inputs, slots, place = self.part(rows)
        past = None
        if self.model.kind == "gpt" and (slots[:, 0] > 0).all():
            past, inputs = read_up_to(self.model, inputs, slots[:, 0])
            slots, place = slots - slots[:, :1], place - slots[:, :1]
        count = len(triggers)
        many = {name: tensor.repeat(count, 1) for name, tensor in inputs.items()}  # (B K, T) -> (N B K, T)
        each = triggers.repeat_interleave(len(slots), dim=0)  # (N, P) -> (N B K, P)
        many["input_ids"].scatter_(1, slots.repeat(count, 1), each)
        if past is not None:
            many["past_key_values"] = tuple((k.repeat(count, 1, 1, 1), v.repeat(count, 1, 1, 1)) for k, v in past)
        return self.read(many, place.repeat(count, 1)).unflatten(0, (count, len(rows)))


def read_up_to(
    model: Model, inputs: Mapping[str, Tensor], first: Tensor
) -> tuple[tuple[KeyValue, ...], dict[str, Tensor]]:
    """What a GPT has read before the places `first` (B,), and its inputs from there on.

    A shorter beginning is padded on the right, between it and what follows: the mask hides the gap, and positions are
    counted as if there were none.
    """
    ids, mask = inputs["input_ids"], inputs["attention_mask"]  # (B, T)
    start = torch.arange(int(first.max()), device=ids.device)  # (S,)
    before = mask[:, : len(start)] * (start < first[:, None])  # (B, S)
    nothing = torch.zeros_like(first)[:, None]  # of the last layer only keys and values are wanted
    past = model(input_ids=ids[:, : len(start)], attention_mask=before, read=nothing).past_key_values
    rest = int((mask.sum(dim=1) - first).max())
    places = first[:, None] + torch.arange(rest, device=ids.device)  # (B, R)
    inside = places.clamp(max=ids.shape[1] - 1)
    after = mask.gather(1, inside) * (places == inside)
    return past, {
        "input_ids": ids.gather(1, inside),
        "attention_mask": torch.cat([before, after], dim=1),  # (B, S + R)
        "position_ids": inside,
    }
