"""Draws recordings as spectrograms for people who mark what they hold: coughs, voices, crying.

    python -m tools.draw_recordings --to FOLDER RECORDING ...
    python -m tools.draw_recordings --to FOLDER --marks train/sound_marks/icbhi_marks.tsv RECORDING ...

One PNG for each half minute of a recording, up to 1.4 kHz, in rows of six seconds with a tick every half second; under
each row the level of the conditioned sound in steps of 10 ms. Levels are shown 9 dB an octave higher towards high
frequencies, because a chest takes about as much away. Annotated cycles begin and end at the dashed lines; marks are
drawn where `--marks` names a file of them.
"""

from __future__ import annotations

import argparse
import math
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from edge.annotations import annotations_beside, read_annotations
from edge.audio.recording import read_recording
from edge.signal.conditioning import condition_recording
from edge.signal.spec import COMPACT
from train.figures.picture import save_picture
from train.sound_marks.marks import Mark, read_marks

Float32 = NDArray[np.float32]

RATE_HZ = COMPACT.sample_rate_hz
FRAME_SAMPLES, HOP_SAMPLES = 224, 20
"""56 ms, under a Hann window, tell harmonics 80 Hz apart from each other."""
HIGHEST_HZ = 1400
TILT_DB_PER_OCTAVE = 9.0
TILT_FROM_HZ = 100.0
SHOWN_DB = 55.0
ROW_S = 6.0
ROWS_PER_PICTURE = 5
LEVEL_SLOT_S = 0.01
INCHES_PER_S, INCHES_PER_ROW = 2.5, 2.6
COLOURS = {"cough": "tab:red", "voice": "tab:cyan", "cry": "tab:orange", "unsure": "tab:gray"}


def main(argv: list[str] | None = None) -> int:
    """Draw, and print each picture's path."""
    options = _parse(argv)
    marks = read_marks(options.marks) if options.marks else {}
    options.to.mkdir(parents=True, exist_ok=True)
    for path in options.recordings:
        for page, figure in enumerate(figures_of(path, marks.get(path.stem, ()))):
            picture = options.to / (f"{path.stem}-{page}.png" if page else f"{path.stem}.png")
            save_picture(figure, picture)
            print(picture)
    return 0


def figures_of(path: Path, marks: Sequence[Mark] = ()) -> Iterator[Figure]:
    """The pictures of one recording. Raises RecordingError."""
    recording = read_recording(path)
    sound = condition_recording(recording.samples, recording.sample_rate_hz, COMPACT)
    levels_db = tilted_levels_db(sound)
    duration_s = sound.size / RATE_HZ
    boundaries_s = _boundaries_s(path)
    starts_s = [ROW_S * row for row in range(max(math.ceil((duration_s - 0.1) / ROW_S), 1))]
    for first in range(0, len(starts_s), ROWS_PER_PICTURE):
        own = starts_s[first : first + ROWS_PER_PICTURE]
        figure, axes = _empty_figure(f"{path.stem}, {duration_s:.1f} s", len(own))
        for row, start_s in enumerate(own):
            span_s = (start_s, start_s + ROW_S)
            _draw_levels(axes[2 * row], levels_db, span_s)
            _draw_course(axes[2 * row + 1], sound, span_s)
            _draw_lines(axes[2 * row], boundaries_s, marks, span_s)
        yield figure


