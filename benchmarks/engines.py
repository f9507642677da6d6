"""Time of one window through each network file of a bundle."""

from dataclasses import replace
from functools import partial

import numpy as np

from benchmarks.report import Table
from benchmarks.simulated_sound import breathing
from benchmarks.timing import medians_ms
from edge.bundle import Bundle
from edge.engine.engine import open_engine
from edge.signal.image import image_from_window

COLUMNS = ("file", "engine", "one window, ms", "network files, MB")
NOTE = "One thread, as `respire-edge` runs it; medians of {repeats} interleaved rounds. Bundle: {model_id}."


def measure_engines(bundle: Bundle, repeats: int) -> Table:
    """One row for each file of `bundle`."""
    image = image_from_window(breathing(bundle.spec.window_s, bundle.spec.sample_rate_hz), bundle.spec)[np.newaxis]
    engines = {name: open_engine(replace(bundle, files={name: file})) for name, file in bundle.files.items()}
    times = medians_ms({name: partial(engine.infer, image) for name, engine in engines.items()}, repeats)
    rows = [
        (name, engine.name, f"{times[name]:.2f}", f"{bundle.files[name].path.stat().st_size / 1e6:.1f}")
        for name, engine in engines.items()
    ]
    for engine in engines.values():
        engine.close()
    return Table("Network", COLUMNS, rows, NOTE.format(repeats=repeats, model_id=bundle.model_id))
