"""Three yes-or-no answers in place of four classes: is there a crackle, a wheeze, anything abnormal at all.

"both" is a crackle and a wheeze, which a softmax over four classes has to learn as a class of its own from few cycles
(three-label training, PC-MCL; docs/results.md has what it brings).

Shapes: B = batch.
"""

from __future__ import annotations

from typing import Final

import torch
from torch import Tensor
from torch.nn.functional import binary_cross_entropy_with_logits

from edge.labels import LABELS

SIGNS: Final = ("crackle", "wheeze", "abnormal")
"""The order of a network's answers."""
_SIGNS_OF_LABEL: Final = tuple(
    (float(label in ("crackle", "both")), float(label in ("wheeze", "both")), float(label != "normal"))
    for label in LABELS
)


def signs_from_labels(labels_B: Tensor) -> Tensor:
    """0 or 1 for each answer, float [B, 3], for labels of the four classes, int [B]."""
    return torch.tensor(_SIGNS_OF_LABEL, device=labels_B.device)[labels_B]


def probabilities_from_signs(logits_B3: Tensor) -> Tensor:
    """Probabilities of the four classes, float [B, 4], from the answers' logits.

    Abnormal as its own answer says; among the abnormal ones as if crackles and wheezes came independently of each
    other, given that at least one of them is there.
    """
    crackle, wheeze, abnormal = logits_B3.split(1, dim=1)  # type: ignore[no-untyped-call]  # torch has no types here
    # Odds multiply: one alone, the other alone and both are as exp(c) to exp(w) to exp(c + w).
    kinds = torch.softmax(torch.cat([crackle, wheeze, crackle + wheeze], dim=1), dim=1)
    return torch.cat([torch.sigmoid(-abnormal), torch.sigmoid(abnormal) * kinds], dim=1)


def signs_loss(logits_B3: Tensor, labels_B: Tensor, smoothing: float) -> Tensor:
    """Mean binary cross-entropy of the three answers, 0-dimensional; targets are `smoothing / 2` and 1 less that."""
    targets = signs_from_labels(labels_B) * (1 - smoothing) + smoothing / 2
    return binary_cross_entropy_with_logits(logits_B3.float(), targets)
