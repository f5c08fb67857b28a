"""A writer: a tuned GPT that reads a question and writes the answer.

The question and the answer are one row of tokens, and only the answer's, its end among them, are learned:

    place     0      1       2     3    4          5    6      7
    reads     human  :       find  ...  assistant  :    a      rose
    label     -100   -100    ...   -100 -100       a    rose   <end>        the next token, where that is the answer's

The question is cut as it will be when there is no answer yet, and the answer never: a model that never sees an end
never stops.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
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
from minitune.predictors.speaker import Speaker, prefix_of
from minitune.prompting.slots import TEXT_SLOTS
from minitune.prompting.template import Rendered, Template
from minitune.readout.losses import cross_entropy
from minitune.training.loop import Batch, evaluation
from minitune.tuning.doors import Tuned

ANSWER_ROOM = 32  # tokens that an answer may take, where nothing tells how long answers are


@dataclass(frozen=True)
class Writing:
    """A question of one text or two, and its answer; perhaps a turn of a conversation."""

    text: str
    answer: str = ""
    facts: tuple[tuple[str, str], ...] = ()  # (slot, value) that the answer must tell, for scoring
    text_b: str | None = None
    group: str = ""  # what kind of question it is, where that is known
    where: str = field(default="", compare=False)  # the file and the record that it comes from
    before: tuple[Writing, ...] = ()  # earlier turns, with their answers


class Item(NamedTuple):
    rendered: Rendered
    start: int  # where the answer begins
    example: Writing


class Writer(nn.Module):
    """Writes what comes after a question.

    Args:
        template: how the question is put; it needs {text} and no blank.
        score: what a written answer is worth, from 0 to 1.
        room: tokens that an answer may take, its end among them.
        metric: the score's name.

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
        room: int = ANSWER_ROOM,
        metric: str = "score",
    ):
        super().__init__()
        if model.kind != "gpt":
            raise UserError(f"a {model.kind} fills blanks and writes no text; take a GPT")
        check_placeholders(model, template)
        if prefix_of(model) and not model.door.shift:
            raise UserError("a writer counts positions on from the prefix; let it shift them (shift=true)")
        self.model, self.tokenizer, self.template = model, tokenizer, template
        self.score, self.room, self.metric = score, room, metric

    # ---- the question, and the answer behind it ----

    def question(self, example: Writing) -> Rendered:
        """As it is read before an answer is written: shortened where it leaves the answer no room. What is never cut
        may leave it less.

        Raises:
            UserError: what is never cut fills the context, and leaves not even the answer's end a place.
        """
        context = self.model.context
        alone = self.asked(example, context - 1)
        may_be_cut = {part.kind for part in self.template.parts if part.kind in TEXT_SLOTS and part.cut != "whole"}
        kept = sum(origin not in may_be_cut for origin in alone.origin)
        is_whole = any(part.cut == "whole" for part in self.template.parts)
        room = max(context - self.room, kept if is_whole else 0)
        if len(alone.ids) > room:
            alone = self.asked(example, room)
        return self.behind(example.before, alone, room)

    def asked(self, example: Writing, room: int) -> Rendered:
        """The question alone, in so many tokens."""
        return self.template.render(Example(example.text, example.text_b), self.tokenizer, room)

    def behind(self, before: Sequence[Writing], alone: Rendered, room: int) -> Rendered:
        """The question, and before it what was said: as many of the latest turns as there is room for."""
        said = []
        for turn in reversed(before):
            ids = self.said(turn)
            if len(ids) + len(said) + len(alone.ids) > room:
                break
            said = ids + said
        origin = ["before"] * len(said) + alone.origin
        return replace(alone, ids=said + alone.ids, types=[0] * len(said) + alone.types, blanks=[], origin=origin)

    def said(self, turn: Writing) -> list[int]:
        """An earlier turn: question, answer and end, without the placeholders of what is learned."""
        question = [i for i in self.asked(turn, self.model.context).ids if i != self.tokenizer.soft_id]
        return [*question, *self.tokenizer.encode(turn.answer.strip()), self.tokenizer.end_id]

    def item(self, example: Writing) -> Item:
        """Question and answer; only what does not fit beside this answer is cut of the question.

        Raises:
            UserError: the answer, or what is never cut beside it, fills the context.
        """
        answer = [*self.tokenizer.encode(example.answer.strip()), self.tokenizer.end_id]
        context, where = self.model.context, f"{example.where}: " if example.where else ""
        room = context - len(answer)
        taken = f"{where}the answer takes {len(answer)} of the {context} tokens of the context, its end among them"
        if room <= 0:
            raise UserError(f"{taken}: shorten it, or take a model with a longer context")
        try:
            alone = self.asked(example, room)
        except UserError as error:
            raise UserError(f"{taken}, and beside it: {error}") from None
        rendered = self.behind(example.before, alone, room)
        start = len(rendered.ids)
        rendered.add(answer, "answer")
        return Item(rendered, start, example)

    def items(self, examples: Sequence[Writing]) -> list[Item]:
        return [self.item(example) for example in examples]

    def render(self, examples: Sequence[Writing]) -> list[Rendered]:
        return [self.question(example) for example in examples]

    def collate(self, items: Sequence[Item]) -> Batch:
        """`label` (B, T) is the next token where that is part of the answer, elsewhere -100."""
        batch = padded([item.rendered for item in items], self.tokenizer.pad_id)
        label = torch.full_like(batch["input_ids"], -100)
        for row, item in enumerate(items):
            label[row, item.start - 1 : len(item.rendered.ids) - 1] = torch.tensor(item.rendered.ids[item.start :])
        return batch | {"label": label}

    # ---- learning ----

    def loss(self, batch: Batch) -> Tensor:
        """Mean cross-entropy of the answers' tokens, the end among them."""
        hidden = self.model(**inputs_of(batch, "gpt")).hidden  # (B, T, D)
        answered = batch["label"] != -100  # (B, T)
        return cross_entropy(self.model.logits(hidden[answered]), batch["label"][answered])

    def logits(self, batch: Batch) -> Tensor:
        """Of every word behind every token: (B, T) -> (B, T, V)."""
        return self.model.logits(self.model(**inputs_of(batch, "gpt")).hidden)

    def log_chance(self, batch: Batch) -> Tensor:
        """Of the whole answer, its end among it: (B,)."""
        return label_log_chance(self.logits(batch), batch["label"])

    def token_hits(self, batch: Batch) -> Tensor:
        """Of each answer, how many of its tokens are the likeliest behind the right ones before them, and how many
        there are: (B, 2)."""
        answered = batch["label"] != -100  # (B, T)
        hits = answered & (self.logits(batch).argmax(dim=-1) == batch["label"])
        return torch.stack([hits.sum(dim=1), answered.sum(dim=1)], dim=1)

    def measure(self, items: Sequence[Item]) -> dict[str, float]:
        """The mean score of what is written; and of the right answers the loss, and the share of tokens that are
        likeliest behind those before them."""
        written = self.write([item.example for item in items])
        scores = [self.score(text, item.example) for text, item in zip(written, items, strict=True)]
        hits, tokens = over(self, items, self.token_hits).sum(dim=0).tolist()
        losses = over(self, items, lambda batch: self.loss(batch).expand(len(batch["label"])))
        return {
            self.metric: sum(scores) / len(scores),
            "token accuracy": hits / tokens,
            "loss": losses.mean().item(),
        }

    # ---- writing ----

    def write(self, examples: Sequence[Writing], batch_size: int = 64) -> list[str]:
        """The likeliest continuation of each question, up to the end of text."""
        return [self.tokenizer.decode(row) for row in self.tokens(examples, batch_size)]

    def tokens(self, examples: Sequence[Writing], batch_size: int = 64) -> list[list[int]]:
        """The same as token ids, without the end."""
        speaker, end_id = Speaker.of(self.model), self.tokenizer.end_id
        prompts = [self.question(example).ids for example in examples]
        rooms = list(map(self.room_behind, prompts))
        written: dict[int, list[int]] = {}
        for room in sorted(set(rooms)):
            rows = [row for row, its in enumerate(rooms) if its == room]
            for start in range(0, len(rows), batch_size):
                chosen = rows[start : start + batch_size]
                with evaluation(self):
                    answers = generate(
                        speaker.model,
                        [prompts[row] for row in chosen],
                        room,
                        stop_id=end_id,
                        past_key_values=speaker.past,
                    )
                written.update(zip(chosen, answers, strict=True))
        return [written[row] for row in range(len(examples))]

    def room_behind(self, prompt: Sequence[int]) -> int:
        """Tokens that the answer to a prompt may take, its end among them."""
        return min(self.room, self.model.context - len(prompt))

    def has_ended(self, example: Writing, tokens: Sequence[int]) -> bool:
        """Whether what was written for an example came to its end, and was not cut off."""
        return len(tokens) < self.room_behind(self.question(example).ids)

    answers = write


def exact_match(written: str, example: Writing) -> float:
    """1 where the very answer is written, whatever the spaces between its words; else 0."""
    return float(written.split() == example.answer.split())
