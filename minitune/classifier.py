"""A classifier is the answers to the three questions, joined: a tuned model, a template, a read-out."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from minitune.data.examples import Example
from minitune.data.tokenizers import Tokenizer
from minitune.models.build import Model
from minitune.prompting.template import Rendered, Template
from minitune.readout.head import Head
from minitune.readout.verbalizer import Verbalizer
from minitune.training.loop import Batch, evaluation


class Classifier(nn.Module):
    """Scores the classes of examples.

    Args:
        model: a GPT or a BERT, with whatever a method put into it.
        template: how the question is asked.
        readout: how the answer is read; it says at which place ("text" or "blank").
    """

    def __init__(self, model: Model, tokenizer: Tokenizer, template: Template, readout: Head | Verbalizer):
        super().__init__()
        template.check(model.kind, needs_blank=readout.reads == "blank")
        self.model, self.readout = model, readout
        self.tokenizer, self.template = tokenizer, template

    def forward(self, batch: Batch) -> Tensor:
        """Class scores: a batch of `collate` -> (B, C)."""
        inputs = {"input_ids": batch["input_ids"], "attention_mask": batch["attention_mask"]}
        if self.model.kind == "bert":
            inputs["token_type_ids"] = batch["token_type_ids"]
        hidden = self.model(**inputs).hidden  # (B, T, D)
        place = batch["blank"] if self.readout.reads == "blank" else batch["text_end"]  # (B,)
        rows = torch.arange(len(place), device=place.device)
        return self.readout(hidden[rows, place], self.model)  # (B, T, D) -> (B, D) -> (B, C)

    def loss(self, batch: Batch) -> Tensor:
        return F.cross_entropy(self(batch), batch["label"])

    def render(self, examples: Sequence[Example]) -> list[Rendered]:
        return [self.template.render(example, self.tokenizer, self.model.config.context) for example in examples]

    def scores(self, examples: Sequence[Example], batch_size: int = 128) -> Tensor:
        """Class scores of many examples, in their order: (N, C), on the CPU."""
        rendered = self.render(examples)
        order = sorted(range(len(rendered)), key=lambda i: len(rendered[i].ids))  # like lengths together: no padding
        device = next(self.parameters()).device
        parts = []
        with evaluation(self):
            for start in range(0, len(order), batch_size):
                chosen = order[start : start + batch_size]
                batch = collate([rendered[i] for i in chosen], [examples[i].label for i in chosen], self.tokenizer)
                parts.append(self({name: tensor.to(device) for name, tensor in batch.items()}).float().cpu())
        scores = torch.cat(parts)
        return scores[torch.tensor(order).argsort()]

    def accuracy(self, examples: Sequence[Example]) -> float:
        labels = torch.tensor([example.label for example in examples])
        return (self.scores(examples).argmax(dim=1) == labels).double().mean().item()


def collate(rendered: Sequence[Rendered], labels: Sequence[int], tokenizer: Tokenizer) -> Batch:
    """Pad on the right: `input_ids`, `attention_mask`, `token_type_ids` (B, T); `blank`, `text_end`, `label` (B,).

    `text_end` is where a head reads: [CLS] for BERT, the last real token for GPT. `blank` is the first blank.
    """
    width = max(len(r.ids) for r in rendered)
    is_gpt = tokenizer.kind == "gpt"
    return {
        "input_ids": torch.tensor([r.ids + [tokenizer.pad_id] * (width - len(r.ids)) for r in rendered]),
        "attention_mask": torch.tensor([[1] * len(r.ids) + [0] * (width - len(r.ids)) for r in rendered]),
        "token_type_ids": torch.tensor([r.types + [0] * (width - len(r.ids)) for r in rendered]),
        "blank": torch.tensor([r.blanks[0] if r.blanks else 0 for r in rendered]),
        "text_end": torch.tensor([len(r.ids) - 1 if is_gpt else 0 for r in rendered]),
        "label": torch.tensor(labels),
    }


class ExampleBatches:
    """Labelled examples, rendered once and shuffled anew each epoch; a batch is a function of its number."""

    def __init__(self, classifier: Classifier, examples: Sequence[Example], batch_size: int, seed: int):
        self.rendered, self.labels = classifier.render(examples), [example.label for example in examples]
        self.tokenizer, self.seed = classifier.tokenizer, seed
        self.batch_size = min(batch_size, len(examples))
        self.per_epoch = len(examples) // self.batch_size

    def batch(self, number: int) -> Batch:
        epoch, place = divmod(number, self.per_epoch)
        order = torch.randperm(len(self.labels), generator=torch.Generator().manual_seed(self.seed * 100_003 + epoch))
        chosen = order[place * self.batch_size : (place + 1) * self.batch_size].tolist()
        return collate([self.rendered[i] for i in chosen], [self.labels[i] for i in chosen], self.tokenizer)
