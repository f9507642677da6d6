"""`respire-edge listen` as a person starts it: files, the demo, a sound server's input; stopped and written."""

from __future__ import annotations

import json
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

Breathing = Callable[..., NDArray[np.float32]]
RunCommand = Callable[..., Any]
StartCommand = Callable[..., "subprocess.Popen[str]"]
WriteSound = Callable[..., Path]


@pytest.fixture
def recording(write_sound: WriteSound, breathing: Breathing) -> Path:
    return write_sound("breath.wav", breathing(10), 8000)


def test_a_file_gives_a_result_every_second(run_command: RunCommand, recording: Path) -> None:
    ran = run_command("listen", "--device", "meditron", "--source", recording, "--no-realtime")
    assert ran.code == 0
    assert [(result["start_s"], result["end_s"]) for result in ran.results] == [(n, n + 7) for n in range(4)]
    assert {result["source"] for result in ran.results} == {str(recording)}
    assert {result["device"] for result in ran.results} == {"meditron"}


def test_that_the_common_model_is_used_is_said_once(run_command: RunCommand, recording: Path) -> None:
    ran = run_command("listen", "--device", "meditron", "--source", recording, "--no-realtime")
    model = ran.results[0]["model"]
    assert ran.err.count("\n") == 1
    assert ran.err.startswith(f"respire-edge: no model of its own for meditron; using {model}")


def test_listening_and_scoring_say_the_same(run_command: RunCommand, recording: Path) -> None:
    listened = run_command("listen", "--device", "meditron", "--source", recording, "--no-realtime", "--hop", "1.5")
    scored = run_command("score", recording, "--device", "meditron", "--hop", "1.5")
    assert len(scored.results) == 3
    for one, other in zip(listened.results, scored.results, strict=True):
        assert {**one, "latency_ms": 0} == {**other, "latency_ms": 0}


@pytest.mark.parametrize("ending", ["jsonl", "csv"])
def test_results_go_to_a_file(run_command: RunCommand, recording: Path, tmp_path: Path, ending: str) -> None:
    target = tmp_path / f"out.{ending}"
    ran = run_command("listen", "--device", "meditron", "--source", recording, "--no-realtime", "--output", target)
    assert (ran.code, ran.out) == (0, "")
    assert len(target.read_text().splitlines()) == (4 if ending == "jsonl" else 5)


def test_the_demo_is_said_to_be_simulated_in_every_result(run_command: RunCommand) -> None:
    ran = run_command("listen", "--device", "littmann3200", "--source", "demo", "--no-realtime", "--hop", "7")
    assert len(ran.results) >= 7
    assert all("simulated" in result["source"] for result in ran.results)
    assert all(result["quality"]["ok"] for result in ran.results)


def test_a_file_in_real_time_takes_as_long_as_it_sounds(
    run_command: RunCommand, write_sound: WriteSound, breathing: Breathing
) -> None:
    path = write_sound("short.wav", breathing(1.5))
    begin_s = time.monotonic()
    ran = run_command("listen", "--device", "meditron", "--source", path)
    assert 1.4 < time.monotonic() - begin_s < 4
    assert len(ran.results) == 1


def test_an_interrupt_ends_listening_with_the_last_result(
    start_command: StartCommand, write_sound: WriteSound, breathing: Breathing
) -> None:
    process = start_command("listen", "--device", "meditron", "--source", write_sound("long.wav", breathing(60)))
    assert process.stderr is not None
    process.stderr.readline()  # the note on the model: set-up is almost over
    time.sleep(1.5)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=20)
    assert (process.returncode, err) == (0, "")
    (result,) = map(json.loads, out.splitlines())
    assert result["start_s"] == 0
    assert 0.2 < result["end_s"] < 7


def test_a_result_is_out_while_listening_goes_on_until_it_is_terminated(
    start_command: StartCommand, write_sound: WriteSound, breathing: Breathing
) -> None:
    process = start_command("listen", "--device", "meditron", "--source", write_sound("long.wav", breathing(60)))
    assert process.stdout is not None
    first = json.loads(process.stdout.readline())
    assert (first["start_s"], first["end_s"]) == (0, 7)
    assert process.poll() is None
    process.terminate()
    process.communicate(timeout=20)
    assert process.returncode == 0


def test_an_input_of_the_sound_server_is_heard(
    start_command: StartCommand, sound_server: Any, write_sound: WriteSound, breathing: Breathing
) -> None:
    # At a rate that leaves nothing above 2 kHz, where a stethoscope delivers nothing either.
    player = sound_server.play(write_sound("played.wav", breathing(30, 4000), 4000))
    process = start_command(
        "listen", "--device", "meditron", "--source", f"mic:{sound_server.input_name}", environ=sound_server.environment
    )
    assert process.stderr is not None
    process.stderr.readline()
    time.sleep(3)
    process.send_signal(signal.SIGINT)
    out, _ = process.communicate(timeout=20)
    player.kill()
    player.wait(timeout=10)
    assert process.returncode == 0
    (result,) = map(json.loads, out.splitlines())
    assert result["source"] == f"mic:{sound_server.input_name}"
    assert result["quality"] == {"ok": True, "reasons": []}
