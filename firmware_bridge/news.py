"""What a link tells beside the sound, by name, with fields for people and programs.

`device-info` (`model`, `firmware`, `sample_rate_hz`, `channels`, `bits`, `codec`, `filter`, `gain_db`) once INFO is
known and whenever it changes; `device-restarted`; `newer-version` (`minor_version`); `button`, `contact-made`,
`contact-lost`, `battery-low`, `fault` and `device-event` (`code`), all with `text`; `device-log` (`severity`, `text`);
`last-frame`; `rate-off` (`declared_hz`, `measured_hz`, `ppm`, `uncertainty_ppm`) once where a rate is off by more than
`WARN_PPM`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from firmware_bridge.clocks import RateEstimate
from firmware_bridge.messages import Codec, DeviceEvent, EventCode, Info, Log
from firmware_bridge.timeline import Chunk

WARN_PPM = 1000.0
"""A wheeze of 400 Hz is 0.4 Hz off then; crystals are good to 100 ppm, so that something else is wrong."""
EVENT_NAMES: Mapping[int, str] = {code: code.name.lower().replace("_", "-") for code in EventCode}
MAX_TEXT_CHARACTERS = 200
"""Of what a device says: enough for a line."""


@dataclass(frozen=True)
class Told:
    """Something that a device said, or that shows in what it sends."""

    name: str
    sample: int
    """Where in the stream it was told."""
    fields: Mapping[str, str | int | float | bool | None] = field(default_factory=dict)


News = Chunk | Told


def fields_of_info(info: Info, codec: int | None) -> Mapping[str, str | int | float | bool | None]:
    """What may be shown of a device; its id stays out of results. `codec`: the one that it was asked for."""
    return {
        "model": _line(info.model),
        "firmware": _line(info.firmware),
        "sample_rate_hz": info.sample_rate_hz,
        "channels": info.channels,
        "bits": info.bits,
        "codec": None if codec is None else Codec(codec).name,
        "filter": _line(info.filter),
        "gain_db": info.gain_centibel / 100,
    }


def told_of_event(event: DeviceEvent, sample: int) -> Told:
    """An EVENT; one that the page does not list by its number."""
    text = {"text": _line(event.text)}
    name = EVENT_NAMES.get(event.code)
    return Told(name, sample, text) if name else Told("device-event", sample, {"code": event.code, **text})


def told_of_contact(made: bool, sample: int) -> Told:
    """What AUDIO's flags say; as an EVENT would."""
    return Told(EVENT_NAMES[EventCode.CONTACT_MADE if made else EventCode.CONTACT_LOST], sample, {"text": ""})


def told_of_log(log: Log, sample: int) -> Told:
    """A LOG."""
    return Told("device-log", sample, {"severity": log.level, "text": _line(log.text)})


def told_of_rate(estimate: RateEstimate, sample: int) -> Told | None:
    """That a device's rate is not what it declares, as far as that is certain; else None."""
    if abs(estimate.ppm) - estimate.uncertainty_ppm <= WARN_PPM:
        return None
    fields = {
        "declared_hz": round(estimate.rate_hz / (1 + estimate.ppm * 1e-6), 3),
        "measured_hz": round(estimate.rate_hz, 3),
        "ppm": round(estimate.ppm),
        "uncertainty_ppm": round(estimate.uncertainty_ppm),
    }
    return Told("rate-off", sample, fields)


def _line(text: str) -> str:
    """What a device says, without what would end a line or command a terminal."""
    return "".join(letter if letter.isprintable() else " " for letter in text[:MAX_TEXT_CHARACTERS])
