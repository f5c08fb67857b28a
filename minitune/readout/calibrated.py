r"""Contextual calibration: what a read-out says of a question without content is taken off its answers.

    q = mean over content-free texts of p(class words)      q: (C,)      log q is subtracted, and softmax does the rest:
    score(y) = log p_y - log q_y                            softmax(score)_y = (p_y / q_y) / sum over k of (p_k / q_k)

A model may like one class's words better whatever it reads: because they are commoner, or because a demonstration has
just shown them. Asked about "N/A", it shows how much. The prior belongs to one model, one template and one order of the
demonstrations: with another of these it is measured anew.

Zhao et al. 2021, "Calibrate Before Use", section 4 (arXiv 2102.09690): W = diag(q)^-1, b = 0.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from minitune.models.build import Model

CONTENT_FREE = ("N/A", "[MASK]", "")  # the paper's; "[MASK]" is read as these six characters
SMALLEST = 1e-30  # a probability that was rounded to 0 still has a logarithm


class Calibrated(nn.Module):
    """Another read-out, with its answers to nothing taken off: hidden (B, D) -> class scores (B, C).

    It is trained as the other is; the prior is 0 until `calibrate` has measured it.
    """

    def __init__(self, readout: nn.Module, classes: int):
        super().__init__()
        self.readout = readout
        self.reads, self.reads_words, self.loss = readout.reads, readout.reads_words, readout.loss
        for part in ("between", "fills"):  # what some read-outs have beside
            if hasattr(readout, part):
                setattr(self, part, getattr(readout, part))
        self.register_buffer("log_prior", torch.zeros(classes))

    def forward(self, hidden: Tensor, model: Model) -> Tensor:
        return self.readout(hidden, model) - self.log_prior

    def calibrate(self, hidden: Tensor, model: Model) -> None:
        """Measure the prior.

        Args:
            hidden: of content-free texts, at the place where the answer is read: (N, D).
        """
        with torch.no_grad():
            self.log_prior.copy_(prior(self.readout, hidden, model).log())


def prior(readout: nn.Module, hidden: Tensor, model: Model) -> Tensor:
    """q, the mean of the classes' probabilities over texts, brought to the sum 1 at the end: (N, D) -> (C,).

    Where words are read these are the words' probabilities among all words, so that a text at which the model would
    say none of them counts little. None is quite 0: each has a logarithm.
    """
    of_words = getattr(readout, "chances", None)
    chances = of_words(hidden, model) if of_words else readout(hidden, model).softmax(dim=-1)  # (N, C)
    mean = chances.mean(dim=0).clamp(min=SMALLEST)  # (N, C) -> (C,)
    return mean / mean.sum()
