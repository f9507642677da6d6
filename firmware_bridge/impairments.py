"""What happens to frames on their way, as functions of the frames and a seeded generator.

Each takes frames as they go over the wire with their times and gives back what arrives. `Faults` counts what was done,
so that a host's counters can be set beside it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from random import Random


@dataclass(frozen=True)
class Parcel:
    """Bytes that leave a device together."""

    time_s: float
    """When they arrive at the other end."""
    data: bytes
    """One frame with its delimiter, whole at first."""


@dataclass
class Faults:
    """How many frames met each fault."""

    sent: int = 0
    lost: int = 0
    lost_in_bursts: int = 0
    corrupted: int = 0
    duplicated: int = 0
    reordered: int = 0


@dataclass(frozen=True)
class Impairments:
    """How bad the way is; the default is perfect."""

    loss: float = 0.0
    """Share of frames that never arrive."""
    burst_s: float = 0.0
    """Everything that is sent for so long is lost …"""
    burst_every_s: float = 5.0
    """… once in so long, at random."""
    corrupt: float = 0.0
    """Share of bytes that are changed, left out or preceded by another one, each a third of them."""
    duplicate: float = 0.0
    """Share of frames that arrive twice."""
    reorder: float = 0.0
    """Share of frames that the next one overtakes; only datagrams can."""
    jitter_s: float = 0.0
    """Frames arrive up to so much later, in their order."""


@dataclass
class Way:
    """From a device to the host."""

    impairments: Impairments
    random: Random
    faults: Faults = field(default_factory=Faults)
    _burst_s: float | None = None
    """When the next burst begins."""
    _latest_s: float = 0.0
    _overtaken: Parcel | None = None

    def carry(self, parcels: Sequence[Parcel]) -> list[Parcel]:
        """What arrives of these, in the order of arrival; one that is overtaken comes with the next call."""
        self.faults.sent += len(parcels)
        arriving = [each for each in parcels if not self._is_lost(each)]
        arriving = self._in_other_order(arriving)
        arriving = [each for parcel in arriving for each in self._repeated(parcel)]
        return [self._late(self._changed(each)) for each in arriving]

    def finish(self, now_s: float) -> list[Parcel]:
        """What still waited for a frame that would overtake it."""
        waiting, self._overtaken = self._overtaken, None
        return [] if waiting is None else [self._late(replace(waiting, time_s=now_s))]

    def _is_lost(self, parcel: Parcel) -> bool:
        if self._in_burst(parcel.time_s):
            self.faults.lost_in_bursts += 1
            return True
        lost = self.random.random() < self.impairments.loss
        self.faults.lost += lost
        return lost

    def _in_burst(self, time_s: float) -> bool:
        wrong = self.impairments
        if not wrong.burst_s:
            return False
        if self._burst_s is None or time_s >= self._burst_s + wrong.burst_s:
            begin_s = time_s if self._burst_s is None else self._burst_s + wrong.burst_s
            self._burst_s = begin_s + self.random.expovariate(1 / wrong.burst_every_s)
        return self._burst_s <= time_s < self._burst_s + wrong.burst_s

    def _in_other_order(self, parcels: Sequence[Parcel]) -> list[Parcel]:
        arriving: list[Parcel] = []
        for parcel in parcels:
            if self._overtaken is not None:
                arriving += [parcel, replace(self._overtaken, time_s=parcel.time_s)]
                self._overtaken = None
            elif self.random.random() < self.impairments.reorder:
                self._overtaken = parcel
                self.faults.reordered += 1
            else:
                arriving.append(parcel)
        return arriving

    def _repeated(self, parcel: Parcel) -> list[Parcel]:
        twice = self.random.random() < self.impairments.duplicate
        self.faults.duplicated += twice
        return [parcel] * (1 + twice)

    def _changed(self, parcel: Parcel) -> Parcel:
        if not self.impairments.corrupt:
            return parcel
        data = b"".join(self._byte(number) for number in parcel.data)
        self.faults.corrupted += data != parcel.data
        return replace(parcel, data=data)

    def _byte(self, number: int) -> bytes:
        if self.random.random() >= self.impairments.corrupt:
            return bytes([number])
        what = self.random.randrange(3)
        if what == 0:
            return bytes([number ^ self.random.randrange(1, 256)])
        return b"" if what == 1 else bytes([self.random.randrange(256), number])

    def _late(self, parcel: Parcel) -> Parcel:
        late_s = parcel.time_s + self.random.uniform(0, self.impairments.jitter_s)
        self._latest_s = max(self._latest_s, late_s)
        return replace(parcel, time_s=self._latest_s)


def cut_short(data: bytes, random: Random) -> bytes:
    """As much of a frame as left a device before it lost power."""
    return data[: random.randrange(1, len(data))]
