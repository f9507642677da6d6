"""What watching and recording add to `respire-edge listen`: bytes to the terminal, time of the processor and the disk.

`python -m benchmarks.live_view [--sound SECONDS]` prints it alone; `benchmarks.run` has it as one table.
"""

import argparse
import os
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from io import StringIO
from pathlib import Path

import numpy as np

from benchmarks.machine import describe_machine
from benchmarks.report import Table, markdown_from_tables
from benchmarks.simulated_sound import breathing
from edge.audio.block import AudioBlock
from edge.recorder.growing_wave import GrowingWave
from edge.recorder.recorded_file import RecordingSession
from edge.recorder.recorder import Stream, open_recorder
from edge.recorder.retention import Retention
from edge.signal.spec import COMPACT
from edge.view.live_view import DRAWING_S, LiveView, Session, strip_rows
from edge.view.screen import Screen
from edge.view.spectrogram_strip import Paint, StripHistory, strip_lines

SAMPLE_RATE_HZ = 44100
BLOCK_S = 0.1
TERMINALS = ((80, 24), (40, 10), (200, 50))
COLUMNS = ("what", "measured", "to reach")
NOTE = """\
{seconds:.0f} s of simulated breathing at {rate} Hz in blocks of {block_ms:.0f} ms, {drawings:.0f} drawings a second in
256 colours, all changed by the sound's own course. Shares are of one core, for sound at its real speed. A sync is
`fdatasync` after a second of sound, in the folder for temporary files."""


class Terminal(StringIO):
    """Counts what it is sent."""

    encoding = "utf-8"

    def taken_bytes(self) -> int:
        """What was sent since this was asked last."""
        sent_bytes = len(self.getvalue().encode())
        self.seek(0)
        self.truncate()
        return sent_bytes


@dataclass(frozen=True)
class Watching:
    """A view that was looked at."""

    drawings_bytes: Sequence[int]
    cpu_s: float


def measure_live_view(sound_s: float) -> Table:
    """A row for each figure."""
    blocks = list(_blocks(sound_s))
    rows = [row for columns, rows in TERMINALS for row in _view_rows(blocks, columns, rows, sound_s)]
    rows += [["spectrogram strip alone, share of one core", f"{_strip_cpu_s(blocks) / sound_s:.2%}", "0.3%"]]
    rows += _recorder_rows(blocks, sound_s)
    note = NOTE.format(seconds=sound_s, rate=SAMPLE_RATE_HZ, block_ms=BLOCK_S * 1000, drawings=1 / DRAWING_S)
    return Table("Watching and recording", COLUMNS, rows, note)


def _blocks(sound_s: float) -> Iterator[AudioBlock]:
    sound = breathing(sound_s, SAMPLE_RATE_HZ)
    for first in range(0, sound.size, round(BLOCK_S * SAMPLE_RATE_HZ)):
        yield AudioBlock(sound[first : first + round(BLOCK_S * SAMPLE_RATE_HZ)])


def _view_rows(blocks: Sequence[AudioBlock], columns: int, rows: int, sound_s: float) -> list[list[str]]:
    watched = _watch(blocks, columns, rows)
    size = f"view of {columns} x {rows}"
    return [
        [f"{size}, bytes a second", f"{sum(watched.drawings_bytes) / sound_s:.0f}", ""],
        [f"{size}, bytes a drawing, largest", f"{max(watched.drawings_bytes)}", "2000"],
        [f"{size}, share of one core", f"{watched.cpu_s / sound_s:.2%}", ""],
    ]


def _watch(blocks: Sequence[AudioBlock], columns: int, rows: int) -> Watching:
    terminal, heard_s = Terminal(), 0.0
    session = Session("littmann3200", "mic:Line", "m", "e", SAMPLE_RATE_HZ, COMPACT, (), "utf-8", colours=True)
    view = LiveView(session, Screen(terminal, lambda: os.terminal_size((columns, rows)), {}), lambda: heard_s)
    drawings_bytes = []
    begin_s = time.process_time()
    for block in blocks:
        heard_s += BLOCK_S
        view.show_block(block)
        drawings_bytes.append(terminal.taken_bytes())
    return Watching(drawings_bytes, time.process_time() - begin_s)


def _strip_cpu_s(blocks: Sequence[AudioBlock]) -> float:
    history, drawn = StripHistory(SAMPLE_RATE_HZ, COMPACT), -1
    columns, rows = TERMINALS[0]
    begin_s = time.process_time()
    for block in blocks:
        history.add(block)
        if history.now != drawn:
            drawn = history.now
            strip_lines(history, COMPACT, columns - 1, strip_rows(rows - 1), Paint(colours=True, unicode=True))
    return time.process_time() - begin_s


def _recorder_rows(blocks: Sequence[AudioBlock], sound_s: float) -> list[list[str]]:
    with tempfile.TemporaryDirectory() as name:
        held_up_ms, cpu_s = _record(blocks, Path(name))
        sync_ms = _sync_ms(blocks, Path(name))
    return [
        ["recorder, a block holds listening up, p99, ms", f"{np.percentile(held_up_ms, 99):.2f}", ""],
        ["recorder, share of one core, its thread too", f"{cpu_s / sound_s:.2%}", ""],
        ["recorder, a sync of the disk, p50, ms", f"{np.median(sync_ms):.1f}", ""],
        ["recorder, a sync of the disk, largest, ms", f"{max(sync_ms):.1f}", ""],
    ]


def _record(blocks: Sequence[AudioBlock], folder: Path) -> tuple[list[float], float]:
    session = RecordingSession("0" * 16, "littmann3200", "m", "e", SAMPLE_RATE_HZ, simulated=True)
    stream = Stream("mic:Line", SAMPLE_RATE_HZ, live=False)
    held_up_ms = []
    cpu_begin_s = time.process_time()
    with open_recorder(folder, Retention(min_free_bytes=1), session, stream, lambda _: None) as recorder:
        for block in blocks:
            begin_s = time.perf_counter()
            recorder.take_block(block)
            held_up_ms.append((time.perf_counter() - begin_s) * 1000)
            threading.Event().wait(0.0005)  # a live source gives the thread its turn, too
    return held_up_ms, time.process_time() - cpu_begin_s


def _sync_ms(blocks: Sequence[AudioBlock], folder: Path) -> list[float]:
    wave = GrowingWave(folder / "sync.wav", SAMPLE_RATE_HZ)
    second = np.zeros(SAMPLE_RATE_HZ, np.int16)
    spent_ms = []
    for _ in range(max(round(len(blocks) * BLOCK_S), 2)):
        wave.append(second)
        begin_s = time.perf_counter()
        wave.sync()
        spent_ms.append((time.perf_counter() - begin_s) * 1000)
    wave.close()
    return spent_ms


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="benchmarks.live_view", description="Measure the live view and the recorder.")
    parser.add_argument("--sound", type=float, default=120.0, metavar="SECONDS", help="default: 120")
    print(markdown_from_tables([describe_machine(), measure_live_view(parser.parse_args(argv).sound)]))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
