"""The heartbeat of `listen`, and what `respire-edge health` makes of it."""

from __future__ import annotations

import io
import json
import stat
import subprocess
import time
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from edge.audio.block import AudioBlock
from edge.errors import OutputError
from edge.health import health
from edge.service.beat import Beat, read_beat
from edge.service.heartbeat import Heartbeat

SOUND = AudioBlock(np.zeros(10, np.float32))
NO_SOUND = AudioBlock(np.zeros(0, np.float32))
StartCommand = Callable[..., "subprocess.Popen[str]"]
RunCommand = Callable[..., Any]


class Clock:
    """Stands where it is put."""

    def __init__(self) -> None:
        self.now_s = 1000.0

    def __call__(self) -> float:
        return self.now_s


def asked(path: Path, now_s: float) -> tuple[int, str]:
    out = io.StringIO()
    code = health(out, {"RESPIRE_EDGE_HEARTBEAT": str(path)}, lambda: now_s)
    return code, out.getvalue()


def wait_for(path: Path) -> None:
    deadline_s = time.monotonic() + 60
    while not path.exists():
        assert time.monotonic() < deadline_s, f"{path} did not come"
        time.sleep(0.05)


def result(ok: bool) -> Any:
    return SimpleNamespace(quality=SimpleNamespace(ok=ok))


def test_a_loop_that_turns_and_hears_is_healthy(tmp_path: Path) -> None:
    clock, path = Clock(), tmp_path / "beat"
    heartbeat = Heartbeat(None, None, path, clock)
    heartbeat.take_block(SOUND)
    heartbeat.take_result(result(ok=True))
    heartbeat.take_result(result(ok=False))
    clock.now_s += 1
    heartbeat.take_block(SOUND)
    assert asked(path, clock.now_s) == (0, "healthy: listening; 2 results, 1 of them refused for their quality\n")


def test_a_loop_that_has_not_turned_for_long_is_unhealthy(tmp_path: Path) -> None:
    clock, path = Clock(), tmp_path / "beat"
    Heartbeat(None, None, path, clock).take_block(SOUND)
    assert asked(path, clock.now_s + 9)[0] == 0
    assert asked(path, clock.now_s + 11) == (
        1, "unhealthy: not listening for 11 s: it hangs, or was ended; see its log\n",
    )  # fmt: skip


def test_a_loop_that_turns_without_sound_is_unhealthy_after_a_minute(tmp_path: Path) -> None:
    clock, path = Clock(), tmp_path / "beat"
    heartbeat = Heartbeat(None, None, path, clock)
    heartbeat.take_block(SOUND)
    codes = []
    for _ in range(70):
        clock.now_s += 1
        heartbeat.take_block(NO_SOUND)
        codes.append(asked(path, clock.now_s)[0])
    assert codes == [0] * 60 + [1] * 10
    assert "no sound from the source for 70 s" in asked(path, clock.now_s)[1]
    heartbeat.take_block(SOUND)
    clock.now_s += 1
    heartbeat.take_block(SOUND)
    assert asked(path, clock.now_s)[0] == 0


def test_a_file_from_before_the_machine_started_counts_for_nothing(tmp_path: Path) -> None:
    clock, path = Clock(), tmp_path / "beat"
    Heartbeat(None, None, path, clock).take_block(SOUND)
    assert asked(path, 3.0) == (1, "unhealthy: not listening since the machine was started\n")


@pytest.mark.parametrize("content", ["", "null", "[]", "{}", '{"turned_s": "now"}', "\0\0", '{"age": 1}', "{"])
def test_a_damaged_file_is_unhealthy_in_one_line(tmp_path: Path, content: str) -> None:
    path = tmp_path / "beat"
    path.write_text(content)
    code, out = asked(path, 1.0)
    assert code == 1
    assert out.startswith(f"unhealthy: {path} cannot be read (")
    assert out.count("\n") == 1


def test_without_a_file_nothing_listens(tmp_path: Path) -> None:
    path = tmp_path / "beat"
    assert asked(path, 1.0) == (1, f"unhealthy: {path} is not there: not listening yet, or no more\n")


def test_health_without_the_variable_is_refused_in_one_line(
    run_command: RunCommand, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("RESPIRE_EDGE_HEARTBEAT", raising=False)
    ran = run_command("health")
    assert ran.code == 2
    assert ran.err.startswith("respire-edge: health: RESPIRE_EDGE_HEARTBEAT is not set; set it")


def test_the_file_is_its_owners_alone_and_goes_when_listening_ends(tmp_path: Path) -> None:
    path = tmp_path / "beat"
    heartbeat = Heartbeat(None, None, path, Clock())
    heartbeat.take_block(SOUND)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert read_beat(path) == Beat(turned_s=1000.0, heard_s=1000.0)
    heartbeat.close()
    assert list(tmp_path.iterdir()) == []


def test_a_file_that_cannot_be_written_is_said_at_once_and_one_that_is_refused_later_ends_nothing(
    tmp_path: Path,
) -> None:
    with pytest.raises(OutputError, match=r"absent/beat: the heartbeat cannot be written .*; name a file"):
        Heartbeat(None, None, tmp_path / "absent" / "beat", Clock()).take_block(SOUND)
    clock, folder = Clock(), tmp_path / "later"
    folder.mkdir()
    heartbeat = Heartbeat(None, None, folder / "beat", clock)
    heartbeat.take_block(SOUND)
    (folder / "beat").unlink()
    folder.rmdir()
    clock.now_s += 1
    heartbeat.take_block(SOUND)
    heartbeat.close()


def test_health_beside_a_listening_process(tmp_path: Path, start_command: StartCommand) -> None:
    environ = {"RESPIRE_EDGE_HEARTBEAT": str(tmp_path / "beat")}
    listening = start_command("listen", "--device", "meditron", "--source", "demo", environ=environ)
    wait_for(tmp_path / "beat")
    asking = start_command("health", environ=environ)
    out, err = asking.communicate(timeout=60)
    assert (asking.returncode, err) == (0, "")
    assert out.startswith("healthy: listening; ")
    listening.terminate()
    listening.communicate(timeout=60)
    assert not (tmp_path / "beat").exists()
    assert asked(tmp_path / "beat", 1.0)[0] == 1


def test_a_folder_as_output_gets_a_file_of_its_own_each_time(tmp_path: Path, run_command: RunCommand) -> None:
    arguments = ("listen", "--device", "meditron", "--source", "demo", "--no-realtime", "--output", tmp_path)
    assert [run_command(*arguments).code for _ in range(2)] == [0, 0]
    files = sorted(tmp_path.iterdir())
    assert len(files) == 2
    for file in files:
        assert file.name.startswith("results-20")
        assert stat.S_IMODE(file.stat().st_mode) == 0o600
        assert len([json.loads(line) for line in file.read_text().splitlines()]) > 10


def test_a_beat_is_written_as_its_fields(tmp_path: Path) -> None:
    beat = Beat(2.0, 1.0, 5, 4)
    (tmp_path / "beat").write_text(json.dumps(asdict(beat)))
    assert read_beat(tmp_path / "beat") == beat
