"""What every source of sound offers, and how one is opened from what a person typed."""

from __future__ import annotations

import re
from abc import abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Protocol, TypeVar

from edge.audio.block import AudioBlock
from edge.audio.pacing import SYSTEM_PACE, Pace
from edge.errors import UsageError

if TYPE_CHECKING:
    from edge.audio.live_source import Persistence
    from edge.results import Result

AnySource = TypeVar("AnySource", bound="AudioSource")


@dataclass(frozen=True)
class Section:
    """What a simulated source is known to contain between two times."""

    start_s: float
    end_s: float
    label: str
    """One of `edge.labels.LABELS`."""


class StoppedWaiting(Exception):
    """Somebody ended the waiting for a source that was not there."""


class AudioSource(Protocol):
    """Sound that arrives in blocks; as a context manager it closes itself."""

    name: str
    """What a result's `source` says."""
    sample_rate_hz: int
    """Rate of every block."""
    sections: tuple[Section, ...] = ()
    """What a simulated source is known to contain; empty for a real one."""

    @abstractmethod
    def blocks(self) -> Iterator[AudioBlock]:
        """The sound from its beginning, once. A microphone's does not end.

        Raises RecordingError or AudioDeviceError where it cannot go on.
        """

    def take_result(self, result: Result) -> None:
        """Hear what came of the sound. A source that can show it does; the others let it pass."""
        del result

    @abstractmethod
    def close(self) -> None:
        """Release the file or the device. May be called twice."""

    def __enter__(self: AnySource) -> AnySource:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def open_source(
    uri: str, *, realtime: bool, pace: Pace = SYSTEM_PACE, persistence: Persistence | None = None
) -> AudioSource:
    """The source that `uri` names: an input, `demo` or a file.

    `mic` is the default input, `mic:NAME` the one with NAME in its name, `mic:usb:VVVV:PPPP`, `mic:usb:VVVV:PPPP@PATH`
    and `mic:card:ID` that of a card. `realtime`: a file or the demo comes as fast as it would sound, by the clock of
    `pace`; a microphone always does. `persistence`: what a microphone does where its input fails. A file that is called
    `mic` or `demo` is reached as `./mic`. Raises UsageError, RecordingError, AudioDeviceError or StoppedWaiting.
    """
    if uri == "mic" or uri.startswith("mic:"):
        from edge.audio.microphone import MicrophoneSource

        return MicrophoneSource(uri.removeprefix("mic").removeprefix(":"), persistence=persistence)
    if uri == "demo":
        from edge.audio.simulated import SimulatedSource

        return SimulatedSource(pace=pace if realtime else None)
    if re.match(r"[a-z][a-z0-9+.-]+://", uri):
        raise UsageError(f"source {uri}: no such kind of source; give a file, demo, mic or mic:NAME")
    from edge.audio.recording import RecordingSource

    return RecordingSource(Path(uri), pace=pace if realtime else None)
