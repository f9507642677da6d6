"""Feature time of one window: the project's NumPy chain beside SciPy, librosa and OpenCV."""

from collections.abc import Callable
from functools import partial

import numpy as np
from numpy.typing import NDArray

from benchmarks.reference_chain import ReferenceChain, reference_chain
from benchmarks.report import Table
from benchmarks.simulated_sound import breathing
from benchmarks.timing import medians_ms, one_thread
from edge.signal.bandpass import bandpass, design_bandpass
from edge.signal.image import image_from_window, levels_from_window
from edge.signal.spec import COMPACT, PAPER_SPECS, FeatureSpec

COLUMNS = ("up to", "ours, ms", "libraries, ms", "ratio", "libraries, filterbank kept, ms", "ratio", "same pixels")
NOTE = """\
From 7 s of samples at 4 kHz. *8-bit levels*, which both specs share: band-pass, mel levels, stretched to 0..255; beside
SciPy and librosa. The *images* of the specs: the same, then clipping, and for `respirenet` colours and enlargement;
beside SciPy, librosa and OpenCV. One thread everywhere; medians of {repeats} interleaved rounds. The libraries run two
ways: as commonly called, `melspectrogram` making its filterbank for each window, and with the filterbank kept.
To reach: a ratio of at least 2. OpenCV's resizing is native code with its own vector instructions, so the colour image,
which is mostly resizing, does not reach it."""

Picture = Callable[[NDArray[np.float32]], NDArray[np.uint8]]


def measure_features(repeats: int) -> Table:
    """A row for the levels and one for the image of each spec."""
    with one_thread():
        rows = [_levels_row(COMPACT, repeats), *(_image_row(spec, repeats) for spec in PAPER_SPECS.values())]
    return Table("Features of one window", COLUMNS, rows, NOTE.format(repeats=repeats))


def _levels_row(spec: FeatureSpec, repeats: int) -> list[str]:
    common, kept = _references(spec)
    ours = _after_bandpass(spec, partial(levels_from_window, spec=spec))
    return ["8-bit levels", *_figures(spec, ours, common.levels, kept.levels, repeats)]


def _image_row(spec: FeatureSpec, repeats: int) -> list[str]:
    common, kept = _references(spec)
    ours = _after_bandpass(spec, partial(image_from_window, spec=spec))
    return [f"image, {spec.name}", *_figures(spec, ours, common.image, kept.image, repeats)]


def _references(spec: FeatureSpec) -> tuple[ReferenceChain, ReferenceChain]:
    return reference_chain(spec, keep_filterbank=False), reference_chain(spec, keep_filterbank=True)


def _after_bandpass(spec: FeatureSpec, picture: Picture) -> Picture:
    edges_hz = (spec.bandpass_low_hz, spec.bandpass_high_hz)
    design = design_bandpass(spec.bandpass_order, *edges_hz, spec.sample_rate_hz)

    def ours(samples: NDArray[np.float32]) -> NDArray[np.uint8]:
        filtered, _ = bandpass(samples, design.initial_state(), design)
        return picture(filtered.astype(np.float32))

    return ours


def _figures(spec: FeatureSpec, ours: Picture, common: Picture, kept: Picture, repeats: int) -> list[str]:
    samples = breathing(spec.window_s, spec.sample_rate_hz)
    same = np.mean(ours(samples) == common(samples))
    sides = {"ours": ours, "common": common, "kept": kept}
    times = medians_ms({name: partial(side, samples) for name, side in sides.items()}, repeats)
    ratios = {name: f"{times[name] / times['ours']:.1f}" for name in sides}
    ours_ms, common_ms, kept_ms = (f"{times[name]:.2f}" for name in sides)
    return [ours_ms, common_ms, ratios["common"], kept_ms, ratios["kept"], f"{same:.2%}"]
