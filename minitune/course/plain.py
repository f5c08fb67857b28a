"""What lessons 2 to 4 wrote, for later lessons to use: batches, a head on the last token, a training loop, accuracy."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from minitune.course.lessons import is_fast
from minitune.data.examples import Example
from minitune.data.tokenizers import Tokenizer


class Rater(nn.Module):
    """A GPT with a new head on the last real token: texts -> (B, C) scores. (Lesson 4.)"""

    def __init__(self, model: nn.Module, tokenizer: Tokenizer, classes: int, seed: int = 0):
        super().__init__()
        self.model, self.tokenizer = model, tokenizer
        self.head = nn.Linear(model.config.width, classes)
        generator = torch.Generator().manual_seed(seed)
        nn.init.normal_(self.head.weight, std=0.02, generator=generator)
        nn.init.zeros_(self.head.bias)

    def forward(self, texts: Sequence[str]) -> Tensor:
        rows = [self.tokenizer.encode(text) for text in texts]
        width = max(map(len, rows))
        ids = torch.tensor([row + [self.tokenizer.pad_id] * (width - len(row)) for row in rows])  # (B, T)
        mask = torch.tensor([[1] * len(row) + [0] * (width - len(row)) for row in rows])  # (B, T)
        hidden = self.model(ids, attention_mask=mask).hidden  # (B, T, D)
        return self.head(hidden[torch.arange(len(ids)), mask.sum(dim=1) - 1])  # (B, D) -> (B, C)


def train(rater: nn.Module, examples: Sequence[Example], rate: float, steps: int = 200, seed: int = 0) -> list[float]:
    """AdamW on whatever is trainable, 16 examples a step, the rate falling to zero; returns the loss of each step."""
    steps = min(steps, 4) if is_fast() else steps
    optimizer = torch.optim.AdamW([p for p in rater.parameters() if p.requires_grad], lr=rate)
    generator = torch.Generator().manual_seed(seed)
    losses = []
    for step in range(steps):
        for group in optimizer.param_groups:
            group["lr"] = rate * (1 - step / steps)
        chosen = [examples[i] for i in torch.randint(len(examples), (16,), generator=generator)]
        loss = F.cross_entropy(rater([e.text for e in chosen]), torch.tensor([e.label for e in chosen]))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    return losses


@torch.no_grad()
def accuracy(rater: nn.Module, examples: Sequence[Example]) -> float:
    """The share of examples whose label has the highest score."""
    examples = examples[:50] if is_fast() else examples
    right = 0
    for at in range(0, len(examples), 100):
        part = examples[at : at + 100]
        right += (rater([e.text for e in part]).argmax(dim=1) == torch.tensor([e.label for e in part])).sum().item()
    return right / len(examples)
