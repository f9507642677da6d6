"""The ICBHI 2017 challenge's figures of merit over annotated breathing cycles (paper, section 3)."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

NORMAL = "normal"


@dataclass(frozen=True)
class IcbhiScore:
    """Counts of annotated cycles, and the shares made from them; a share of nothing is None."""

    normal: int
    normal_hits: int
    """Normal cycles labelled normal."""
    abnormal: int
    abnormal_hits: int
    """Abnormal cycles labelled with exactly their class."""

    @property
    def specificity(self) -> float | None:
        """Sp, 0 to 1."""
        return self.normal_hits / self.normal if self.normal else None

    @property
    def sensitivity(self) -> float | None:
        """Se, 0 to 1."""
        return self.abnormal_hits / self.abnormal if self.abnormal else None

    @property
    def score(self) -> float | None:
        """The mean of the two; None where either is."""
        if self.specificity is None or self.sensitivity is None:
            return None
        return (self.specificity + self.sensitivity) / 2


def icbhi_score(cycles: Iterable[tuple[str, str | None]]) -> IcbhiScore:
    """The score over (annotated label, given label); a cycle that was given none is no hit."""
    pairs = list(cycles)
    normal = [given for annotated, given in pairs if annotated == NORMAL]
    abnormal = [(annotated, given) for annotated, given in pairs if annotated != NORMAL]
    return IcbhiScore(
        normal=len(normal),
        normal_hits=normal.count(NORMAL),
        abnormal=len(abnormal),
        abnormal_hits=sum(annotated == given for annotated, given in abnormal),
    )
