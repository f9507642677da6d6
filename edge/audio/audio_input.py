"""A sound input, and the choice of one by its name or by an id that outlives a restart."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from edge.audio.cards import SoundCard
from edge.errors import AudioDeviceError

USED_CHANNELS = 2
"""A stethoscope is mono, but a mono plug in a stereo input may arrive on either side."""
USB = re.compile(r"usb:(?P<id>[0-9a-f]{4}:[0-9a-f]{4})(@(?P<path>.+))?", re.IGNORECASE)
CARD = re.compile(r"card:(?P<id>.+)")


@dataclass(frozen=True)
class AudioInput:
    """One input as PortAudio knows it now; the index changes when a card is plugged in."""

    index: int
    name: str
    channels: int
    native_rate_hz: int
    is_default: bool = False
    card: SoundCard | None = None
    """None: the input of a sound server, or of a machine without ALSA."""
    accepted_rates_hz: tuple[int, ...] | None = None
    """Which of the usual rates it can be opened at; None: nobody asked."""

    @property
    def used_channels(self) -> int:
        """How many channels are captured."""
        return min(self.channels, USED_CHANNELS)


def input_from_fields(fields: Mapping[str, Any]) -> AudioInput:
    """The input that `dataclasses.asdict` made `fields` of, also after they went through JSON."""
    card, rates_hz = fields["card"], fields["accepted_rates_hz"]
    return AudioInput(
        **{
            **fields,
            "card": None if card is None else SoundCard(**card),
            "accepted_rates_hz": None if rates_hz is None else tuple(rates_hz),
        }
    )


def choose_input(selector: str, inputs: Sequence[AudioInput]) -> AudioInput:
    """The one of `inputs` that `selector` names.

    `""`: the default; `usb:VVVV:PPPP`, with `@PATH` where two are alike; `card:ID`; else the name, or the only one that
    contains it, whatever the case. A card with several inputs stands for its first. Raises AudioDeviceError, listing
    the inputs, where there is none or more than one.
    """
    if not inputs:
        raise AudioDeviceError("no sound input on this machine; plug in a microphone or a sound card, or give a file")
    if not selector:
        return _default_input(inputs)
    found = _inputs_by_card(selector, inputs) if _names_a_card(selector) else _inputs_by_name(selector, inputs)
    if not found:
        raise AudioDeviceError(f"mic:{selector}: no input has that {_kind(selector)}; inputs are {_names(inputs)}")
    if len(found) > 1:
        raise AudioDeviceError(f"mic:{selector}: that fits {_names(found)}; {_narrower(selector, found)}")
    return found[0]


def stable_selector(chosen: AudioInput, inputs: Sequence[AudioInput]) -> str:
    """What names `chosen`, one of `inputs`, for `choose_input`, also after it was pulled out or the machine restarted.

    A USB card is known by its vendor and product, and where another one is alike by its socket as well.
    """
    card = chosen.card
    if card is None:
        return chosen.name
    if card.usb_id is None:
        return f"card:{card.card_id}"
    alike = {entry.card.number for entry in inputs if entry.card and entry.card.usb_id == card.usb_id}
    return f"usb:{card.usb_id}" if len(alike) == 1 else f"usb:{card.usb_id}@{card.usb_path}"


def _inputs_by_card(selector: str, inputs: Sequence[AudioInput]) -> list[AudioInput]:
    """One input, the first, of each card that fits."""
    first = {entry.card.number: entry for entry in reversed(inputs) if entry.card and _fits(selector, entry.card)}
    return [first[number] for number in sorted(first)]


def _fits(selector: str, card: SoundCard) -> bool:
    if usb := USB.fullmatch(selector):
        return card.usb_id == usb["id"].lower() and usb["path"] in (None, card.usb_path)
    match = CARD.fullmatch(selector)
    return match is not None and card.card_id == match["id"]


def _inputs_by_name(selector: str, inputs: Sequence[AudioInput]) -> list[AudioInput]:
    wanted = selector.casefold()
    exact = [entry for entry in inputs if entry.name.casefold() == wanted]
    return exact or [entry for entry in inputs if wanted in entry.name.casefold()]


def _default_input(inputs: Sequence[AudioInput]) -> AudioInput:
    default = next((entry for entry in inputs if entry.is_default), None)
    if default is None:
        raise AudioDeviceError(f"mic: no default input is set; choose one with mic:NAME, inputs are {_names(inputs)}")
    return default


def _names_a_card(selector: str) -> bool:
    return bool(USB.fullmatch(selector) or CARD.fullmatch(selector))


def _kind(selector: str) -> str:
    return "id" if _names_a_card(selector) else "in its name"


def _narrower(selector: str, found: Sequence[AudioInput]) -> str:
    if not _names_a_card(selector):
        return "give more of the name"
    return "choose " + " or ".join(f"mic:{stable_selector(entry, found)}" for entry in found)


def _names(inputs: Sequence[AudioInput]) -> str:
    return ", ".join(repr(entry.name) for entry in inputs)
