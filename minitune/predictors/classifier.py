"""A classifier is the answers to the three questions, joined: a tuned model, a template, a read-out."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from typing import NamedTuple

import torch
from torch import Tensor, nn

from minitune.data.examples import Example
from minitune.data.tokenizers import Tokenizer
from minitune.errors import UserError
from minitune.models.build import Model
from minitune.predictors.predictor import inputs_of, over, padded
from minitune.prompting.slots import TEXT_SLOTS
from minitune.prompting.template import Rendered, Template
from minitune.readout.calibrated import CONTENT_FREE, Calibrated
from minitune.readout.face import ReadOut
from minitune.training.checkpoint import fingerprint
from minitune.training.loop import Batch
from minitune.tuning.doors import SoftPrompt, Tuned
from minitune.tuning.freezing import Untied


class Item(NamedTuple):
    """An example as a batch takes it: rendered, or already read by a model that will not change."""

    rendered: Rendered
    label: float | tuple[float, ...]  # of soft labels a probability for each class
    hidden: Tensor | None = None  # (D,) or (K, L, D), where the read-out reads
    variations: tuple[Rendered, ...] = ()  # K, each with something else in the blank; then they are what is read


class Classifier(nn.Module):
    """Scores the classes of examples.

    Args:
        model: a GPT or a BERT, with whatever a method put into it or before it.
        template: how the question is asked.
        readout: how the answer is read; it says where: at the "text", at the "blank", or at the "blanks" of several
            variations of the question.
        labels: the classes' names, in the order of the scores; not needed for scoring.
    """

    kept_by_loss = False

    def __init__(
        self,
        model: Model | Tuned | Untied,
        tokenizer: Tokenizer,
        template: Template,
        readout: ReadOut,
        labels: Sequence[str] = (),
    ):
        super().__init__()
        template.check(model.kind, needs_blank=readout.reads != "text")
        check_placeholders(model, template)
        self.model, self.readout = model, readout
        self.tokenizer, self.template, self.labels = tokenizer, template, tuple(labels)

    @property
    def reads_words(self) -> bool:
        return self.readout.reads_words

    def forward(self, batch: Batch) -> Tensor:
        """Class scores: a batch of `collate` -> (B, C)."""
        return self.readout(self.read(batch), self.model)

    def read(self, batch: Batch) -> Tensor:
        """The hidden state at the place where the answer is read: (B, D); at "blanks" (B, K, L, D)."""
        return read_by(self, batch)

    def loss(self, batch: Batch) -> Tensor:
        hidden, label = self.read(batch), batch["label"]
        loss = self.readout.loss(self.readout(hidden, self.model), label)
        if hasattr(self.readout, "between"):
            loss = loss + self.readout.between(hidden, label)
        return loss

    def log_chance(self, batch: Batch) -> Tensor:
        return self(batch).log_softmax(dim=-1).gather(1, batch["label"][:, None])[:, 0]  # (B, C) -> (B,)

    def calibrate(self) -> None:
        """Measure what a calibrated read-out takes off: once everything else has been trained and chosen."""
        if isinstance(self.readout, Calibrated):
            hidden = over(self, unread(self, content_free(self.template, self.tokenizer)), self.read)
            self.readout.calibrate(hidden, self.model)

    # ---- many examples ----

    def render(self, examples: Sequence[Example]) -> list[Rendered]:
        return [item.rendered for item in unread(self, examples)]

    def items(self, examples: Sequence[Example]) -> list[Item]:
        """What batches are made of. A frozen model reads each example once, here, and never again in training."""
        return read_once(self, unread(self, examples))

    def reading(self) -> Hashable:
        """All that `items` depends on besides the examples and the tokenizer: with equal readings, equal items."""
        return reading_of(self)

    def collate(self, items: Sequence[Item]) -> Batch:
        return collate_items(items, self.tokenizer)

    def scores(self, examples: Sequence[Example], batch_size: int = 128) -> Tensor:
        """Class scores of many examples, in their order: (N, C), on the CPU."""
        return over(self, unread(self, examples), self, batch_size).float().cpu()

    def accuracy(self, examples: Sequence[Example]) -> float:
        labels = torch.tensor([example.label for example in examples])
        return rightness(self.scores(examples), labels).mean().item()

    def measure(self, items: Sequence[Item]) -> dict[str, float]:
        """Accuracy, mean loss, and the share of the commonest answer. Where a class has more items than another, the
        mean accuracy of the classes too: a constant answer may have an accuracy of 0.8, and has 1 / C there."""
        return self.measure_and_answer(items)[0]

    def measure_and_answer(self, items: Sequence[Item]) -> tuple[dict[str, float], list[int]]:
        """What `measure` says, and the place of each item's class among the labels, of one run of the model."""
        scores, labels = over(self, items, self).float().cpu(), torch.tensor([item.label for item in items])
        measured = class_measures(scores, labels) | {"loss": self.readout.loss(scores, labels).item()}
        return measured, scores.argmax(dim=1).tolist()

    def answers(self, examples: Sequence[Example]) -> list[str]:
        """The name of each example's class."""
        return [self.labels[best] for best in self.scores(examples).argmax(dim=1).tolist()]


def class_measures(scores: Tensor, labels: Tensor) -> dict[str, float]:
    """What scores (N, C) of classes are worth, without their loss; see `Classifier.measure`."""
    best, right = scores.argmax(dim=1), rightness(scores, labels)
    measured = {"accuracy": right.mean().item(), "largest share": best.bincount().max().item() / len(labels)}
    present, counts = labels.unique(return_counts=True)
    if len(counts.unique()) > 1:
        of_classes = torch.stack([right[labels == label].mean() for label in present])
        measured["balanced accuracy"] = of_classes.mean().item()
    return measured


