"""The sound inputs of this machine, through PortAudio, and the choice of one by its name."""

from __future__ import annotations

from dataclasses import dataclass
from types import ModuleType
from typing import Any

from edge.errors import AudioDeviceError

USED_CHANNELS = 2
"""A stethoscope is mono, but a mono plug in a stereo input may arrive on either side."""


@dataclass(frozen=True)
class AudioInput:
    """One input as PortAudio knows it now; the index changes when a card is plugged in, the name does not."""

    index: int
    name: str
    channels: int
    native_rate_hz: int

    @property
    def used_channels(self) -> int:
        """How many channels are captured."""
        return min(self.channels, USED_CHANNELS)


def load_sounddevice() -> ModuleType:
    """The `sounddevice` package. Raises AudioDeviceError saying what to install where it or PortAudio is missing."""
    try:
        import sounddevice
    except ImportError as error:
        raise AudioDeviceError("sound input needs sounddevice; install it with: pip install sounddevice") from error
    except OSError as error:
        raise AudioDeviceError(
            f"sound input needs the PortAudio library ({error}); install it with: apt install libportaudio2"
        ) from error
    return sounddevice  # type: ignore[no-any-return]


def list_inputs() -> list[AudioInput]:
    """Every input, in PortAudio's order. Raises AudioDeviceError where PortAudio is missing or fails."""
    sounddevice = load_sounddevice()
    try:
        devices = list(sounddevice.query_devices())
    except sounddevice.PortAudioError as error:
        raise AudioDeviceError(
            f"PortAudio cannot list the sound inputs ({error}); is a sound server half up?"
        ) from error
    return [_input_from_portaudio(device) for device in devices if device["max_input_channels"] > 0]


def maybe_default_input(inputs: list[AudioInput]) -> AudioInput | None:
    """The one of `inputs` that PortAudio calls the default; None where it names none."""
    index = load_sounddevice().default.device[0]
    return next((entry for entry in inputs if entry.index == index), None)


def choose_input(name: str) -> AudioInput:
    """The input whose name is `name`, else the only one whose name contains it, whatever the case; `""`: the default.

    Raises AudioDeviceError, listing the inputs, where there is none or more than one.
    """
    inputs = list_inputs()
    if not inputs:
        raise AudioDeviceError("no sound input on this machine; plug in a microphone or a sound card, or give a file")
    if not name:
        return _default_input(inputs)
    wanted = name.casefold()
    found = [entry for entry in inputs if entry.name.casefold() == wanted]
    found = found or [entry for entry in inputs if wanted in entry.name.casefold()]
    if not found:
        raise AudioDeviceError(f"mic:{name}: no input has that in its name; inputs are {_names(inputs)}")
    if len(found) > 1:
        raise AudioDeviceError(f"mic:{name}: that fits {_names(found)}; give more of the name")
    return found[0]


def _default_input(inputs: list[AudioInput]) -> AudioInput:
    default = maybe_default_input(inputs)
    if default is None:
        raise AudioDeviceError(f"mic: no default input is set; choose one with mic:NAME, inputs are {_names(inputs)}")
    return default


def _input_from_portaudio(device: dict[str, Any]) -> AudioInput:
    return AudioInput(
        index=device["index"],
        name=device["name"],
        channels=device["max_input_channels"],
        native_rate_hz=round(device["default_samplerate"]),
    )


def _names(inputs: list[AudioInput]) -> str:
    return ", ".join(repr(entry.name) for entry in inputs)
