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
from firmware_bridge.errors import BridgeError
from firmware_bridge.transports.opening import CAPTURE_SUFFIX, is_device_uri, way_from_uri

if TYPE_CHECKING:
    from edge.audio.live_source import Persistence
    from edge.results import Result

AnySource = TypeVar("AnySource", bound="AudioSource")

REORDER_FRAMES = 1
"""On a way where frames can overtake each other: behind a gap sound waits for one more, and no link adds more delay."""


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
    """The source that `uri` names: an input, a device with a microcontroller, `demo` or a file.

    `mic` is the default input, `mic:NAME` the one with NAME in its name, `mic:usb:VVVV:PPPP`, `mic:usb:VVVV:PPPP@PATH`
    and `mic:card:ID` that of a card; firmware_bridge/transports/opening.py says how devices are named. `realtime`: a
    file or the demo comes as fast as it would sound, by the clock of `pace`; what is live always does. `persistence`:
    what a microphone does where its input fails. A file that is called `mic` or `demo` is reached as `./mic`. Raises
    UsageError, RecordingError, AudioDeviceError or StoppedWaiting.
    """
    if uri == "mic" or uri.startswith("mic:"):
        from edge.audio.microphone import MicrophoneSource

        return MicrophoneSource(uri.removeprefix("mic").removeprefix(":"), persistence=persistence)
    if uri == "demo":
        from edge.audio.simulated import SimulatedSource

        return SimulatedSource(pace=pace if realtime else None)
    if is_device_uri(uri):
        return _open_device(uri, realtime, pace, persistence)
    if re.match(r"[a-z][a-z0-9+.-]+://", uri):
        raise UsageError(f"source {uri}: no such kind of source; give a file, demo, mic, mic:NAME or a device's URI")
    from edge.audio.recording import RecordingSource

    return RecordingSource(Path(uri), pace=pace if realtime else None)


def _open_device(uri: str, realtime: bool, pace: Pace, persistence: Persistence | None) -> AudioSource:
    from edge.audio.bridge import BridgeSource

    at_once = "?speed=max" if uri.endswith(CAPTURE_SUFFIX) and not realtime else ""
    try:
        way = way_from_uri(uri + at_once, clock=pace.clock, sleep=pace.sleep)
    except BridgeError as error:
        raise UsageError(f"source {error}") from error
    return BridgeSource(
        uri,
        way.open,
        pace=Pace(way.clock, way.sleep),
        persistence=persistence,
        reorder_frames=REORDER_FRAMES if way.reorders else 0,
    )
