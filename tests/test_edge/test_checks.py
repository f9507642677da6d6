"""How `doctor` makes a check, and what it does not tell."""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from edge.checks.check import Check, findings_of
from edge.checks.finding import DoctorOptions, Finding
from edge.checks.host import Ended, Host, run_program
from edge.checks.privacy import own_homes, shorten_fields, shorten_homes
from edge.checks.storage import check_storage

BuildHost = Callable[..., Host]

ASKED = DoctorOptions()


def only(findings: Iterator[Finding]) -> Finding:
    (finding,) = findings
    return finding


def test_a_check_that_crashes_is_a_finding_after_what_it_found(build_host: BuildHost) -> None:
    def examine(*_: object) -> Iterator[Finding]:
        yield Finding("first", True, "fine")
        raise ZeroDivisionError("division\nby zero")

    first, crashed = findings_of(Check("odd", examine), build_host(), ASKED)
    assert first.ok
    assert (crashed.name, crashed.ok) == ("odd", False)
    assert crashed.measured == "could not be checked (ZeroDivisionError: division by zero)"
    assert "respire-edge doctor --json" in crashed.mend


def test_what_a_check_cannot_do_without_is_told_as_every_other_command_tells_it(
    build_host: BuildHost, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A container's user that has no home, for one."""

    def no_home() -> Path:
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.setattr(Path, "home", no_home)
    *_, found = findings_of(Check("storage", check_storage), build_host(environ={}), ASKED)
    assert found.measured == "this user has no home folder to keep engines in"
    assert found.mend == "name one: export RESPIRE_EDGE_ENGINES=DIR"


def test_a_check_that_hangs_is_left_behind(build_host: BuildHost) -> None:
    released = threading.Event()

    def examine(*_: object) -> Iterator[Finding]:
        released.wait(60)
        yield Finding("late", True, "")

    hung = only(findings_of(Check("slow", examine, limit_s=0.05), build_host(), ASKED))
    released.set()
    assert (hung.ok, hung.measured) == (False, "no answer within 0.05 s")


def test_a_program_that_hangs_or_does_not_exist_is_told_apart() -> None:
    assert run_program(["sleep", "60"], 0.05).code is None
    assert run_program(["no such program"], 1).code == 127
    assert run_program([sys.executable, "-c", "print(1); raise SystemExit(3)"], 60) == Ended(3, "1\n")


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("/home/nurse/models/common: as packed", "~/models/common: as packed"),
        ("mv '/home/nurse/my models/x' /home/nurse/y", "mv ~/'my models/x' ~/y"),
        ("/home/jane.doe/train.py, not /home/nurse/train", "/home/*/train.py, not ~/train"),
        ("chown x '/home/jane/my models'", "chown x /home/*/'my models'"),
        ("/home/nurse2/x and /data/home/nurse", "/home/*/x and /data/home/nurse"),
        ("in /home/nurse", "in ~"),
    ],
)
def test_names_of_users_are_not_in_paths(text: str, shown: str) -> None:
    assert shorten_homes(text, (Path("/home/nurse"),)) == shown


def test_a_shell_finds_the_same_folder_by_a_shortened_path(tmp_path: Path) -> None:
    home = tmp_path / "nurse"
    (home / "my models").mkdir(parents=True)
    command = shorten_homes(f"cd '{home}/my models' && pwd", (home,))
    ended = run_program(["env", f"HOME={home}", "sh", "-c", command], 10)
    assert ended.output.strip() == str(home / "my models")


def test_fields_are_shortened_too_and_numbers_stay() -> None:
    fields = {"path": "/home/nurse/x", "free_bytes": 5, "places": ["/home/nurse/a", None], "ok": True}
    shortened = shorten_fields(fields, (Path("/home/nurse"),))
    assert shortened == {"path": "~/x", "free_bytes": 5, "places": ["~/a", None], "ok": True}


def test_the_root_folder_is_nobodys_home() -> None:
    assert own_homes({"HOME": "/"}) == ()
    assert own_homes({}) == ()
