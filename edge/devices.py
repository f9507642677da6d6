"""`respire-edge devices`: the stethoscopes that have a profile, and the sound inputs of this machine."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator
from typing import TextIO

from edge.audio.audio_input import AudioInput, stable_selector
from edge.audio.inputs import list_inputs
from edge.profiles import Profile, load_profiles

NO_RADIO = (
    "No vendor's radio link is supported. --device names a profile: quality limits and the model to prefer. The sound\n"
    "comes from a sound input (--source mic:NAME), a recording (--source FILE) or the simulation (--source demo)."
)


def devices(*, try_rates: bool = False, out: TextIO | None = None) -> int:
    """Write both lists to `out`, by default standard output. Returns the exit code 0.

    `try_rates`: say of each input which of the usual rates it accepts.

    Raises ProfileError, and AudioDeviceError once the stethoscopes are written.
    """
    out = out or sys.stdout
    _write(out, _profile_lines(load_profiles().values()))
    _write(out, lines_from_inputs(list_inputs(try_rates=try_rates)))
    _write(out, [NO_RADIO])
    return 0


def lines_from_inputs(inputs: list[AudioInput]) -> Iterator[str]:
    """What is told of the sound inputs of a machine."""
    yield "Sound inputs (--source mic:NAME, part of the name will do; * is what --source mic takes)"
    for entry in inputs:
        mark = "*" if entry.is_default else " "
        yield f"  {mark} {entry.name}; {entry.channels} channels, {entry.native_rate_hz} Hz"
        if entry.card is not None:
            yield f"    {'':4}--source mic:{stable_selector(entry, inputs)}, whatever the order of the cards"
        if entry.accepted_rates_hz is not None:
            yield f"    {'':4}accepts {', '.join(map(str, entry.accepted_rates_hz)) or 'none of the usual rates,'} Hz"
    if not inputs:
        yield "    none; plug in a microphone or a sound card"
    yield ""


def _profile_lines(profiles: Iterable[Profile]) -> Iterator[str]:
    yield "Stethoscopes (--device NAME)"
    for profile in profiles:
        rates = ", ".join(f"{rate} Hz" for rate in profile.native_sample_rates_hz)
        yield f"    {profile.name:14} {profile.title}; {rates}"
        yield f"    {'':14} sound: {profile.connection}"
    yield ""


def _write(out: TextIO, lines: Iterable[str]) -> None:
    out.writelines(f"{line}\n" for line in lines)
