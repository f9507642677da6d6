"""The sound inputs, and the rates that each accepts."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict

from edge.audio.audio_input import AudioInput, stable_selector
from edge.audio.inputs import list_inputs
from edge.audio.sample_rates import MAX_SAMPLE_RATE_HZ, MIN_SAMPLE_RATE_HZ
from edge.checks.finding import DoctorOptions, Finding
from edge.checks.host import Host
from edge.checks.packages import maybe_import_failure, mend_of_package
from edge.checks.sound_server import restart_command
from edge.errors import AudioDeviceError

WHO_HOLDS_IT = "fuser -v /dev/snd/*"
CONTAINER_OPTIONS = "-v /dev/snd:/dev/snd --device-cgroup-rule 'c 116:* rw' --group-add audio"
"""The folder and the kind of device (116 is ALSA), not the devices: a card that is plugged in again is a new one."""


def check_inputs(host: Host, _: DoctorOptions) -> Iterator[Finding]:
    """Every input. None at all is no fault: recordings can be scored without one."""
    if maybe_import_failure("sounddevice") is not None:
        mend = mend_of_package("sounddevice", host)
        yield Finding("sound inputs", False, "not looked for: sounddevice cannot be imported", mend)
        return
    try:
        inputs = list_inputs(try_rates=True)
    except AudioDeviceError as error:
        yield Finding("sound inputs", False, str(error).partition("; ")[0], restart_command(host))
        return
    if not inputs:
        yield _no_input(host)
    for entry in inputs:
        yield _finding_from_input(entry, inputs)


def _finding_from_input(entry: AudioInput, inputs: Sequence[AudioInput]) -> Finding:
    rates_hz = entry.accepted_rates_hz or ()
    fields = {
        "input": entry.name,
        "selector": f"mic:{stable_selector(entry, inputs)}",
        "channels": entry.channels,
        "native_rate_hz": entry.native_rate_hz,
        "accepted_rates_hz": list(rates_hz),
        "is_default": entry.is_default,
        "card": None if entry.card is None else asdict(entry.card),
    }
    usable = any(MIN_SAMPLE_RATE_HZ <= rate_hz <= MAX_SAMPLE_RATE_HZ for rate_hz in rates_hz)
    accepts = f"accepts {', '.join(map(str, rates_hz))} Hz" if rates_hz else "accepts none of the usual rates"
    default = "; the default" if entry.is_default else ""
    measured = (
        f"{entry.channels} channels at {entry.native_rate_hz} Hz, {accepts}{default}; --source {fields['selector']}"
    )
    mend = "" if usable else f"another program may hold it: {WHO_HOLDS_IT} says which"
    return Finding(f"sound input {entry.name}", True, measured, mend, fields)


def _no_input(host: Host) -> Finding:
    cards = [name for name in host.files("sys/class/sound/card*") if name[-1].isdecimal()]
    fields = {"inputs": 0, "cards": len(cards)}
    if cards and not host.is_container:
        measured = f"none, though the kernel knows {len(cards)} sound cards"
        return Finding("sound inputs", False, measured, f"{WHO_HOLDS_IT}, then: {restart_command(host)}", fields)
    if host.is_container:
        mend = f"start the container with: docker run {CONTAINER_OPTIONS}"
    else:
        mend = "plug in a microphone or a sound card, then: respire-edge devices"
    return Finding("sound inputs", True, "none; recordings can be scored without one", mend, fields)
