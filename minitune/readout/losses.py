r"""What a read-out is trained to make small.

    cross-entropy    -log p_y                                p = softmax(scores)    y: the right class
    focal            -(1 - p_y)^gamma log p_y                gamma = 0 is cross-entropy
    squared error    (number - y)^2                          y: a number; see `NumberHead`

Each is the mean over the batch. Focal loss: Lin et al. 2017, section 3 (arXiv 1708.02002).
"""

from __future__ import annotations

from torch import Tensor
from torch.nn import functional as F


def cross_entropy(scores: Tensor, label: Tensor) -> Tensor:
    """Scores (B, C), labels (B,) -> (). A label of -100 is left out."""
    return F.cross_entropy(scores, label, ignore_index=-100)


def focal(scores: Tensor, label: Tensor, gamma: float = 2.0) -> Tensor:
    """Cross-entropy that forgets what is sure already: (B, C), (B,) -> ()."""
    log_p = scores.log_softmax(dim=-1).gather(1, label[:, None])[:, 0]  # (B, C) -> (B,)
    return (-((1 - log_p.exp()) ** gamma) * log_p).mean()
