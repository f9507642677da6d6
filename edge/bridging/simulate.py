"""`respire-edge bridge simulate`: a recording, played by a device that is not there."""

from __future__ import annotations

import sys
import time
from argparse import Namespace
from collections.abc import Callable
from contextlib import closing
from dataclasses import asdict, dataclass
from pathlib import Path
from random import Random
from typing import TextIO

import numpy as np
from numpy.typing import NDArray

from edge.audio.recording import read_recording
from edge.bridging.command_line import CODECS
from edge.errors import UsageError
from edge.labels import LABELS
from edge.signal.resample import design_resampler, finish_resampling, resample
from edge.stopping import stop_requests
from firmware_bridge.codecs import payload_bytes
from firmware_bridge.device_ends import DeviceEnd, PtyEnd, TcpEnd, UdpEnd
from firmware_bridge.frame import MAX_PAYLOAD_BYTES
from firmware_bridge.impairments import Impairments, Way
from firmware_bridge.messages import Codec
from firmware_bridge.simulation import simulate as simulated
from firmware_bridge.simulator import ALONE_S, Heard, Settings, SimulatedDevice

FRAME_S = 0.010


@dataclass(frozen=True)
class SimulateOptions:
    """What a person typed."""

    path: Path
    transport: str
    to: str
    codec: Codec
    rate_hz: int | None
    """None: that of the recording."""
    frame_s: float | None
    """None: `FRAME_S`, or what fits a frame."""
    loop: bool
    speed: float
    seed: int
    seconds: float | None
    impairments: Impairments
    ppm: float
    restart_s: float


def simulate(options: SimulateOptions, out: TextIO | None = None) -> int:
    """Be the device until the recording is over or somebody asks to stop. Returns 0; raises EdgeError.

    Writes where the host finds the device, each RESULT that comes back, and in the end what was done to the frames.
    """
    out = out or sys.stdout
    samples, settings = _played(options)
    clock = _faster(time.monotonic, options.speed)
    # Two generators: what befalls the frames shall be the same however often the device starts anew.
    device = SimulatedDevice(samples, settings, Random(options.seed), clock())
    way = Way(options.impairments, Random(options.seed + 1))
    with closing(_end(options)) as end, stop_requests() as stopping:
        _say(out, end.name)
        begin_s, shown = time.monotonic(), 0
        for _ in simulated(device, end, way, clock, time.sleep):
            for heard in device.results[shown:]:
                _say(out, line_from_result(heard))
            shown = len(device.results)
            if stopping() or (options.seconds is not None and time.monotonic() - begin_s >= options.seconds):
                break
    _say(out, summary(device, way))
    return 0


def options_from_arguments(arguments: Namespace) -> SimulateOptions:
    """Of a parsed command line."""
    wrong = Impairments(
        arguments.loss, arguments.burst, arguments.burst_every, arguments.corrupt, arguments.duplicate,
        arguments.reorder, arguments.jitter,
    )  # fmt: skip
    return SimulateOptions(
        path=arguments.path,
        transport=arguments.transport,
        to=arguments.to,
        codec=CODECS[arguments.codec],
        rate_hz=arguments.rate,
        frame_s=arguments.frame,
        loop=arguments.loop,
        speed=arguments.speed,
        seed=arguments.seed,
        seconds=arguments.seconds,
        impairments=wrong,
        ppm=arguments.ppm,
        restart_s=arguments.restart,
    )


def line_from_result(heard: Heard) -> str:
    """What a device's display would show of a window."""
    result = heard.result
    if result.label < len(LABELS):
        return f"result  {heard.end_s:7.2f} s  {LABELS[result.label]} {result.confidence_percent} %"
    return f"result  {heard.end_s:7.2f} s  refused"


def summary(device: SimulatedDevice, way: Way) -> str:
    """One line: how many frames were sent, and how many met each fault; `name=number` for programs."""
    counts = {**asdict(way.faults), "restarts": device.restarts, "cut": device.cut_frames}
    counts |= {"unsent": device.unsent_frames, "results": len(device.results)}
    return "done  " + " ".join(f"{name}={count}" for name, count in counts.items())


def _played(options: SimulateOptions) -> tuple[NDArray[np.float32], Settings]:
    """The recording, float32 [n, 1], and the device that plays it."""
    if options.impairments.reorder and options.transport != "udp":
        raise UsageError("--reorder: only datagrams overtake each other; add --transport udp")
    recording = read_recording(options.path)
    rate_hz = options.rate_hz or recording.sample_rate_hz
    if rate_hz > recording.sample_rate_hz:
        raise UsageError(
            f"--rate {rate_hz}: {options.path} has {recording.sample_rate_hz} Hz; choose no more than that"
        )
    settings = Settings(
        rate_hz,
        options.codec,
        _frame_samples(options, rate_hz),
        options.ppm,
        options.restart_s,
        options.loop,
        announces=options.transport == "udp",
        alone_s=ALONE_S * options.speed,
    )
    return _resampled(recording.samples, recording.sample_rate_hz, rate_hz)[:, np.newaxis], settings


def _frame_samples(options: SimulateOptions, rate_hz: int) -> int:
    """Raises UsageError for more than a frame holds."""
    count = max(round((options.frame_s or FRAME_S) * rate_hz), 1)
    size = payload_bytes(options.codec, count, 1)
    if size > MAX_PAYLOAD_BYTES and options.frame_s is not None:
        raise UsageError(
            f"--frame: {count} samples need {size} bytes, a frame holds {MAX_PAYLOAD_BYTES}; name less time"
        )
    return count if size <= MAX_PAYLOAD_BYTES else count * MAX_PAYLOAD_BYTES // size


def _resampled(samples: NDArray[np.float32], from_hz: int, to_hz: int) -> NDArray[np.float32]:
    design = design_resampler(from_hz, to_hz)
    outputs, state = resample(samples, design.initial_state(), design)
    return outputs if from_hz == to_hz else np.concatenate([outputs, finish_resampling(state, design)])


def _end(options: SimulateOptions) -> DeviceEnd:
    if options.transport == "pty":
        return PtyEnd()
    host, _, port = options.to.rpartition(":")
    if not port.isdecimal() or not 0 < int(port) < 1 << 16:
        raise UsageError(f"--to {options.to}: not HOST:PORT; give, for example, 127.0.0.1:5555")
    try:
        if options.transport == "udp":
            return UdpEnd(host or "127.0.0.1", int(port))
        return TcpEnd(host or "127.0.0.1", int(port), time.monotonic)
    except OSError as error:
        raise UsageError(f"--to {options.to}: no such host ({error.strerror or error}); check its name") from error


def _faster(clock: Callable[[], float], speed: float) -> Callable[[], float]:
    begin_s = clock()
    return lambda: (clock() - begin_s) * speed


def _say(out: TextIO, line: str) -> None:
    out.write(line + "\n")
    out.flush()
