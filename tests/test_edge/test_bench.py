"""What `respire-edge bench` says, through the command line; never how quick it was."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from edge.bundle import Bundle
from edge.checks.host import Host
from edge.engine.engine import Engine
from edge.measuring.measurement import Meter
from edge.measuring.percentiles import needed_for, percentiles_from
from edge.measuring.report import report_lines
from edge.measuring.resources import maybe_age_s, maybe_resident_mb
from edge.measuring.sound import BLOCK_S, LOOP_S, loop_from_recording, simulated_loop
from edge.measuring.stages import STAGES, StageClock, TimedEngine
from edge.profiles import load_profile

RunCommand = Callable[..., Any]
STEPS = [name for name in STAGES if name != "result"]


def test_the_figures_of_a_run_fit_together(run_command: RunCommand) -> None:
    ran = run_command("bench", "--seconds", "40", "--json")
    assert (ran.code, ran.err) == (0, "")
    report = json.loads(ran.out)
    settings = report["settings"]
    assert (settings["engine"], settings["threads"], settings["hop_s"]) == ("onnxruntime-cpu-fp32", 1, 1.0)
    assert list(report["stages"]) == list(STAGES)
    # 40 s hold 34 windows of 7 s, less what the resampler still holds; ten of them warm up.
    assert report["results"] in (23, 24)
    assert all(stage["count"] == report["results"] for stage in report["stages"].values())
    slowest = report["stages"]["result"]["max_ms"]
    assert all(0 <= stage["p50_ms"] <= stage["max_ms"] <= slowest for stage in report["stages"].values())
    assert report["real_time_factor"] > 0
    assert 0 < report["core_share"] < 1
    assert 10 < report["resident_mb"] <= report["peak_mb"]
    assert report["circumstances"]["versions"]["respire-edge"]


def test_a_percentile_without_enough_results_is_left_out_and_the_target_is_not_called_reached(
    run_command: RunCommand,
) -> None:
    ran = run_command("bench", "--seconds", "40", "--json")
    report = json.loads(ran.out)
    assert report["stages"]["result"]["p99_ms"] is None
    target = next(each for each in report["targets"] if each["name"] == "result_p99_ms")
    assert (target["measured"], target["limit"], target["reached"]) == (None, 20.0, None)
    lines = list(report_lines(report))
    assert "not known result_p99_ms -, to reach 20 or less" in lines
    assert any("p99 takes 500: give more --seconds" in line for line in lines)


def test_people_get_a_table_with_a_line_for_each_stage(run_command: RunCommand) -> None:
    ran = run_command("bench", "--seconds", "30")
    assert (ran.code, ran.err) == (0, "")
    titles = ["resample + band-pass", "image", "inference", "quality + decision", "last sample in to result out"]
    assert sum(line.startswith(tuple(titles)) for line in ran.out.splitlines()) == len(titles)
    assert "power mode" in ran.out
    assert "10 before them, to warm up, are not counted" in ran.out


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--seconds", "20"), "a median takes 27 s of sound at a hop of 1 s, a 99th percentile 517 s"),
        (("--hop", "8"), "a hop of 8 s is impossible"),
        (("--source", "/nowhere/a.wav"), "/nowhere/a.wav: no such file"),
        (("--engine", "openvino"), "no engine is called 'openvino'"),
        (("--device", "nobodys"), "no such stethoscope"),
    ],
    ids=["too short", "hop", "recording", "engine", "stethoscope"],
)
def test_what_cannot_be_measured_is_one_line(run_command: RunCommand, arguments: tuple[str, ...], said: str) -> None:
    ran = run_command("bench", *arguments)
    assert ran.code in (1, 2)
    assert ran.out == ""
    assert said in ran.err
    assert len(ran.err.splitlines()) == 1


def test_an_output_without_the_degree_sign_gets_the_table_too(start_command: Callable[..., Any]) -> None:
    process = start_command("bench", "--seconds", "30", environ={"PYTHONIOENCODING": "ascii"})
    out, err = process.communicate(timeout=120)
    assert (process.returncode, err) == (0, "")
    assert " ?C before" in out


def test_a_recording_is_measured_with_without_being_named(
    run_command: RunCommand, write_sound: Callable[..., Path], breathing: Callable[..., Any]
) -> None:
    path = write_sound("jane_doe.wav", breathing(5.0, 4000), 4000)
    ran = run_command("bench", "--seconds", "30", "--source", path, "--json")
    assert (ran.code, ran.err) == (0, "")
    assert json.loads(ran.out)["settings"]["sample_rate_hz"] == 4000
    assert "jane" not in ran.out


def test_of_a_long_recording_only_the_beginning_is_kept(
    write_sound: Callable[..., Path], breathing: Callable[..., Any]
) -> None:
    loop = loop_from_recording(write_sound("long.wav", breathing(45.0, 4000), 4000))
    assert loop.samples.size == LOOP_S * 4000


def test_a_loop_goes_round_without_a_gap_in_blocks_of_one_length() -> None:
    loop = simulated_loop()
    blocks = list(loop.blocks(30.0))
    assert {block.samples.size for block in blocks} == {round(BLOCK_S * loop.sample_rate_hz)}
    played = [sample for block in blocks for sample in block.samples[:1].tolist()]
    frames = round(BLOCK_S * loop.sample_rate_hz)
    expected = [loop.samples[number * frames % loop.samples.size] for number in range(len(blocks))]
    assert played == pytest.approx(expected)
    assert sum(block.samples.size for block in blocks) == 30 * loop.sample_rate_hz


def test_each_step_of_a_result_is_timed_where_it_happens(bundle: Bundle, engine: Engine) -> None:
    """A clock that steps by one at each look tells which looks a step lies between."""
    looks = iter(range(1000))
    clock = StageClock(lambda: float(next(looks)))
    meter = Meter(load_profile("meditron"), bundle, engine, simulated_loop().sample_rate_hz, 1.0, clock)
    times = meter.measure(simulated_loop().blocks(17.5), Host()).stages
    assert len(times) == 1
    (one,) = times
    assert (one.conditioning, one.image, one.inference, one.writing) == (1, 1, 1, 1)
    assert one.quality_decision == 2, "with calibration, after which the classifier looks at the clock itself"
    assert one.result == sum(getattr(one, name) for name in STEPS)


def test_a_timed_engine_answers_as_the_engine_does(bundle: Bundle, engine: Engine) -> None:
    import numpy as np

    images = np.random.default_rng(1).integers(0, 256, (2, *bundle.spec.image_shape), np.uint8)
    timed = TimedEngine(engine, StageClock())
    assert timed.name == engine.name
    assert np.array_equal(timed.infer(images), engine.infer(images))


def test_percentiles_are_nearest_ranks_and_take_five_values_above() -> None:
    few = percentiles_from([number / 1000 for number in range(1, 100)])
    assert (few.count, few.p50_ms, few.p95_ms, few.p99_ms, few.max_ms) == (99, 50.0, None, None, 99.0)
    many = percentiles_from([number / 1000 for number in range(1, 501)])
    assert (many.p50_ms, many.p95_ms, many.p99_ms) == (250.0, 475.0, 495.0)
    assert percentiles_from([]).max_ms is None
    assert [needed_for(percent) for percent in (50, 95, 99)] == [10, 100, 500]


def test_the_age_of_a_process_grows_with_the_clock() -> None:
    first, second = maybe_age_s(Host()), maybe_age_s(Host())
    assert first is not None
    assert second is not None
    assert 0 < first <= second
    assert math.isfinite(second)


def test_off_linux_memory_and_age_are_not_known(tmp_path: Path) -> None:
    host = Host(root=tmp_path)
    assert (maybe_resident_mb(host), maybe_age_s(host)) == (None, None)
