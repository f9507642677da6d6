"""`respire-edge devices`: the stethoscopes that have a profile, and the sound inputs of this machine."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator
from typing import TextIO

from edge.audio.inputs import AudioInput, list_inputs, maybe_default_input
from edge.profiles import Profile, load_profiles

NO_RADIO = (
    "No vendor's radio link is supported. --device names a profile: quality limits and the model to prefer. The sound\n"
    "comes from a sound input (--source mic:NAME), a recording (--source FILE) or the simulation (--source demo)."
)


def devices(out: TextIO | None = None) -> int:
    """Write both lists to `out`, by default standard output. Returns the exit code 0.

    Raises ProfileError, and AudioDeviceError once the stethoscopes are written.
    """
    out = out or sys.stdout
    _write(out, _profile_lines(load_profiles().values()))
    _write(out, _input_lines(list_inputs()))
    _write(out, [NO_RADIO])
    return 0


def _profile_lines(profiles: Iterable[Profile]) -> Iterator[str]:
    yield "Stethoscopes (--device NAME)"
    for profile in profiles:
        rates = ", ".join(f"{rate} Hz" for rate in profile.native_sample_rates_hz)
        yield f"    {profile.name:14} {profile.title}; {rates}"
        yield f"    {'':14} sound: {profile.connection}"
    yield ""


def _input_lines(inputs: list[AudioInput]) -> Iterator[str]:
    default = maybe_default_input(inputs)
    yield "Sound inputs (--source mic:NAME, part of the name will do; * is what --source mic takes)"
    for entry in inputs:
        mark = "*" if entry == default else " "
        yield f"  {mark} {entry.name}; {entry.channels} channels, {entry.native_rate_hz} Hz"
    if not inputs:
        yield "    none; plug in a microphone or a sound card"
    yield ""


def _write(out: TextIO, lines: Iterable[str]) -> None:
    out.writelines(f"{line}\n" for line in lines)
