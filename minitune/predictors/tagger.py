"""A tagger: a tuned model, a template, and a head that reads every word of the text by itself."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass, field
from itertools import accumulate
from typing import NamedTuple

import torch
from torch import Tensor, nn

from minitune.data.examples import Example
from minitune.data.tokenizers import Tokenizer
from minitune.errors import UserError
from minitune.models.build import Model
from minitune.predictors.classifier import check_placeholders
from minitune.predictors.predictor import inputs_of, label_log_chance, over, padded
from minitune.predictors.spans import span_f1
from minitune.prompting.template import Rendered, Template
from minitune.readout.head import TokenHead
from minitune.readout.losses import cross_entropy
from minitune.training.loop import Batch
from minitune.tuning.doors import Tuned

OUTSIDE = 0  # the class of words that are none of the things looked for
UNREAD = -100  # the label of tokens that have none
NO_TAG = "-"  # stands for the tag of a word that was not read


@dataclass(frozen=True)
class TaggedWords:
    words: tuple[str, ...]
    tags: tuple[int, ...]  # the place of each word's tag among the labels
    where: str = field(default="", compare=False)  # the file that it comes from, and its place there


class Item(NamedTuple):
    rendered: Rendered
    labels: list[int]  # of each token: a word's tag at its first token, elsewhere UNREAD
    is_read: list[bool]  # of each word: whether its first token is among them


def word_f1(given: Sequence[Sequence[int]], right: Sequence[Sequence[int]], labels: Sequence[str]) -> float:
    """F1 of the words that are something: of all tags given to words, and of all that should have been."""
    pairs = [pair for tags, its in zip(given, right, strict=True) for pair in zip(tags, its, strict=True)]
    hits = sum(tag == its != OUTSIDE for tag, its in pairs)
    named = sum((tag != OUTSIDE) + (its != OUTSIDE) for tag, its in pairs)
    return 2 * hits / max(1, named)


F1 = {"f1": word_f1, "span f1": span_f1}  # of words, or of the things that neighbouring words name together


class Tagger(nn.Module):
    """Scores the tags of words. A word of several tokens is read at its first.

    Args:
        template: with {text}, where the words stand; placeholders for a soft prompt may stand around it.
        labels: the tags' names; the first is that of words outside.
        metric: what is measured, one of `F1`.

    Raises:
        UserError: the template has no {text}, or several.
    """

    reads_words = False
    kept_by_loss = False

    def __init__(
        self,
        model: Model | Tuned,
        tokenizer: Tokenizer,
        template: Template,
        readout: TokenHead,
        labels: Sequence[str],
        metric: str = "f1",
    ):
        super().__init__()
        check_placeholders(model, template)
        if sum(part.kind == "text" for part in template.parts) != 1:
            raise UserError(f"the template {str(template)!r} must show the words once: write {{text}} in one place")
        self.metric = metric
        self.model, self.readout = model, readout
        self.tokenizer, self.template, self.labels = tokenizer, template, tuple(labels)

    def forward(self, batch: Batch) -> Tensor:
        """Tag scores: (B, T) -> (B, T, C)."""
        return self.readout(self.model(**inputs_of(batch, self.model.kind)).hidden)

    def loss(self, batch: Batch) -> Tensor:
        return cross_entropy(self(batch).flatten(0, 1), batch["label"].flatten())

    def log_chance(self, batch: Batch) -> Tensor:
        """Of all tags of a text together: (B,)."""
        return label_log_chance(self(batch), batch["label"])

    def render(self, examples: Sequence[TaggedWords]) -> list[Rendered]:
        return [item.rendered for item in self.items(examples)]

    def items(self, examples: Sequence[TaggedWords]) -> list[Item]:
        return [self.item(example) for example in examples]

    def item(self, example: TaggedWords) -> Item:
        counts = [len(self.tokenizer.encode(word)) for word in example.words]  # BERT reads nothing of a lone accent
        text = " ".join(word for word, count in zip(example.words, counts, strict=True) if count)
        rendered = self.template.render(Example(text), self.tokenizer, self.model.context)
        of_words = []
        for tag, count in zip(example.tags, counts, strict=True):
            of_words += ([tag] + [UNREAD] * (count - 1))[:count]
        remaining = iter(of_words)
        labels = [next(remaining) if part == "text" else UNREAD for part in rendered.origin]
        kept = rendered.origin.count("text")  # tokens; what was cut stood at the end
        starts = accumulate(counts, initial=0)
        return Item(
            rendered, labels, [count > 0 and start < kept for count, start in zip(counts, starts, strict=False)]
        )

    def reading(self) -> Hashable:
        """All that `items` depends on besides the examples and the tokenizer."""
        return self.template, self.model.context

    def collate(self, items: Sequence[Item]) -> Batch:
        batch = padded([item.rendered for item in items], self.tokenizer.pad_id)
        width = batch["input_ids"].shape[1]
        batch["label"] = torch.tensor([item.labels + [UNREAD] * (width - len(item.labels)) for item in items])
        return batch

    def predictions(self, items: Sequence[Item]) -> list[list[int]]:
        """The likeliest tag of each word that was read."""
        widest = max(len(item.labels) for item in items)

        def tags(batch: Batch) -> Tensor:
            best = self(batch).argmax(dim=-1)  # (B, T, C) -> (B, T)
            return nn.functional.pad(best, (0, widest - best.shape[1]))

        chosen = over(self, items, tags).tolist()
        return [
            [tag for tag, label in zip(row, item.labels, strict=False) if label != UNREAD]
            for row, item in zip(chosen, items, strict=True)
        ]

    def measure(self, items: Sequence[Item]) -> dict[str, float]:
        """F1 of the words, or the spans, that are something, and the loss. What is cut off a text does not count."""
        right = [[label for label in item.labels if label != UNREAD] for item in items]
        losses = over(self, items, lambda batch: self.loss(batch).expand(len(batch["label"])))
        score = F1[self.metric](self.predictions(items), right, self.labels)
        return {self.metric: score, "loss": losses.mean().item()}

    def place_of(self, tag: str) -> int:
        """A tag's place among the labels; that of a word which was not read does not matter."""
        return OUTSIDE if tag == NO_TAG else self.labels.index(tag)

    def tags(self, examples: Sequence[TaggedWords]) -> list[list[str]]:
        """Each word's tag. A word that was not read has none, `NO_TAG`: it stands behind the cut of a text that passes
        the context, or no token is left of it (BERT reads nothing of a lone accent)."""
        items = self.items(examples)
        given = [iter(row) for row in self.predictions(items)]
        return [
            [self.labels[next(tags)] if is_read else NO_TAG for is_read in item.is_read]
            for item, tags in zip(items, given, strict=True)
        ]

    def answers(self, examples: Sequence[TaggedWords]) -> list[str]:
        """Each text's tags, as many as it has words, separated by spaces."""
        return [" ".join(tags) for tags in self.tags(examples)]
