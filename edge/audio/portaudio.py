"""PortAudio itself: its inputs, and a stream of one.

It runs in processes of its own, which edge/audio/portaudio_program.py starts and edge/audio/capture_process.py ends.
Nothing else imports this file.
"""

from __future__ import annotations

from collections.abc import Iterable
from types import ModuleType
from typing import Any, Protocol, cast

from edge.audio.audio_input import USED_CHANNELS, AudioInput
from edge.audio.capture_clock import boot_clock_s
from edge.audio.capture_messages import Sound
from edge.audio.capture_queue import CaptureQueue
from edge.audio.cards import maybe_card_of, read_cards
from edge.audio.sample_rates import MAX_SAMPLE_RATE_HZ, MIN_SAMPLE_RATE_HZ, OTHER_RATES_HZ, USUAL_RATES_HZ
from edge.errors import AudioDeviceError

BLOCK_S = 0.1
"""A live view moves ten times a second."""
DTYPE = "float32"


class CallbackTime(Protocol):
    """When PortAudio captured a block, as sounddevice passes it on."""

    @property
    def inputBufferAdcTime(self) -> float:
        """Seconds, of the block's first sample."""


class CallbackStatus(Protocol):
    """What went wrong before a block, as sounddevice passes it on."""

    @property
    def input_overflow(self) -> bool:
        """Sound was lost because nobody fetched it in time."""


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


def query_inputs(try_rates: bool = False) -> list[AudioInput]:
    """Every input, in PortAudio's order. Raises AudioDeviceError where PortAudio is missing or fails."""
    sounddevice = load_sounddevice()
    try:
        devices = list(sounddevice.query_devices())
    except sounddevice.PortAudioError as error:
        raise AudioDeviceError(
            f"PortAudio cannot list the sound inputs ({error}); is a sound server half up?"
        ) from error
    return [_input_from_portaudio(device, try_rates) for device in devices if device["max_input_channels"] > 0]


def accepted_rates(index: int, channels: int, rates_hz: Iterable[int]) -> Iterable[int]:
    """Those of `rates_hz` at which PortAudio says that it could open an input, one after the other."""
    sounddevice = load_sounddevice()
    for rate_hz in rates_hz:
        try:
            sounddevice.check_input_settings(index, channels, DTYPE, samplerate=rate_hz)
        except sounddevice.PortAudioError:
            continue
        yield rate_hz


def usable_rate_hz(chosen: AudioInput) -> int:
    """The card's own rate, or, where it lies outside the features' range, the first other one that the card accepts.

    Raises AudioDeviceError where there is none.
    """
    if MIN_SAMPLE_RATE_HZ <= chosen.native_rate_hz <= MAX_SAMPLE_RATE_HZ:
        return chosen.native_rate_hz
    for rate_hz in accepted_rates(chosen.index, chosen.used_channels, OTHER_RATES_HZ):
        return rate_hz
    raise AudioDeviceError(
        f"mic:{chosen.name}: runs at {chosen.native_rate_hz} Hz only; "
        f"use an input between {MIN_SAMPLE_RATE_HZ} and {MAX_SAMPLE_RATE_HZ} Hz"
    )


def open_stream(chosen: AudioInput, sample_rate_hz: int, captured: CaptureQueue) -> object:
    """A stream that captures into `captured` as long as somebody holds it. Raises AudioDeviceError."""
    sounddevice = load_sounddevice()

    def on_sound(data: object, frames: int, time: CallbackTime, status: CallbackStatus) -> None:
        now_s, adc_s = boot_clock_s(), time.inputBufferAdcTime
        captured.put(Sound(frames, now_s, adc_s, status.input_overflow, data=bytes(cast(bytes, data))))

    try:
        stream = sounddevice.RawInputStream(
            device=chosen.index,
            samplerate=sample_rate_hz,
            channels=chosen.used_channels,
            dtype=DTYPE,
            blocksize=round(BLOCK_S * sample_rate_hz),
            latency="high",
            callback=on_sound,
            finished_callback=captured.end,
        )
        stream.start()
    except sounddevice.PortAudioError as error:
        raise AudioDeviceError(
            f"mic:{chosen.name}: cannot be opened at {sample_rate_hz} Hz ({error}); is another program using it?"
        ) from error
    return cast(object, stream)


def _input_from_portaudio(device: dict[str, Any], try_rates: bool) -> AudioInput:
    index, channels = device["index"], device["max_input_channels"]
    return AudioInput(
        index=index,
        name=device["name"],
        channels=channels,
        native_rate_hz=round(device["default_samplerate"]),
        is_default=index == load_sounddevice().default.device[0],
        card=maybe_card_of(device["name"], read_cards()),
        accepted_rates_hz=tuple(accepted_rates(index, min(channels, USED_CHANNELS), USUAL_RATES_HZ))
        if try_rates
        else None,
    )
