"""A window from samples to its label: this project's chain beside the authors'."""

import os
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from benchmarks.networks import PaperNetwork, TimedNetwork
from benchmarks.reference_chain import reference_chain
from benchmarks.report import Ratio, Table, verdict, wrapped
from benchmarks.simulated_sound import breathing
from benchmarks.timing import threads
from edge.engine.engine import Engine, open_engine
from edge.labels import LABELS
from edge.signal.conditioning import condition_recording
from edge.signal.image import image_from_window
from edge.signal.spec import COMPACT, RESPIRENET, FeatureSpec

TO_REACH = {"levels": 25.0, "colour": 4.0}
"""By the layout of the images."""
WINDOWS_IN_A_ROW = 6
COLUMNS = (
    "ours",
    "image",
    "engine",
    "ours: image, ms",
    "network, ms",
    "together, ms",
    "the authors': threads",
    "image, ms",
    "network, ms",
    "together, ms",
    "ratio",
    "to reach",
)
NOTE = """\
From 7 s of samples at 4 kHz to the label. Ours: band-pass, image, and the network in ONNX Runtime with one thread, as
`respire-edge` runs it. The authors': their image (3 × 192 × 657) with SciPy, librosa and OpenCV as commonly called, and
the paper's network in PyTorch, float32, their normalisation with it; once with one thread and once with as many as
there are cores, where ours keeps to one. Networks as in the table above. Medians of {repeats} interleaved rounds of
{in_a_row} windows in a row, whose second half counts: processor time of one thread. Several threads wait for each other
where the machine is busy, so theirs is the least elapsed time. To reach, with one thread on both sides: {compact:g} for
`compact`, {respirenet:g} for `respirenet`. {verdict}"""

Float32 = NDArray[np.float32]
UInt8 = NDArray[np.uint8]
StepTimes = tuple[float, float]
"""Milliseconds of one window: image, network."""


@dataclass(frozen=True)
class Chain:
    """One way from samples to a label, in the two steps that are timed."""

    image: Callable[[Float32], UInt8]
    """float32 [window_samples] at the features' rate -> uint8 [C, H, W]."""
    probabilities: Callable[[UInt8], Float32]
    """uint8 [C, H, W] -> float32 [4]."""
    threads: int

    def label(self, image: UInt8) -> str:
        """The likeliest class."""
        return LABELS[int(np.argmax(self.probabilities(image)))]


@dataclass(frozen=True)
class ChainTime:
    """Milliseconds over the same rounds: medians of one thread's, the least of several threads'."""

    image_ms: float
    network_ms: float
    together_ms: float


@dataclass(frozen=True)
class OurRow:
    """One of this project's chains."""

    network: TimedNetwork
    engine_name: str
    time: ChainTime


def measure_chains(released: TimedNetwork, paper: Mapping[str, PaperNetwork], repeats: int) -> Table:
    """A row for each of our chains beside the authors' with each number of threads. `paper` is by spec name."""
    ours = [released, *(paper[spec.name].timed for spec in (COMPACT, RESPIRENET))]
    counts = sorted({1, len(os.sched_getaffinity(0))})
    with ExitStack() as stack:
        engines = [stack.enter_context(open_engine(network.bundle, "onnx")) for network in ours]
        chains = [our_chain(network.bundle.spec, engine) for network, engine in zip(ours, engines, strict=True)]
        chains += [authors_chain(paper[RESPIRENET.name], count) for count in counts]
        times = chain_times(chains, breathing(RESPIRENET.window_s, RESPIRENET.sample_rate_hz), repeats)
    names = [engine.name for engine in engines]
    our_rows = [OurRow(*each) for each in zip(ours, names, times[: len(ours)], strict=True)]
    return _table(our_rows, dict(zip(counts, times[len(ours) :], strict=True)), repeats)


def our_chain(spec: FeatureSpec, engine: Engine) -> Chain:
    """What `respire-edge` does with a window, on one thread."""
    return Chain(
        image=lambda samples: image_from_window(condition_recording(samples, spec.sample_rate_hz, spec), spec),
        probabilities=lambda image: engine.infer(image[np.newaxis])[0],
        threads=1,
    )


def authors_chain(paper: PaperNetwork, thread_count: int) -> Chain:
    """Their image and network in their libraries."""

    @torch.inference_mode()
    def probabilities(image: UInt8) -> Float32:
        logits = paper.network(torch.from_numpy(np.ascontiguousarray(image))[None])
        return np.asarray(torch.softmax(logits, dim=1)[0].numpy(), dtype=np.float32)

    return Chain(reference_chain(paper.timed.bundle.spec, keep_filterbank=False).image, probabilities, thread_count)


def chain_times(chains: Sequence[Chain], samples: Float32, repeats: int) -> list[ChainTime]:
    """One for each chain; each round takes some windows in a row through each, of which the second half counts."""
    rounds: list[list[StepTimes]] = [[] for _ in chains]
    for _ in range(repeats):
        for chain, counted in zip(chains, rounds, strict=True):
            with threads(chain.threads):
                row = [_step_times_ms(chain, samples) for _ in range(WINDOWS_IN_A_ROW)]
            counted += row[WINDOWS_IN_A_ROW // 2 :]
    return [_typical(counted, chain.threads) for counted, chain in zip(rounds, chains, strict=True)]


def _typical(times_ms: Sequence[StepTimes], thread_count: int) -> ChainTime:
    typical = np.median if thread_count == 1 else np.min
    image_ms, network_ms = typical(times_ms, axis=0)
    return ChainTime(float(image_ms), float(network_ms), float(typical(np.sum(times_ms, axis=1))))


def _step_times_ms(chain: Chain, samples: Float32) -> StepTimes:
    clock_s = time.process_time if chain.threads == 1 else time.perf_counter
    begin_s = clock_s()
    image = chain.image(samples)
    image_s = clock_s()
    chain.label(image)
    return (image_s - begin_s) * 1000, (clock_s() - image_s) * 1000


def _table(ours: Sequence[OurRow], authors: Mapping[int, ChainTime], repeats: int) -> Table:
    """`authors` is by their number of threads."""
    rows = [_row(row, count, their_time) for row in ours for count, their_time in authors.items()]
    promises = [_promise(row, authors[1]) for row in ours]
    to_reach = {spec.name: TO_REACH[spec.layout] for spec in (COMPACT, RESPIRENET)}
    note = NOTE.format(repeats=repeats, in_a_row=WINDOWS_IN_A_ROW, verdict=verdict(promises), **to_reach)
    return Table("A window, from samples to label", COLUMNS, rows, wrapped(note))


def _promise(row: OurRow, authors: ChainTime) -> Ratio:
    spec = row.network.bundle.spec
    measured = authors.together_ms / row.time.together_ms
    return Ratio(f"{row.network.title} on `{spec.name}`", measured, TO_REACH[spec.layout])


def _row(row: OurRow, authors_threads: int, authors: ChainTime) -> list[str]:
    promise = _promise(row, authors)
    return [
        row.network.title,
        row.network.bundle.spec.name,
        row.engine_name,
        *_cells(row.time),
        str(authors_threads),
        *_cells(authors),
        f"{promise.measured:.1f}",
        f"{promise.to_reach:g}" if authors_threads == 1 else "",
    ]


def _cells(chain_time: ChainTime) -> list[str]:
    return [f"{value:.2f}" for value in (chain_time.image_ms, chain_time.network_ms, chain_time.together_ms)]
