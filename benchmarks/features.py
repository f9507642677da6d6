"""Feature time of one window: the project's NumPy chain beside SciPy, librosa and OpenCV."""

from collections.abc import Callable
from functools import partial

import cv2
import numpy as np
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from benchmarks.reference_chain import reference_chain
from benchmarks.report import Table
from benchmarks.simulated_sound import breathing
from benchmarks.timing import medians_ms
from edge.signal.bandpass import bandpass, design_bandpass
from edge.signal.image import image_from_window
from edge.signal.spec import SPECS, FeatureSpec

COLUMNS = ("spec", "ours, ms", "SciPy + librosa + OpenCV, ms", "ratio", "filterbank kept, ms", "ratio", "same pixels")
NOTE = """\
From 7 s of samples at 4 kHz to the image: band-pass, mel levels, image. One thread everywhere; medians of {repeats}
interleaved rounds. The libraries run in two ways: as they are commonly called, `melspectrogram` making its filterbank
for each window, and with the filterbank kept. To reach: a ratio of at least 2."""


def measure_features(repeats: int) -> Table:
    """One row for each spec."""
    opencv_threads = cv2.getNumThreads()
    try:
        cv2.setNumThreads(1)
        with threadpool_limits(limits=1):
            rows = [_row(spec, repeats) for spec in SPECS.values()]
    finally:
        cv2.setNumThreads(opencv_threads)
    return Table("Features of one window", COLUMNS, rows, NOTE.format(repeats=repeats))


def _row(spec: FeatureSpec, repeats: int) -> list[str]:
    samples = breathing(spec.window_s, spec.sample_rate_hz)
    edges_hz = (spec.bandpass_low_hz, spec.bandpass_high_hz)
    design = design_bandpass(spec.bandpass_order, *edges_hz, spec.sample_rate_hz)
    common, kept = (reference_chain(spec, keep_filterbank=keep) for keep in (False, True))

    def ours() -> NDArray[np.uint8]:
        filtered, _ = bandpass(samples, design.initial_state(), design)
        return image_from_window(filtered.astype(np.float32), spec)

    same = np.mean(ours() == common.image(samples))
    cases: dict[str, Callable[[], object]] = {
        "ours": ours,
        "common": partial(common.image, samples),
        "kept": partial(kept.image, samples),
    }
    times = medians_ms(cases, repeats)
    ratios = {name: f"{times[name] / times['ours']:.1f}" for name in ("common", "kept")}
    figures = [f"{times[name]:.2f}" for name in ("ours", "common", "kept")]
    return [spec.name, figures[0], figures[1], ratios["common"], figures[2], ratios["kept"], f"{same:.2%}"]
