"""A writer: a tuned GPT that reads a question and writes the answer."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor, nn

from minitune.data.examples import Example
from minitune.data.tokenizers import Tokenizer
from minitune.errors import UserError
from minitune.models.generate import generate
from minitune.models.gpt import GPT
from minitune.predictors.classifier import check_placeholders
from minitune.predictors.predictor import inputs_of, label_log_chance, over, padded
from minitune.prompting.template import Rendered, Template
from minitune.readout.losses import cross_entropy
from minitune.training.loop import Batch, evaluation
from minitune.tuning.doors import Prefix, Tuned

ANSWER_ROOM = 32  # tokens that an answer may take


@dataclass(frozen=True)
class Writing:
    """A question and its answer; `facts` are what the answer must tell, for scoring."""

    text: str
    answer: str = ""
    facts: tuple[tuple[str, str], ...] = ()  # (slot, value)


class Item(NamedTuple):
    rendered: Rendered
    start: int  # where the answer begins
    example: Writing


class Writer(nn.Module):
    """Writes what comes after a question.

    Args:
        template: how the question is put; it needs {text} and no blank.
        score: what a written answer is worth, from 0 to 1.

    Raises:
        UserError: the model is no GPT.
    """

    reads_words = True
    kept_by_loss = False

    def __init__(
        self,
        model: GPT | Tuned,
        tokenizer: Tokenizer,
        template: Template,
        score: Callable[[str, Writing], float],
    ):
        super().__init__()
        if model.kind != "gpt":
            raise UserError(f"a {model.kind} fills blanks and writes no text; take a GPT")
        check_placeholders(model, template)
        if prefix_of(model) and not model.door.shift:
            raise UserError("a writer counts positions on from the prefix; let it shift them (shift=true)")
        self.model, self.tokenizer, self.template, self.score = model, tokenizer, template, score

    def loss(self, batch: Batch) -> Tensor:
        """Mean cross-entropy of the answers' tokens, the end among them."""
        hidden = self.model(**inputs_of(batch, "gpt")).hidden  # (B, T, D)
        answered = batch["label"] != -100  # (B, T)
        return cross_entropy(self.model.logits(hidden[answered]), batch["label"][answered])

    def log_chance(self, batch: Batch) -> Tensor:
        """Of the whole answer, its end among it: (B,)."""
        return label_log_chance(self.logits(batch), batch["label"])

    def logits(self, batch: Batch) -> Tensor:
        """Of every word behind every token: (B, T) -> (B, T, V)."""
        return self.model.logits(self.model(**inputs_of(batch, "gpt")).hidden)

    def items(self, examples: Sequence[Writing]) -> list[Item]:
        return [self.item(example) for example in examples]

    def render(self, examples: Sequence[Writing]) -> list[Rendered]:
        """The questions, which are cut where they leave an answer no room."""
        return [self.question(example.text) for example in examples]

    def question(self, text: str) -> Rendered:
        return self.template.render(Example(text), self.tokenizer, self.model.context - ANSWER_ROOM)

    def item(self, example: Writing) -> Item:
        rendered = self.question(example.text)
        start = len(rendered.ids)
        answer = self.tokenizer.encode(example.answer)[: ANSWER_ROOM - 1]
        rendered.add([*answer, self.tokenizer.end_id], "answer")
        return Item(rendered, start, example)

    def collate(self, items: Sequence[Item]) -> Batch:
        """`label` (B, T) is the next token where that is part of the answer, elsewhere -100."""
        batch = padded([item.rendered for item in items], self.tokenizer.pad_id)
        label = torch.full_like(batch["input_ids"], -100)
        for row, item in enumerate(items):
            label[row, item.start - 1 : len(item.rendered.ids) - 1] = torch.tensor(item.rendered.ids[item.start :])
        return batch | {"label": label}

    def measure(self, items: Sequence[Item]) -> dict[str, float]:
        """The mean score of what is written, and the loss of the right answers."""
        written = self.write([item.example for item in items])
        scores = [self.score(text, item.example) for text, item in zip(written, items, strict=True)]
        losses = over(self, items, lambda batch: self.loss(batch).expand(len(batch["label"])))
        return {"score": sum(scores) / len(scores), "loss": losses.mean().item()}

    def write(self, examples: Sequence[Writing], batch_size: int = 64) -> list[str]:
        """The likeliest continuation of each question, up to the end of text."""
        return [self.tokenizer.decode(row) for row in self.tokens(examples, batch_size)]

    def tokens(self, examples: Sequence[Writing], batch_size: int = 64) -> list[list[int]]:
        """The same as token ids, without the end; one of `ANSWER_ROOM` tokens has come to no end."""
        model, past = self.model, None
        if prefix := prefix_of(model):
            with evaluation(self):
                model, past = model.model, prefix.past()
        written = []
        for start in range(0, len(examples), batch_size):
            prompts = [self.question(example.text).ids for example in examples[start : start + batch_size]]
            with evaluation(self):
                written += generate(model, prompts, ANSWER_ROOM, stop_id=self.tokenizer.end_id, past_key_values=past)
        return written

    answers = write


def prefix_of(model: GPT | Tuned) -> Prefix | None:
    return model.door if isinstance(model, Tuned) and isinstance(model.door, Prefix) else None
