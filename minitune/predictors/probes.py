"""What a pretrained model knows without any training: zero-shot accuracy, and recall of facts."""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from torch.nn import functional as F

from minitune.data.examples import Example
from minitune.predictors.classifier import Classifier, collate
from minitune.prompting.template import Template, with_stop
from minitune.readout.verbalizer import verbalizer
from minitune.training.checkpoint import Checkpoint
from minitune.training.loop import evaluation
from minitune.world.tasks import Task, get_task, load_split

OFTEN = 50  # a fact that the text states so often should be known


def to_examples(rows: Sequence[dict], labels: Sequence[str]) -> list[Example]:
    """Rows of a classification task as numbered examples."""
    return [Example(row["text"], row.get("text_b"), labels.index(row["label"])) for row in rows]


def zero_shot(checkpoint: Checkpoint, task: Task, examples: Sequence[Example], template: str | None = None) -> float:
    """Accuracy on a task through a template (the task's own by default) and the task's label words."""
    asked = Template.parse(with_stop(template or task.template, checkpoint.kind))
    readout = verbalizer(task.label_words, task.labels, checkpoint.tokenizer)
    device = next(checkpoint.model.parameters()).device
    return Classifier(checkpoint.model, checkpoint.tokenizer, asked, readout.to(device)).accuracy(examples)


def recall(checkpoint: Checkpoint, rows: Sequence[dict], batch_size: int = 128) -> list[bool]:
    """For each row of the `facts` task, whether the likeliest of all words at the blank is the object."""
    model, tokenizer = checkpoint.model, checkpoint.tokenizer
    device = next(model.parameters()).device
    hits: list[bool] = []
    for start in range(0, len(rows), batch_size):
        chosen = rows[start : start + batch_size]
        asked = [Template.parse(with_stop(row["phrasing"], checkpoint.kind)) for row in chosen]
        rendered = [template.render(Example(""), tokenizer, model.config.context) for template in asked]
        batch = collate(rendered, [0] * len(chosen), tokenizer)
        batch = {name: tensor.to(device) for name, tensor in batch.items()}
        with evaluation(model):
            hidden = model(batch["input_ids"], attention_mask=batch["attention_mask"]).hidden
            at_blank = hidden[torch.arange(len(chosen), device=device), batch["blank"]]  # (B, T, D) -> (B, D)
            likeliest = model.logits(at_blank).argmax(dim=-1).tolist()  # (B, V) -> (B,)
        hits += [best == tokenizer.word_id(row["object"]) for best, row in zip(likeliest, chosen, strict=True)]
    return hits


def news_loss(checkpoint: Checkpoint, reports: Sequence[tuple[str, float]]) -> tuple[float, float]:
    """A GPT's loss on new reports, and the grammar's own entropy there, both in nats a token.

    Each report stands behind another one, as in pretraining, so that its first token is guessed too.

    Args:
        reports: texts with their surprise, as `news_and_its_surprise` makes them.
    """
    model, end = checkpoint.model, checkpoint.tokenizer.end_id
    device = next(model.parameters()).device
    encoded = [[*checkpoint.tokenizer.encode(text), end] for text, _ in reports]
    loss, tokens = 0.0, 0
    with evaluation(model):
        for before, report in itertools.pairwise([encoded[-1], *encoded]):
            ids = torch.tensor([before + report], device=device)
            logits = model.logits(model(ids).hidden[0, len(before) - 1 : -1])  # (report, V)
            loss += F.cross_entropy(logits, ids[0, len(before) :], reduction="sum").item()
            tokens += len(report)
    return loss / tokens, sum(surprise for _, surprise in reports) / tokens


def commonest_object(rows: Sequence[dict]) -> float:
    """The accuracy of always naming the commonest object of each relation: what a prompt alone can give away."""
    objects = Counter((row["relation"], row["object"]) for row in rows)
    best = {relation: max(n for (r, _), n in objects.items() if r == relation) for relation, _ in objects}
    return sum(best.values()) / len(rows)


@dataclass(frozen=True)
class Probes:
    """The questions that a model of the toy world is asked, on the dev or the test files."""

    examples: dict[str, list[Example]]  # of each task
    facts: list[dict]  # those that the text states often, in phrasings that it never uses

    @classmethod
    def load(cls, split: str, folder: Path | None = None) -> Probes:
        """From the files of `folder` (a `data` folder; the project's own when none is given)."""
        examples = {
            name: to_examples(load_split(name, split, folder), get_task(name).labels) for name in ("sentiment", "topic")
        }
        return cls(examples, [row for row in load_split("facts", "test", folder) if row["count"] >= OFTEN])

    def summary(self, checkpoint: Checkpoint) -> dict[str, float]:
        """One number each for sentiment, topic and facts."""
        scores = {name: zero_shot(checkpoint, get_task(name), examples) for name, examples in self.examples.items()}
        hits = recall(checkpoint, self.facts)
        return {**scores, "facts": sum(hits) / len(hits)}

    def full(self, checkpoint: Checkpoint) -> dict[str, float]:
        """The summary, the unseen templates, and what the facts score is to be measured by."""
        scores = self.summary(checkpoint)
        for name, examples in self.examples.items():
            for template in get_task(name).unseen_templates:
                scores[f"{name}: {template}"] = zero_shot(checkpoint, get_task(name), examples, template)
        return {**scores, "facts: commonest object": commonest_object(self.facts)}
