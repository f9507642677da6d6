"""Time of one window in ONNX Runtime: each network in float32 beside its files of lower precision."""

import time
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial

from benchmarks.networks import TimedNetwork, simulated_images
from benchmarks.report import Ratio, Table, verdict, wrapped
from benchmarks.timing import medians_ms, one_thread
from edge.bundle import ModelFile

TO_REACH = 3.0
CALLS_IN_A_ROW = 12
COLUMNS = ("network", "image", "file", "one window, ms", "times as fast as FP32")
NOTE = """\
One thread, as `respire-edge` runs it; processor time, medians of {repeats} interleaved rounds of {in_a_row} calls in a
row, whose second half counts: as when recordings are scored, the processor's caches hold one network. The first network
is the released one, with its weights; full-width ResNet-34 is the paper's, with random weights, since only its time is
of interest and that does not depend on them. `int8-u8.onnx` is what runs on a processor. `int8-s8.onnx` and `fp16.onnx`
are made for TensorRT: ONNX Runtime computes them as floats. To reach: `int8-u8.onnx` {to_reach:g} times as fast as
FP32. {verdict}"""
FEW_MAPS = """\
 ONNX Runtime's integer kernels gain least over its float ones where layers have few feature maps: half the width has 32
to 256, the paper's 64 to 512."""


@dataclass(frozen=True)
class FileTime:
    """One file of one network."""

    network: TimedNetwork
    file: ModelFile
    window_ms: float
    maybe_ratio: float | None
    """How many times as fast as the network's FP32 file, where it has one."""


def measure_precisions(networks: Sequence[TimedNetwork], repeats: int) -> Table:
    """A row for each file of each network."""
    with one_thread():
        timed = [each for network in networks for each in file_times(network, repeats)]
    ratios = [_promise(each) for each in timed if each.file.activations == "uint8" and each.maybe_ratio is not None]
    note = NOTE.format(repeats=repeats, in_a_row=CALLS_IN_A_ROW, to_reach=TO_REACH, verdict=verdict(ratios))
    note += "" if all(ratio.reached for ratio in ratios) else FEW_MAPS
    return Table("FP32 and INT8 side by side", COLUMNS, [_row(each) for each in timed], wrapped(note))


def file_times(network: TimedNetwork, repeats: int) -> list[FileTime]:
    """FP32 first, then the bundle's files."""
    own = [file for file in network.bundle.files.values() if file != network.maybe_fp32]
    files = own if network.maybe_fp32 is None else [network.maybe_fp32, *own]
    image = simulated_images(network.bundle.spec, 1)
    with ExitStack() as stack:
        engines = {file.path.name: stack.enter_context(network.engine(file)) for file in files}
        cases = {name: partial(engine.infer, image) for name, engine in engines.items()}
        times_ms = medians_ms(cases, repeats, time.process_time, in_a_row=CALLS_IN_A_ROW)
    maybe_fp32_ms = times_ms[network.maybe_fp32.path.name] if network.maybe_fp32 is not None else None
    return [_file_time(network, file, times_ms[file.path.name], maybe_fp32_ms) for file in files]


def _file_time(network: TimedNetwork, file: ModelFile, window_ms: float, maybe_fp32_ms: float | None) -> FileTime:
    return FileTime(network, file, window_ms, None if maybe_fp32_ms is None else maybe_fp32_ms / window_ms)


def _promise(timed: FileTime) -> Ratio:
    return Ratio(f"{timed.network.title} on `{timed.network.bundle.spec.name}`", timed.maybe_ratio or 0.0, TO_REACH)


def _row(timed: FileTime) -> list[str]:
    network = timed.network
    ratio = "" if timed.maybe_ratio is None else f"{timed.maybe_ratio:.2f}"
    return [network.title, network.bundle.spec.name, timed.file.path.name, f"{timed.window_ms:.2f}", ratio]
