"""Loss, learning rate and validation figures over a run's epochs: `python -m train.curves RUN [RUN ...] --output FILE`.

A run draws its own into `RUN/curves.png` after every epoch.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from train.errors import CheckpointError, ConfigError, TrainError
from train.figures.picture import new_picture, save_picture
from train.history import History, is_best
from train.run_folder import METRICS_FILE, read_metrics

PANEL_INCH = 4.0
FIGURES: Final[Mapping[str, str]] = {"score": "Score", "sensitivity": "Se", "specificity": "Sp"}


def draw_curves(history: History, path: Path) -> None:
    """One run's curves as a PNG file, replaced in one step.

    Raises ConfigError where there is no epoch yet or the file cannot be written.
    """
    save_picture(curves_picture({"": history}), path)


def curves_picture(histories: Mapping[str, History]) -> Figure:
    """The curves of runs, by name. Raises ConfigError for a run without an epoch.

    A single run shows Score, Se and Sp of each dataset; of several, each dataset's Scores are laid over each other.
    """
    for name, history in histories.items():
        if not history:
            raise ConfigError(f"{name or 'the run'} has no epoch to draw yet; let it finish its first")
    datasets = sorted({name for history in histories.values() for epoch in history for name in epoch["validation"]})
    panels = 2 + len(datasets)
    picture = new_picture(PANEL_INCH * panels, 3.6, arranged=False)
    picture.subplots_adjust(left=0.14 / panels, right=1 - 0.03 / panels, bottom=0.14, top=0.9, wspace=0.2)
    loss, rate, *scores = picture.subplots(1, panels)
    for run, history in histories.items():
        _draw_line(loss, history, [epoch["loss"] for epoch in history], run)
        _draw_line(rate, history, [epoch["learning_rate"] for epoch in history], run)
    for axes, dataset in zip(scores, datasets, strict=True):
        _draw_dataset(axes, histories, dataset)
    _entitle(loss, "training loss")
    _entitle(rate, "learning rate")
    rate.ticklabel_format(axis="y", style="sci", scilimits=(-2, 3))
    if len(histories) > 1:
        loss.legend(fontsize="small")
    return picture


def best_epoch(history: History) -> int:
    """Where in `history` the epoch is that the run kept as `best`."""
    return max(place for place in range(len(history)) if is_best(history[: place + 1]))


def read_history(run: Path) -> list[dict[str, Any]]:
    """The epochs of a run folder. Raises CheckpointError where it is none or its metrics are damaged."""
    if not (run / METRICS_FILE).is_file():
        raise CheckpointError(f"{run} is not the folder of a run with an epoch: it has no {METRICS_FILE}")
    try:
        return read_metrics(run)
    except ValueError as error:
        raise CheckpointError(f"{run / METRICS_FILE} has a line that is not JSON: {error}") from None


def build_parser() -> argparse.ArgumentParser:
    """The command line of `python -m train.curves`."""
    parser = argparse.ArgumentParser(
        prog="python -m train.curves", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("runs", nargs="+", type=Path, metavar="RUN", help="run folder")
    parser.add_argument("--output", type=Path, required=True, metavar="FILE.png", help="picture to write")
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; 0 done, 2 an error that one line on stderr explains."""
    arguments = build_parser().parse_args(argv)
    try:
        histories = {str(run): read_history(run) for run in arguments.runs}
        save_picture(curves_picture(histories), arguments.output)
    except TrainError as error:
        print(f"train.curves: {error}", file=sys.stderr)
        return 2
    for run, history in histories.items():
        print(f"{run}: {_best_text(history)}")
    print(f"curves: {arguments.output}")
    return 0


def _draw_dataset(axes: Axes, histories: Mapping[str, History], dataset: str) -> None:
    shown = FIGURES if len(histories) == 1 else {"score": "Score"}
    for run, history in histories.items():
        for figure, name in shown.items():
            values = [epoch["validation"].get(dataset, {}).get(figure) for epoch in history]
            percent = [float("nan") if value is None else 100 * value for value in values]
            _draw_line(axes, history, percent, name if len(shown) > 1 else run)
    axes.set_ylim(-2, 102)
    if len(shown) > 1:
        axes.legend(loc="lower right", fontsize="small")
    _entitle(axes, f"{dataset}, validation: {', '.join(shown.values())} (%)")


def _draw_line(axes: Axes, history: History, values: Sequence[float], name: str) -> None:
    """A line over the epochs, counted from 1, with a ring around the best one."""
    numbers, best = [epoch["epoch"] + 1 for epoch in history], best_epoch(history)
    (line,) = axes.plot(numbers, values, label=name, marker="." if len(history) <= 20 else "")
    colour = line.get_color()
    axes.plot(numbers[best], values[best], marker="o", markersize=9, fillstyle="none", color=colour)


def _entitle(axes: Axes, title: str) -> None:
    axes.set_title(title, fontsize="medium")
    axes.set_xlabel("epoch (ring: kept as best)")
    axes.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))
    first, last = axes.get_xlim()
    axes.set_xlim(min(first, 0.5), max(last, 1.5))
    axes.grid(alpha=0.3)


def _best_text(history: History) -> str:
    epoch = history[best_epoch(history)]
    parts = [f"best epoch {epoch['epoch'] + 1} of {len(history)}", f"loss {epoch['loss']:.3f}"]
    for dataset, found in epoch["validation"].items():
        shown = ", ".join(f"{name} {_percent(found[figure])}" for figure, name in FIGURES.items())
        parts.append(f"{dataset} {shown} ({found['cycles']} cycles)")
    return "; ".join(parts)


def _percent(value: float | None) -> str:
    return "-" if value is None else f"{100 * value:.1f}"


if __name__ == "__main__":
    raise SystemExit(main())