def rightness(scores: Tensor, labels: Tensor) -> Tensor:
    """How right each answer is: 1 or 0, and 1 / k where the right class ties with k - 1 others: (N, C), (N,) -> (N,).

    A model that cannot tell the classes apart so has 1 / C. By argmax it would have the share of the first class.
    """
    best = scores == scores.amax(dim=1, keepdim=True)  # (N, C)
    return best.gather(1, labels[:, None])[:, 0].double() / best.sum(dim=1)


def content_free(template: Template, tokenizer: Tokenizer) -> list[Example]:
    """Questions about nothing; the empty one is left out where a GPT would have no token to read."""
    has_more = tokenizer.kind == "bert" or any(part.kind not in TEXT_SLOTS for part in template.parts)
    return [Example(text, text) for text in CONTENT_FREE if text or has_more]


# ---- what a classifier and a regressor do alike ----


def read_by(predictor: nn.Module, batch: Batch) -> Tensor:
    """The hidden state at the place where the answer is read: (B, D); at "blanks" (B, K, L, D)."""
    if "hidden" in batch:
        return batch["hidden"]
    model, readout = predictor.model, predictor.readout
    if readout.reads == "blanks":
        places = batch["blanks"]  # (B, K, L)
        hidden = model(**inputs_of(batch, model.kind), read=places.flatten(0, 1)).hidden  # (B K, T) -> (B K, L, D)
        return hidden.unflatten(0, places.shape[:2])
    place = batch["blank"] if readout.reads == "blank" else batch["text_end"]  # (B,)
    return model(**inputs_of(batch, model.kind), read=place[:, None]).hidden[:, 0]  # (B, 1, D) -> (B, D)


def unread(predictor: nn.Module, examples: Sequence[Example]) -> list[Item]:
    template, tokenizer, context = predictor.template, predictor.tokenizer, predictor.model.context
    fills = predictor.readout.fills if predictor.readout.reads == "blanks" else ()
    return [
        Item(
            template.render(example, tokenizer, context),
            example.label,
            variations=tuple(template.render(example, tokenizer, context, fill) for fill in fills),
        )
        for example in examples
    ]


def reading_of(predictor: nn.Module) -> Hashable:
    """The template, its room and its fills; of a model that will not change also where it is read, and its weights."""
    model, readout = predictor.model, predictor.readout
    fills = tuple(map(tuple, readout.fills)) if readout.reads == "blanks" else ()
    is_frozen = not any(parameter.requires_grad for parameter in model.parameters())
    read = (readout.reads, fingerprint(model)) if is_frozen else None
    return predictor.template, model.context, fills, read


def read_once(predictor: nn.Module, items: Sequence[Item]) -> Sequence[Item]:
    """The same items; of a model that will not change with the hidden states, so that it need not run again."""
    if not items or any(parameter.requires_grad for parameter in predictor.model.parameters()):
        return items
    hidden = over(predictor, items, lambda batch: read_by(predictor, batch))
    return [item._replace(hidden=row) for item, row in zip(items, hidden, strict=True)]


def collate_items(items: Sequence[Item], tokenizer: Tokenizer) -> Batch:
    labels = [item.label for item in items]
    if items[0].hidden is not None:
        return {"hidden": torch.stack([item.hidden for item in items]), "label": torch.tensor(labels)}
    if items[0].variations:
        return collate_variations([item.variations for item in items], labels, tokenizer)
    return collate([item.rendered for item in items], labels, tokenizer)


def check_placeholders(model: nn.Module, template: Template) -> None:
    """Raises:
    UserError: the model has a soft prompt, and the template no placeholders for it, or not as many.
    """
    length = 0
    if isinstance(model, Tuned) and isinstance(model.door, SoftPrompt):
        with torch.no_grad():
            length = len(model.door.source())
    found = template.count("soft")
    if length and not found:
        raise UserError(
            f"the template {str(template)!r} has no placeholder for a soft prompt of {length}: write "
            f"{{soft:{length}}} where it shall stand"
        )
    if length and found != length:
        raise UserError(
            f"the template {str(template)!r} has {found} placeholders and the soft prompt {length} vectors: write as "
            "many as there are"
        )


def collate(rendered: Sequence[Rendered], labels: Sequence[float], tokenizer: Tokenizer) -> Batch:
    """Padded inputs, and `blank`, `text_end`, `label` (B,).

    `text_end` is where a head reads: [CLS] for BERT, the last real token for GPT. `blank` is the first blank.
    """
    is_gpt = tokenizer.kind == "gpt"
    return padded(rendered, tokenizer.pad_id) | {
        "blank": torch.tensor([r.blanks[0] if r.blanks else 0 for r in rendered]),
        "text_end": torch.tensor([len(r.ids) - 1 if is_gpt else 0 for r in rendered]),
        "label": torch.tensor(labels),
    }


def collate_variations(
    variations: Sequence[Sequence[Rendered]], labels: Sequence[float], tokenizer: Tokenizer
) -> Batch:
    """Padded inputs of B K rows, an example's K variations one after the other; `blanks` (B, K, L), `label` (B,).

    Where a variation has fewer than L blanks, its last one stands for the rest.
    """
    rows = [rendered for of_example in variations for rendered in of_example]
    length = max(len(rendered.blanks) for rendered in rows)  # L
    places = [rendered.blanks + rendered.blanks[-1:] * (length - len(rendered.blanks)) for rendered in rows]
    return padded(rows, tokenizer.pad_id) | {
        "blanks": torch.tensor(places).unflatten(0, (len(variations), -1)),  # (B K, L) -> (B, K, L)
        "label": torch.tensor(labels),
    }
