"""What a pretrained model knows without any training: zero-shot accuracy, and recall of facts."""

from __future__ import annotations

from collections.abc import Sequence

import torch

from minitune.classifier import Classifier, collate
from minitune.data.examples import Example
from minitune.data.tasks import Task
from minitune.prompting.template import Template, with_stop
from minitune.readout.verbalizer import verbalizer
from minitune.training.checkpoint import Checkpoint


def zero_shot(checkpoint: Checkpoint, task: Task, examples: Sequence[Example], template: str | None = None) -> float:
    """Accuracy on a task through a template (the task's own by default) and the task's label words."""
    asked = Template.parse(with_stop(template or task.template, checkpoint.kind))
    readout = verbalizer(task.label_words, task.labels, checkpoint.tokenizer)
    device = next(checkpoint.model.parameters()).device
    return Classifier(checkpoint.model, checkpoint.tokenizer, asked, readout.to(device)).accuracy(examples)


@torch.no_grad()
def recalled(checkpoint: Checkpoint, rows: Sequence[dict], batch_size: int = 128) -> list[bool]:
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
        hidden = model(batch["input_ids"], attention_mask=batch["attention_mask"]).hidden
        at_blank = hidden[torch.arange(len(chosen), device=device), batch["blank"]]  # (B, T, D) -> (B, D)
        likeliest = model.logits(at_blank).argmax(dim=-1).tolist()  # (B, V) -> (B,)
        wanted = [tokenizer.word_id(row["object"]) for row in chosen]
        hits += [a == b for a, b in zip(likeliest, wanted, strict=True)]
    return hits


def to_examples(rows: Sequence[dict], labels: Sequence[str]) -> list[Example]:
    """Rows of a classification task as numbered examples."""
    return [Example(row["text"], row.get("text_b"), labels.index(row["label"])) for row in rows]
