"""What happens beside the results: a source that fails and comes back, a breath sound that begins and ends."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Event:
    """Something that took place between two times of a stream."""

    name: str
    """What it was, such as `source-lost`; the file that makes an event documents its name and fields."""
    source: str
    """As in the results of the same stream."""
    start_s: float
    """Time in the stream, which lost sound counts towards: the clock of the results."""
    end_s: float
    """Equal to `start_s` where it took no time."""
    fields: Mapping[str, str | int | float | bool | None] = field(default_factory=dict)
    """What only this kind of event tells, by names with units in them."""
