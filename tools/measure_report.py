"""How large a report is, what writing it costs, and how long a browser takes to open and to sort it.

    respire-edge score RECORDINGS --device auto --output RESULTS.jsonl
    python -m tools.measure_report RESULTS.jsonl [--recordings 1000] [--report-audio]

repeats the recordings of RESULTS.jsonl until there are as many as asked for, writes their report to a temporary folder
and prints one line a figure. The browser's need an installed Chromium.
"""

from __future__ import annotations

import argparse
import itertools
import json
import resource
import tempfile
import time
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import soundfile

from edge.report.report import write_report
from tools.chromium import Browser, find_browser, opened_browser

SORT = "document.querySelector('th[data-key=abnormal] button').click(), document.body.offsetHeight"
FILTER = "(filter.value = 'wheeze', filter.dispatchEvent(new Event('change'))), document.body.offsetHeight"


def main(argv: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python -m tools.measure_report", description=__doc__.splitlines()[0])
    parser.add_argument("results", type=Path)
    parser.add_argument("--recordings", type=int, default=1000)
    parser.add_argument("--report-audio", action="store_true")
    options = parser.parse_args(argv)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "report.html"
        begin_s = time.perf_counter()
        write_report(path, _records(options.results, options.recordings), with_audio=options.report_audio)
        print(f"written in {time.perf_counter() - begin_s:.1f} s")
        print(f"peak memory {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024:.0f} MB")
        print(
            f"{path.stat().st_size / 1e6:.1f} MB, {path.stat().st_size / 1e3 / options.recordings:.0f} kB a recording"
        )
        if program := find_browser():
            with opened_browser(program) as browser:
                _time_browser(browser, path)


def _records(results: Path, recordings: int) -> Iterator[dict[str, Any]]:
    grouped = list(_by_source(results))
    for source, records in itertools.islice(itertools.cycle(grouped), recordings):
        yield from records
        if records[-1]["record"] not in ("file", "error"):
            yield {"record": "file", "source": source, "sound_s": soundfile.info(source).duration}


def _by_source(results: Path) -> Iterable[tuple[str, list[dict[str, Any]]]]:
    with results.open(encoding="utf-8") as lines:
        for source, records in itertools.groupby(map(json.loads, lines), key=lambda record: str(record["source"])):
            yield source, list(records)


def _time_browser(browser: Browser, path: Path) -> None:
    for what in ("opened first", "opened again"):
        begin_s = time.perf_counter()
        browser.open(path)
        print(f"{what} in {time.perf_counter() - begin_s:.2f} s")
    for what, action in (("sorted", SORT), ("filtered", FILTER)):
        took_ms = browser.value(
            f"(() => {{ const begin = performance.now(); {action}; return performance.now() - begin }})()"
        )
        print(f"{what} in {took_ms:.0f} ms")


if __name__ == "__main__":
    main()
