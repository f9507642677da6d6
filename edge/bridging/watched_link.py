"""A link that is only watched: opened again where it fails, and its news counted."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field

from firmware_bridge.errors import CaptureEnded, ProtocolError, TransportError
from firmware_bridge.link import Link
from firmware_bridge.news import Told

REOPEN_S = 1.0
TICK_S = 0.1
Value = str | int | float | bool | None


@dataclass
class WatchedLink:
    """Over a link that may be closed."""

    link: Link
    clock: Callable[[], float]
    sleep: Callable[[float], None]
    told: list[Told] = field(default_factory=list)
    """What was told since somebody cleared it."""
    failure: str = ""
    """Why it is closed; empty while it is open."""
    is_over: bool = False
    """A capture was played to its end."""
    _is_open: bool = False
    _frames_at_open: int = 0

    def turn(self) -> None:
        """Read once, or try to open. Raises BridgeError where it cannot be opened for the first time, and where trying
        again is of no use.
        """
        try:
            if not self._is_open:
                self.link.open()
                self._is_open, self._frames_at_open = True, self.link.frame_counters.frames
            news = self.link.read(TICK_S)
        except CaptureEnded:
            self.is_over = True
        except ProtocolError:
            raise
        except TransportError as error:
            if not self.link.counters.openings:
                raise
            self.link.close()
            self._is_open, self.failure = False, str(error)
            self.sleep(REOPEN_S)
        else:
            if self.link.frame_counters.frames > self._frames_at_open:
                self.failure = ""
            self.told += [each for each in news if isinstance(each, Told)]


def figures(link: Link) -> Mapping[str, Value]:
    """Everything that a link counts and measures, by name."""
    rate, status = link.maybe_rate(), link.status
    frames = {name: value for name, value in asdict(link.frame_counters).items() if name != "last_foreign_version"}
    return {
        "phase": link.phase.value,
        "declared_hz": None if link.info is None else link.info.sample_rate_hz,
        "measured_hz": None if rate is None else round(rate.rate_hz, 3),
        "ppm": None if rate is None else round(rate.ppm, 1),
        "uncertainty_ppm": None if rate is None else round(rate.uncertainty_ppm, 1),
        "round_trip_ms": None if link.round_trip_s is None else round(1000 * link.round_trip_s, 2),
        "sound_age_ms": None if link.sound_age_s is None else round(1000 * link.sound_age_s, 2),
        "battery_percent": None if status is None else status.battery_percent,
        "buffer_percent": None if status is None else status.buffer_percent,
        "temperature_c": None
        if status is None or status.temperature_decicelsius is None
        else status.temperature_decicelsius / 10,
        "device_overruns": None if status is None else status.overruns,
        "device_unsent_frames": None if status is None else status.unsent_frames,
        "samples": link.position,
        **frames,
        **asdict(link.counters),
        **asdict(link.timeline_counters),
    }
