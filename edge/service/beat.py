"""What `listen` last said about itself, in the file that `respire-edge health` reads."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

FILE_VARIABLE = "RESPIRE_EDGE_HEARTBEAT"
"""Environment variable that names the file; it belongs on a file system in memory."""
QUIET_S = 5.0
"""Without a sample for longer, a status says so: a source that fails is retried at first within less."""


@dataclass(frozen=True)
class Beat:
    """How the loop was when it last turned.

    Times are those of the monotonic clock, which all processes of a machine share: on a computer that gets the time of
    day only after it has started, they go on.
    """

    turned_s: float
    heard_s: float
    """When a source last delivered a sample; before the first, when listening began."""
    results: int = 0
    refused: int = 0
    """How many of the results have no label, as their sound was not fit for one."""

    @property
    def status(self) -> str:
        """One line for people."""
        silent_s = self.turned_s - self.heard_s
        state = "listening" if silent_s <= QUIET_S else f"no sound from the source for {silent_s:.0f} s"
        return f"{state}; {self.results} results, {self.refused} of them refused for their quality"


def read_beat(path: Path) -> Beat:
    """The last beat in a file. Raises OSError, and ValueError where it holds something else."""
    fields = json.loads(path.read_text(encoding="utf-8"))
    if not (isinstance(fields, dict) and all(isinstance(value, (int, float)) for value in fields.values())):
        raise ValueError("not a heartbeat")
    try:
        return Beat(**fields)
    except TypeError as error:
        raise ValueError("not a heartbeat") from error
