"""What `respire-edge doctor` finds, through the command line."""

from __future__ import annotations

import ctypes.util
import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edge import doctor
from edge.bundle import load_bundle
from edge.checks.check import Check
from edge.checks.finding import Finding
from edge.doctor import CHECKS, finding_line
from edge.engine.plan_source import plan_source
from export import build_engine

EditBundle = Callable[[Callable[[dict[str, Any]], None]], Path]
RunCommand = Callable[..., Any]
StartCommand = Callable[..., Any]


@pytest.fixture(autouse=True)
def no_engines(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever runs the tests may have built some."""
    monkeypatch.setenv("RESPIRE_EDGE_ENGINES", str(tmp_path / "engines"))


REPOSITORY = Path(__file__).resolve().parents[2]
TINY_BUNDLE = REPOSITORY / "tests" / "golden" / "tiny_bundle"
OF_THE_MACHINE = {"packages", "memory", "storage", "clock", "temperature", "permissions", "sound_inputs"}
"""Checks whose findings belong to the machine that runs the tests; test_checks.py gives them machines of its own."""


@pytest.fixture(autouse=True)
def any_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor, "CHECKS", tuple(check for check in CHECKS if check.name not in OF_THE_MACHINE))


def lines_about(subject: str, ran: Any) -> list[str]:
    return [line for line in ran.out.splitlines() if line.startswith(subject, 2)]


def build(models_folder: Path, precision: str = "int8") -> None:
    assert build_engine.main(["--model", str(models_folder / "common"), "--precision", precision]) == 0


def test_a_good_machine_with_a_good_model_is_in_order(
    run_command: RunCommand, models_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if ctypes.util.find_library("portaudio") is None:
        pytest.skip("no PortAudio: apt install libportaudio2")
    monkeypatch.setattr(doctor, "CHECKS", (*doctor.CHECKS, *(each for each in CHECKS if each.name == "packages")))
    ran = run_command("doctor")
    assert (ran.code, ran.err) == (0, "")
    lines = ran.out.splitlines()
    assert all(line.startswith(("✓ ", "! ")) for line in lines)
    model_id = load_bundle(models_folder / "common").model_id
    assert f"✓ python: {sys.version.split()[0]} on " in ran.out
    assert f"✓ numpy: numpy {np.__version__} (at least 2.0 is needed)" in lines
    assert f"✓ model {model_id}: {models_folder / 'common'}: fp32.onnx, fp16.onnx, int8-s8.onnx as packed" in lines
    assert f"✓ engine for {model_id}: onnxruntime-cpu-fp32, from fp32.onnx" in lines
    assert lines_about("golden", ran) == [], "not asked for"


@pytest.mark.parametrize("engine", [["onnx"], ["auto"], []], ids=" ".join)
def test_an_engine_gives_the_golden_probabilities(run_command: RunCommand, engine: list[str]) -> None:
    ran = run_command("doctor", "--engine", *engine)
    assert (ran.code, ran.err) == (0, "")
    (line,) = lines_about("golden", ran)
    assert line.startswith("✓ ")
    assert "16 images through onnxruntime-cpu-fp32" in line
    assert "(0.0001 is allowed), 0 decisions changed" in line


def test_changed_weights_under_hashes_made_anew_are_found(run_command: RunCommand, edited_bundle: EditBundle) -> None:
    """One weight of 16 by a tenth."""

    def relist(manifest: dict[str, Any]) -> None:
        manifest["files"]["fp32.onnx"].update(sha256=hashlib.sha256(changed).hexdigest(), bytes=len(changed))

    content = (Path(__file__).parents[1] / "golden" / "tiny_bundle" / "fp32.onnx").read_bytes()
    changed = content.replace(np.float32(6).tobytes(), np.float32(6.6).tobytes(), 1)
    folder = edited_bundle(relist)
    (folder / "fp32.onnx").write_bytes(changed)
    assert run_command("doctor", "--model", folder).code == 0, "hashes alone do not tell"
    ran = run_command("doctor", "--engine", "onnx", "--model", folder)
    assert (ran.code, ran.err) == (2, "")
    (line,) = lines_about("golden", ran)
    assert line.startswith("✗ ")
    assert "; to mend it: restore the bundle: (cd " in line


def test_a_flipped_bit_is_found_and_the_other_models_are_still_looked_at(
    run_command: RunCommand, tiny_bundle: Path, tmp_path: Path
) -> None:
    for name in ("common", "meditron"):
        shutil.copytree(tiny_bundle, tmp_path / name)
    path = tmp_path / "common" / "golden.npz"
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)
    ran = run_command("doctor", "--engine", "onnx", "--model", tmp_path)
    assert (ran.code, ran.err) == (2, "")
    broken, good = lines_about("model", ran)
    assert broken.startswith(f"✗ model common: {path}: has sha256 ")
    assert "to mend it: one of the two was changed, restore the bundle: (cd " in broken
    assert broken.endswith("&& sha256sum --quiet -c SHA256SUMS) names what was changed")
    assert good.startswith("✓ model common@"), "in the folder meditron, packed for common"
    assert len(lines_about("golden", ran)) == 1


def test_a_bundle_without_golden_inputs_says_so(run_command: RunCommand, edited_bundle: EditBundle) -> None:
    folder = edited_bundle(lambda manifest: manifest.pop("golden"))
    assert run_command("doctor", "--model", folder).code == 0
    ran = run_command("doctor", "--engine", "onnx", "--model", folder)
    assert (ran.code, ran.err) == (2, "")
    (line,) = lines_about("golden", ran)
    assert "carries no golden inputs for fp32.onnx; to mend it: take a bundle packed with them" in line


def test_tensorrt_that_is_not_there_says_what_to_install(
    run_command: RunCommand, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "tensorrt", None)
    ran = run_command("doctor", "--engine", "tensorrt")
    assert (ran.code, ran.err) == (2, "")
    (line,) = lines_about("engine", ran)
    assert line.startswith("✗ engine for common@")
    assert "TensorRT's Python module is not installed; to mend it: on a Jetson: sudo apt install" in line


@pytest.mark.parametrize("name", ["tensorrt", "pycuda"])
def test_a_machine_without_tensorrt_is_in_order_until_its_engine_is_asked_for(
    run_command: RunCommand, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.setitem(sys.modules, name, None)
    ran = run_command("doctor", "--engine", "onnx")
    assert ran.code == 0
    assert f"✓ {name}: is not installed; only TensorRT engines need it" in ran.out.splitlines()
    ran = run_command("doctor", "--engine", "tensorrt")
    assert (ran.code, ran.err) == (2, "")
    (line,) = lines_about(f"{name}:", ran)
    assert line.startswith(f"✗ {name}: is not installed; to mend it: ")
    assert "install" in line.partition("to mend it: ")[2]


def test_every_tensorrt_engine_that_was_built_is_proven(
    run_command: RunCommand, stand_ins: Any, models_folder: Path
) -> None:
    for precision in ("int8", "fp16"):
        build(models_folder, precision)
    ran = run_command("doctor", "--engine", "tensorrt")
    assert (ran.code, ran.err) == (0, "")
    int8, fp16 = lines_about("golden", ran)
    assert "through tensorrt-10.3.0-int8" in int8
    assert "through tensorrt-10.3.0-fp16" in fp16
    stand_ins.trt.faults.probability_offset = 0.01
    ran = run_command("doctor", "--engine", "tensorrt")
    assert ran.code == 2
    int8, fp16 = lines_about("golden", ran)
    assert int8.startswith("✓ "), "0.02 is allowed"
    assert fp16.startswith("✗ "), "0.005 is allowed"
    assert fp16.endswith("--precision fp16 --force")


def test_one_broken_tensorrt_engine_does_not_hide_the_other(
    run_command: RunCommand, stand_ins: Any, models_folder: Path, tmp_path: Path
) -> None:
    for precision in ("int8", "fp16"):
        build(models_folder, precision)
    plan = plan_source(load_bundle(models_folder / "common"), "int8").plan_path(tmp_path / "engines")
    plan.write_bytes(plan.read_bytes()[:-1])
    ran = run_command("doctor", "--engine", "tensorrt")
    assert (ran.code, ran.err) == (2, "")
    broken, good = lines_about("engine", ran)
    assert f"{plan}: has sha256" in broken
    assert good.endswith("tensorrt-10.3.0-fp16, from fp16.onnx")
    assert len(lines_about("golden", ran)) == 1


def test_tensorrt_without_an_engine_gives_the_command_that_builds_it(run_command: RunCommand, stand_ins: Any) -> None:
    ran = run_command("doctor", "--engine", "tensorrt")
    assert (ran.code, ran.err) == (2, "")
    (line,) = lines_about("engine", ran)
    assert "no engine was built" in line
    assert "; to mend it: build it with: python -m export.build_engine --model " in line


def test_tensorrt_that_answers_otherwise_than_when_it_was_built_is_to_be_built_again(
    run_command: RunCommand, stand_ins: Any, models_folder: Path
) -> None:
    build(models_folder)
    ran = run_command("doctor", "--engine", "tensorrt")
    assert ran.code == 0
    assert "16 images through tensorrt-10.3.0-int8" in lines_about("golden", ran)[0]
    stand_ins.trt.faults.probability_offset = 0.03
    ran = run_command("doctor", "--engine", "tensorrt")
    assert (ran.code, ran.err) == (2, "")
    (line,) = lines_about("golden", ran)
    assert "largest difference of a probability 0.0300 (0.02 is allowed)" in line
    command = plan_source(load_bundle(models_folder / "common"), "int8").build_command
    assert line.endswith(f"; to mend it: {command} --force")


def test_an_engine_that_is_there_and_refused_is_found_in_auto_too(
    run_command: RunCommand, stand_ins: Any, models_folder: Path
) -> None:
    build(models_folder)
    stand_ins.cuda.gpu_name = "another"
    ran = run_command("doctor")
    assert (ran.code, ran.err) == (2, "")
    refused, used = lines_about("engine", ran)
    assert refused.startswith("✗ ")
    assert "; to mend it: rebuild it with: python -m export.build_engine" in refused
    assert used.endswith("onnxruntime-cpu-fp32, from fp32.onnx")


def test_only_the_model_that_a_stethoscope_gets_is_looked_at(
    run_command: RunCommand, tiny_bundle: Path, tmp_path: Path
) -> None:
    for name in ("common", "meditron"):
        shutil.copytree(tiny_bundle, tmp_path / name)
    (line,) = lines_about("model", run_command("doctor", "--device", "meditron", "--model", tmp_path))
    assert f": {tmp_path / 'meditron'}: " in line


def test_a_stethoscope_that_does_not_exist_is_one_line_on_stderr(run_command: RunCommand) -> None:
    ran = run_command("doctor", "--device", "littmann")
    assert (ran.code, ran.out) == (2, "")
    assert len(ran.err.splitlines()) == 1


def test_an_unknown_engine_is_refused_with_the_known_ones(run_command: RunCommand) -> None:
    ran = run_command("doctor", "--engine", "openvino")
    assert ran.code == 2
    assert "to mend it: use one of auto, onnx, tensorrt: respire-edge doctor" in lines_about("engine", ran)[0]


def test_no_model_at_all_is_a_finding(run_command: RunCommand, tmp_path: Path) -> None:
    ran = run_command("doctor", "--model", tmp_path)
    assert (ran.code, ran.err) == (2, "")
    assert lines_about("model", ran) == [
        f"✗ model: no model in {tmp_path}; to mend it: give --model a folder that holds a manifest.json"
    ]


def test_a_folder_of_models_that_is_not_there_is_a_finding(
    run_command: RunCommand, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    missing = tmp_path / "models"
    monkeypatch.setenv("RESPIRE_EDGE_MODELS", str(missing))
    ran = run_command("doctor", "--model", TINY_BUNDLE)
    line = f"✗ models folder: RESPIRE_EDGE_MODELS={missing}: no such folder; to mend it: unset RESPIRE_EDGE_MODELS, or"
    assert (ran.code, lines_about("models folder", ran)[0][: len(line)]) == (2, line)


def test_further_checks_take_part(run_command: RunCommand, monkeypatch: pytest.MonkeyPatch) -> None:
    weak = Finding("power", False, "10 W", "sudo nvpmodel -m 0")
    monkeypatch.setattr(doctor, "CHECKS", (*CHECKS, Check("power", lambda *_: [weak])))
    ran = run_command("doctor")
    assert ran.code == 2
    assert "✗ power: 10 W; to mend it: sudo nvpmodel -m 0" in ran.out.splitlines()


def test_an_output_without_the_marks_gets_words(start_command: StartCommand, tmp_path: Path) -> None:
    process = start_command("doctor", "--model", tmp_path, environ={"PYTHONIOENCODING": "ascii"})
    out, err = process.communicate(timeout=60)
    assert (process.returncode, err) == (2, "")
    assert {"ok   ", "FAIL "} <= {line[:5] for line in out.splitlines()} <= {"ok   ", "note ", "FAIL "}
    assert finding_line(Finding("model", True, "gehört"), "ascii") == "ok   model: geh?rt"


# In a process of its own, as a person starts it; on whatever machine this is, so that the exit code may be either.

WITHOUT = (
    "import sys; sys.modules.update(dict.fromkeys({missing!r})); from edge.cli import main; "
    "sys.exit(main({arguments!r}))"
)
PACKAGES = ("numpy", "onnxruntime", "soundfile", "sounddevice")


def run_doctor(command: list[str], **changes: Any) -> Any:
    return subprocess.run(
        [sys.executable, *command], capture_output=True, text=True, timeout=120, check=False, **changes
    )


@pytest.mark.parametrize("missing", [("numpy",), ("sounddevice",), PACKAGES], ids="+".join)
def test_it_starts_without_any_package_and_says_what_installs_it(missing: tuple[str, ...], models_folder: Path) -> None:
    arguments = ["doctor", "--model", str(models_folder)]
    ran = run_doctor(["-c", WITHOUT.format(missing=missing, arguments=arguments)])
    assert (ran.returncode, ran.stderr) == (2, "")
    for name in missing:
        (line,) = [line for line in ran.stdout.splitlines() if line[2:].startswith(f"{name}: ")]
        assert line.startswith(f"✗ {name}: is not installed; to mend it: ")
        assert re.search(rf"install '{name}>=[\d.]+'", line)
    assert ("✓ model common@" in ran.stdout) == ("numpy" not in missing)
    assert "could not be checked" not in ran.stdout


def test_it_starts_with_a_numpy_that_ends_every_program(tmp_path: Path, models_folder: Path) -> None:
    (tmp_path / "numpy.py").write_text("import os, signal; os.kill(os.getpid(), signal.SIGILL)\n")
    (tmp_path / "numpy-2.4.0.dist-info").mkdir()
    (tmp_path / "numpy-2.4.0.dist-info" / "METADATA").write_text("Metadata-Version: 2.1\nName: numpy\nVersion: 2.4.0\n")
    environ = {**os.environ, "PYTHONPATH": f"{tmp_path}{os.pathsep}{REPOSITORY}"}
    ran = run_doctor(["-m", "edge", "doctor", "--model", str(models_folder)], env=environ, cwd=tmp_path)
    assert (ran.returncode, ran.stderr) == (2, "")
    assert "✗ numpy: numpy 2.4.0 cannot be imported (it ends the program by SIGILL); to mend it: export" in ran.stdout
    assert "✗ models: not looked at: numpy and onnxruntime cannot be imported; to mend it: " in ran.stdout


def test_a_file_that_hides_one_of_the_four_folders_is_found(tmp_path: Path, models_folder: Path) -> None:
    """With `python -m` the current folder comes first."""
    (tmp_path / "train.py").write_text("")
    environ = {**os.environ, "PYTHONPATH": str(REPOSITORY), "HOME": "/nowhere"}
    ran = run_doctor(["-m", "edge", "doctor", "--model", str(models_folder)], cwd=tmp_path, env=environ)
    assert ran.returncode == 2
    place = (tmp_path / "train.py").resolve()
    assert f"✗ folders: train is {place}, not {REPOSITORY / 'train'}; to mend it: mv {place} " in ran.stdout


def test_json_is_one_object_with_the_same_findings_and_no_name_of_a_user(tmp_path: Path) -> None:
    home = tmp_path / "jane.doe"
    shutil.copytree(TINY_BUNDLE, home / "my models" / "common")
    model = home / "my models" / "common" / "fp32.onnx"
    model.write_bytes(model.read_bytes() + b"\0")
    environ = {**os.environ, "HOME": str(home), "PYTHONPATH": str(REPOSITORY)}
    for name in ("RESPIRE_EDGE_ENGINES", "XDG_CACHE_HOME"):
        environ.pop(name, None)
    command = ["-m", "edge", "doctor", "--model", str(home / "my models")]
    ran = run_doctor([*command, "--json"], cwd=home, env=environ)
    assert (ran.returncode, ran.stderr) == (2, "")
    report = json.loads(ran.stdout)
    assert (report["schema"], report["ok"], sorted(report)) == (1, False, ["findings", "ok", "schema", "version"])
    assert {check.name for check in CHECKS} == {finding["check"] for finding in report["findings"]}
    assert all(
        sorted(finding) == ["check", "fields", "measured", "mend", "name", "ok"] and (finding["ok"] or finding["mend"])
        for finding in report["findings"]
    )
    broken = next(finding for finding in report["findings"] if finding["name"] == "model common")
    assert broken["mend"].endswith(
        "(cd ~/'my models/common' && sha256sum --quiet -c SHA256SUMS) names what was changed"
    )
    in_words = run_doctor(command, cwd=home, env=environ)
    assert len(in_words.stdout.splitlines()) == len(report["findings"])
    assert "jane" not in ran.stdout + in_words.stdout


def test_the_inputs_of_a_running_sound_server_are_listed_with_their_rates(sound_server: Any, tmp_path: Path) -> None:
    ran = run_doctor(["-m", "edge", "doctor", "--model", str(TINY_BUNDLE), "--json"], env=sound_server.environment)
    inputs = [finding for finding in json.loads(ran.stdout)["findings"] if finding["check"] == "sound_inputs"]
    found = next(each for each in inputs if each["fields"]["input"] == sound_server.input_name)
    assert found["ok"]
    assert sound_server.sample_rate_hz in found["fields"]["accepted_rates_hz"]
    assert any(each["fields"]["is_default"] for each in inputs)
