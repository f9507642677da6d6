"""The `respire-edge` command: dispatch and exit codes. A command's code is imported only when it runs."""

from __future__ import annotations

import argparse
import os
import platform
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING

from edge.command_line import SETUP_FAILED, build_parser
from edge.errors import EdgeError, InputError, one_line

if TYPE_CHECKING:
    from edge.listen import Kept

DONE, SOME_NOT_SCORED = 0, 1
INTERRUPTED = 130
"""128 + SIGINT, as shells report it."""
OLDEST_PYTHON = (3, 10)
"""As pyproject.toml has it; nothing that this file imports needs it, so that an older one is told what is wrong."""


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command. Returns the exit code: 0 done, 1 some inputs could not be scored, 2 usage or set-up error."""
    if sys.version_info < OLDEST_PYTHON:
        print(
            f"respire-edge: Python {platform.python_version()} is older than 3.10; use a newer one, on Ubuntu 22.04, "
            "JetPack 6 or newer: sudo apt install python3 python3-venv",
            file=sys.stderr,
        )
        return SETUP_FAILED
    arguments = build_parser().parse_args(argv)
    try:
        return _run(arguments)
    except EdgeError as error:
        print(f"respire-edge: {one_line(str(error))}", file=sys.stderr)
        _discard_unwritable_output()
        return SOME_NOT_SCORED if isinstance(error, InputError) else SETUP_FAILED
    except BrokenPipeError:
        _discard_unwritable_output()  # whoever read the results has seen enough
        return DONE
    except KeyboardInterrupt:
        return INTERRUPTED


def _discard_unwritable_output() -> None:
    """Let results that cannot be written go nowhere: Python would complain again when it flushes at exit."""
    try:
        sys.stdout.flush()
    except OSError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _run(arguments: argparse.Namespace) -> int:
    if arguments.command == "listen":
        return _listen(arguments)
    if arguments.command == "score":
        return _score(arguments)
    if arguments.command == "doctor":
        return _doctor(arguments)
    if arguments.command == "bench":
        return _bench(arguments)
    if arguments.command == "health":
        return _health()
    if arguments.command == "bridge":
        return _bridge(arguments)
    from edge.devices import devices

    return devices(try_rates=arguments.rates)


def _listen(arguments: argparse.Namespace) -> int:
    from edge.listen import ListenOptions, listen

    options = ListenOptions(
        device=arguments.device,
        source=arguments.source,
        model=arguments.model,
        engine=arguments.engine,
        hop_s=arguments.hop,
        output=arguments.output,
        realtime=arguments.realtime,
        kept=_maybe_kept(arguments),
        max_restarts=arguments.max_restarts,
        wait_for_source=arguments.wait_for_source,
        operating_point=arguments.operating_point,
    )
    return listen(options)


def _maybe_kept(arguments: argparse.Namespace) -> Kept | None:
    if arguments.record is None:
        return None
    from edge.listen import Kept
    from edge.recorder.retention import GIGABYTE, Retention

    retention = Retention(
        max_age_days=arguments.record_max_age,
        max_bytes=round(arguments.record_max_size * GIGABYTE),
        min_free_bytes=round(arguments.record_min_free * GIGABYTE),
    )
    return Kept(arguments.record, retention)


def _score(arguments: argparse.Namespace) -> int:
    from edge.score import ScoreOptions, score

    options = ScoreOptions(
        paths=arguments.paths,
        device=arguments.device,
        model=arguments.model,
        cycles=arguments.cycles,
        hop_s=arguments.hop,
        output=arguments.output,
        jobs=arguments.jobs,
        resume=arguments.resume,
        report=arguments.report,
        report_audio=arguments.report_audio,
        operating_point=arguments.operating_point,
    )
    return score(options)


def _doctor(arguments: argparse.Namespace) -> int:
    from edge.checks.finding import DoctorOptions
    from edge.doctor import doctor

    options = DoctorOptions(
        engine=arguments.engine,
        model=arguments.model,
        device=arguments.device,
        output=arguments.output,
        json=arguments.json,
    )
    return doctor(options)


def _bench(arguments: argparse.Namespace) -> int:
    from edge.bench import BenchOptions, bench

    options = BenchOptions(
        device=arguments.device,
        model=arguments.model,
        engine=arguments.engine,
        source=arguments.source,
        seconds=arguments.seconds,
        hop_s=arguments.hop,
        realtime=arguments.realtime,
        json=arguments.json,
    )
    return bench(options)


def _bridge(arguments: argparse.Namespace) -> int:
    if arguments.bridge_command == "info":
        from edge.bridging.info import info

        return info(arguments.uri, as_json=arguments.json)
    if arguments.bridge_command == "monitor":
        from edge.bridging.monitor import monitor

        return monitor(arguments.uri, arguments.seconds)
    if arguments.bridge_command == "record":
        from edge.bridging.record import record

        return record(arguments.uri, arguments.output, arguments.seconds)
    from edge.bridging.simulate import options_from_arguments, simulate

    return simulate(options_from_arguments(arguments))


def _health() -> int:
    from edge.health import health

    return health()
