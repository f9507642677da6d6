"""Command: a bundle's network as a TensorRT engine for the machine that this runs on, such as a Jetson.

`python -m export.build_engine --model models/littmann3200 --precision int8`

The engine has to give the bundle's golden probabilities before it takes its place; `respire-edge` then finds it.
Needs NumPy, TensorRT and pycuda, and neither PyTorch nor onnx. Takes minutes on a small Jetson.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from edge.bundle import load_bundle
from edge.engine.engines_folder import ENGINES_VARIABLE, engines_folder
from edge.engine.golden import load_golden
from edge.engine.machine import Machine, this_machine
from edge.engine.plan_source import KINDS, PlanSource, plan_source
from edge.engine.tensorrt_log import open_log
from edge.errors import EdgeError
from edge.stopping import stop_requests
from export.build_progress import BuildProgress
from export.builder_options import BuilderOptions
from export.errors import ExportError
from export.plan_store import TIMED_RUNS, ProvenPlan, is_up_to_date, make_folder, store_proven
from export.timing_cache import timing_cache_path

INTERRUPTED = 130
"""128 + SIGINT, as shells report it."""


@dataclass(frozen=True)
class BuildRequest:
    """What the command line asks for."""

    model: Path
    precision: str
    output: Path | None
    """A folder; None: where `respire-edge` looks."""
    timing_cache: Path | None
    """A file; None: one for this kind of machine beside the engines."""
    options: BuilderOptions
    force: bool
    verbose: bool


def main(argv: Sequence[str] | None = None) -> int:
    """0 built or already there, 2 with one line on stderr, 130 stopped by a person."""
    arguments = build_parser().parse_args(argv)
    try:
        print(*build_engine(_request(arguments)), sep="\n")
    except (ExportError, EdgeError) as error:
        _tell(str(error))
        return 2
    except KeyboardInterrupt:
        _tell("stopped; no engine was changed")
        return INTERRUPTED
    return 0


def build_parser() -> argparse.ArgumentParser:
    """The command line."""
    default = BuilderOptions()
    parser = argparse.ArgumentParser(
        prog="python -m export.build_engine", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--model", type=Path, required=True, metavar="BUNDLE", help="a folder such as models/common")
    parser.add_argument(
        "--precision", choices=tuple(KINDS), required=True, help="int8 is faster, fp16 closer to float32"
    )
    parser.add_argument("--output", type=Path, metavar="FOLDER", help="default: where respire-edge looks for engines")
    parser.add_argument(
        "--timing-cache", type=Path, metavar="FILE", help="kept for the next build; default: beside the engines"
    )
    parser.add_argument(
        "--workspace-mb",
        type=_positive,
        default=default.workspace_mb,
        metavar="N",
        help="most for one layer (default: %(default)s)",
    )
    parser.add_argument(
        "--optimization-level",
        type=int,
        choices=range(6),
        default=default.optimization_level,
        help="higher searches longer for faster kernels (default: %(default)s)",
    )
    parser.add_argument("--force", action="store_true", help="build although the engine that is there is up to date")
    parser.add_argument("--verbose", action="store_true", help="show everything that TensorRT says")
    return parser


def _request(arguments: argparse.Namespace) -> BuildRequest:
    return BuildRequest(
        model=arguments.model,
        precision=arguments.precision,
        output=arguments.output,
        timing_cache=arguments.timing_cache,
        options=BuilderOptions(arguments.workspace_mb, arguments.optimization_level),
        force=arguments.force,
        verbose=arguments.verbose,
    )


def build_engine(request: BuildRequest) -> list[str]:
    """Build, prove and store; the report, line by line. Raises EdgeError, ExportError; KeyboardInterrupt if stopped."""
    source = plan_source(load_bundle(request.model), request.precision)
    cases = load_golden(source.bundle, source.model.path.name)
    machine = this_machine()
    key = source.key(machine, request.options.text())
    folder = request.output or engines_folder()
    if not request.force and is_up_to_date(source, folder, key):
        return [f"{source.plan_path(folder)}: up to date, built here from {source.model.path}; --force builds it again"]
    make_folder(folder)
    timing_cache = request.timing_cache or timing_cache_path(folder, machine)
    begin_s = time.perf_counter()
    content = _build(source, request.options, timing_cache, verbose=request.verbose)
    build_s = time.perf_counter() - begin_s
    return _report(store_proven(content, source, key, cases, folder), source, machine, build_s)


def _build(source: PlanSource, options: BuilderOptions, timing_cache: Path, *, verbose: bool) -> bytes:
    from export.tensorrt_builder import BuildWatch, build_plan

    progress = BuildProgress(sys.stderr)
    tell = _above(progress)
    with stop_requests() as stopping:
        try:
            watch = BuildWatch(progress, stopping, tell)
            return build_plan(source, options, timing_cache, watch, open_log(tell if verbose else None))
        finally:
            progress.erase()


def _report(plan: ProvenPlan, source: PlanSource, machine: Machine, build_s: float) -> list[str]:
    outcome, folder = plan.outcome, plan.path.parent
    latency = ", ".join(f"{name} {value:.2f} ms" for name, value in plan.latency_ms.items())
    lines = [
        f"{plan.path}: {plan.size_bytes / 1e6:.1f} MB, from {source.model.path} of {source.bundle.model_id}",
        f"built in {build_s:.0f} s by TensorRT {machine.tensorrt} for {machine.gpu} ({machine.compute_capability})",
        f"golden inputs: {outcome.images} images, largest difference of a probability {outcome.max_difference:.4f} "
        f"(tolerance {outcome.tolerance}), {outcome.changed_decisions} decisions changed",
        f"latency of one image, {TIMED_RUNS} runs: {latency}",
    ]
    if folder.resolve() != engines_folder().resolve():
        lines.append(f"respire-edge looks in {engines_folder()}; for this engine set {ENGINES_VARIABLE}={folder}")
    return lines


def _above(progress: BuildProgress) -> Callable[[str], None]:
    """Tells a person something while `progress` is being drawn."""

    def tell(line: str) -> None:
        progress.erase()
        with suppress(OSError, ValueError):
            _tell(line)

    return tell


def _tell(line: str) -> None:
    print(f"build_engine: {line}", file=sys.stderr, flush=True)


def _positive(text: str) -> int:
    value = int(text)
    if value < 1:
        raise argparse.ArgumentTypeError(f"{text} is not a whole number from 1 up")
    return value


if __name__ == "__main__":
    raise SystemExit(main())