def tilted_levels_db(sound: Float32) -> Float32:
    """Float32 [bins, frames] in dB under the loudest point but one in two thousand."""
    padded = np.pad(sound, FRAME_SAMPLES // 2)
    frames = np.lib.stride_tricks.sliding_window_view(padded, FRAME_SAMPLES)[::HOP_SAMPLES]
    power = np.abs(np.fft.rfft(frames * np.hanning(FRAME_SAMPLES), n=512, axis=1).T) ** 2
    frequency_hz = np.fft.rfftfreq(512, 1 / RATE_HZ)
    octaves = np.log2(np.maximum(frequency_hz, TILT_FROM_HZ / 2) / TILT_FROM_HZ)
    levels = 10 * np.log10(power + 1e-14) + TILT_DB_PER_OCTAVE * octaves[:, np.newaxis]
    levels = levels[frequency_hz <= HIGHEST_HZ]
    return np.asarray(levels - np.percentile(levels, 99.95), np.float32)


def _empty_figure(title: str, rows: int) -> tuple[Figure, Sequence[Axes]]:
    """With two axes a row, for the spectrogram and the level."""
    figure = Figure(figsize=(INCHES_PER_S * ROW_S, INCHES_PER_ROW * rows + 0.3), dpi=100)
    axes = figure.subplots(2 * rows, 1, height_ratios=[5, 1] * rows, squeeze=False)[:, 0]
    figure.suptitle(title, fontsize=9, y=0.997)
    figure.subplots_adjust(left=0.035, right=0.995, top=1 - 0.15 / (rows + 4), bottom=0.05 / rows, hspace=0.13)
    return figure, list(axes)


def _draw_levels(axes: Axes, levels_db: Float32, span_s: tuple[float, float]) -> None:
    end_s = levels_db.shape[1] * HOP_SAMPLES / RATE_HZ
    axes.imshow(
        levels_db, origin="lower", aspect="auto", extent=(0, end_s, 0, HIGHEST_HZ), cmap="magma", vmin=-SHOWN_DB, vmax=0
    )
    axes.set_xlim(*span_s)
    axes.set_xticks(np.arange(span_s[0], span_s[1] + 0.01, 0.5))
    axes.set_xticks(np.arange(span_s[0], span_s[1] + 0.01, 0.1), minor=True)
    axes.set_yticks(range(0, HIGHEST_HZ + 1, 200))
    axes.tick_params(labelsize=7, pad=1)


def _draw_course(axes: Axes, sound: Float32, span_s: tuple[float, float]) -> None:
    slot = round(LEVEL_SLOT_S * RATE_HZ)
    power = np.square(sound[: sound.size // slot * slot].reshape(-1, slot)).mean(axis=1)
    level_db = 10 * np.log10(power + 1e-14)
    axes.plot((np.arange(power.size) + 0.5) * LEVEL_SLOT_S, level_db, linewidth=0.7)
    highest = level_db.max(initial=-120)
    axes.set(xlim=span_s, ylim=(highest - 50, highest + 2))
    axes.set_xticks(np.arange(span_s[0], span_s[1] + 0.01, 0.5), labels=[])
    axes.grid(axis="x", linewidth=0.3)
    axes.tick_params(labelsize=6, pad=1)


def _draw_lines(axes: Axes, boundaries_s: Sequence[float], marks: Sequence[Mark], span_s: tuple[float, float]) -> None:
    for boundary_s in boundaries_s:
        axes.axvline(boundary_s, ymin=0.9, color="white", linewidth=0.8, linestyle="dashed")
    for mark in marks:
        if mark.start_s < span_s[1] and mark.end_s > span_s[0]:
            colour = COLOURS[mark.kind]
            axes.plot([mark.start_s, mark.end_s], [HIGHEST_HZ * 0.97] * 2, color=colour, linewidth=4)
            axes.axvline(mark.start_s, color=colour, linewidth=0.7)
            axes.axvline(mark.end_s, color=colour, linewidth=0.7, linestyle="dotted")


def _boundaries_s(path: Path) -> list[float]:
    """Empty for a recording that has no ICBHI annotations."""
    beside = annotations_beside(path)
    cycles = read_annotations(beside) if beside.is_file() else []
    return [edge_s for cycle in cycles for edge_s in (cycle.start_s, cycle.end_s)]


def _parse(argv: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("recordings", type=Path, nargs="+", help="WAV or FLAC files")
    parser.add_argument("--to", type=Path, required=True, help="folder of the pictures")
    parser.add_argument("--marks", type=Path, help="file of marks to be drawn, too")
    return parser.parse_args(argv)


if __name__ == "__main__":
    raise SystemExit(main())
