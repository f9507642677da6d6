"""From a plan on the disk to probabilities: what is refused on the way, and what `auto` makes of it.

TensorRT and pycuda are stand-ins here (tests/stand_ins); test_engine.py runs the real ones where there are any.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from edge.bundle import Bundle
from edge.engine import machine
from edge.engine.engine import Engine, open_engine
from edge.engine.golden import load_golden, prove_engine
from edge.engine.plan import sidecar_path
from edge.engine.plan_source import plan_source
from edge.errors import EngineError
from edge.signal.spec import COMPACT
from export import build_engine

COMMAND = "python -m export.build_engine --model {folder} --precision {precision}"


@pytest.fixture
def engines(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder in which engines are looked for; empty."""
    folder = tmp_path / "engines"
    monkeypatch.setenv("RESPIRE_EDGE_ENGINES", str(folder))
    return folder


Build = Callable[..., Path]


@pytest.fixture
def build(stand_ins: Any, bundle: Bundle, engines: Path, capsys: pytest.CaptureFixture[str]) -> Build:
    def build_plan(precision: str = "int8") -> Path:
        assert build_engine.main(["--model", str(bundle.folder), "--precision", precision]) == 0
        capsys.readouterr()
        return plan_source(bundle, precision).plan_path(engines)

    return build_plan


def image() -> NDArray[np.uint8]:
    return np.full((1, *COMPACT.image_shape), 96, np.uint8)


def refusal(bundle: Bundle) -> str:
    with pytest.raises(EngineError) as caught:
        open_engine(bundle, "tensorrt")
    assert "\n" not in str(caught.value)
    return str(caught.value)


def edit_sidecar(plan: Path, change: Callable[[dict[str, Any]], None]) -> None:
    content = json.loads(sidecar_path(plan).read_bytes())
    change(content)
    sidecar_path(plan).write_text(json.dumps(content))


@pytest.mark.parametrize("precision", ["int8", "fp16"])
def test_a_built_engine_gives_the_golden_probabilities(build: Build, bundle: Bundle, precision: str) -> None:
    build(precision)
    with open_engine(bundle, "tensorrt") as engine:
        assert engine.name == f"tensorrt-10.3.0-{precision}"
        cases = load_golden(bundle, plan_source(bundle, precision).model.path.name)
        assert prove_engine(engine, cases, engine.name).max_difference < 1e-3


def test_closing_gives_everything_back_once(build: Build, bundle: Bundle, stand_ins: Any) -> None:
    build()
    engine = open_engine(bundle, "tensorrt")
    engine.infer(image())
    assert stand_ins.cuda.retained == 1
    engine.close()
    engine.close()
    assert (stand_ins.cuda.retained, stand_ins.cuda.memory, stand_ins.cuda.page_locked) == (0, {}, 0)
    assert stand_ins.trt.freed_late == []


def test_two_engines_at_a_time_do_not_disturb_each_other(build: Build, bundle: Bundle) -> None:
    build()
    with open_engine(bundle, "tensorrt") as first:
        expected = first.infer(image())
        with open_engine(bundle, "tensorrt") as second:
            np.testing.assert_array_equal(second.infer(image()), expected)
        np.testing.assert_array_equal(first.infer(image()), expected)


def test_without_tensorrt_the_message_says_where_it_comes_from(
    bundle: Bundle, engines: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "tensorrt", None)
    said = refusal(bundle)
    assert said.startswith("TensorRT's Python module is not installed; on a Jetson: sudo apt install")
    assert "--system-site-packages" in said


def test_an_old_tensorrt_is_refused(stand_ins: Any, bundle: Bundle, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stand_ins.trt, "__version__", "8.6.2.3")
    assert refusal(bundle).startswith("TensorRT 8.6.2.3 is older than 10.3; update to JetPack 6.1")


def test_without_an_engine_the_message_is_the_command_that_builds_one(
    stand_ins: Any, bundle: Bundle, engines: Path
) -> None:
    command = COMMAND.format(folder=bundle.folder, precision="int8")
    assert refusal(bundle).endswith(f"yet; build it with: {command}")


def other_gpu(stand_ins: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(stand_ins.cuda, "gpu_name", "NVIDIA H100")


def other_capability(stand_ins: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(stand_ins.cuda, "capability", (7, 2))


def other_tensorrt(stand_ins: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(stand_ins.trt, "__version__", "10.16.2")


def other_driver(stand_ins: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(stand_ins.cuda, "get_driver_version", lambda: 13020)


def other_jetpack(stand_ins: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "release").write_text("# R39 (release), REVISION: 2.0, GCID: 1")
    monkeypatch.setattr(machine, "TEGRA_RELEASE", tmp_path / "release")


@pytest.mark.parametrize(
    ("move", "said"),
    [
        (other_gpu, "gpu is 'Stand-in Orin' in the engine and 'NVIDIA H100' here"),
        (other_capability, "compute_capability is '8.7' in the engine and '7.2' here"),
        (other_tensorrt, "tensorrt is '10.3.0' in the engine and '10.16.2' here"),
        (other_driver, "cuda is 'driver 12.6, pycuda 12.6' in the engine and 'driver 13.2, pycuda 12.6' here"),
        (other_jetpack, "l4t is 'none' in the engine and 'R39.2.0' here"),
    ],
)
def test_an_engine_of_another_machine_is_refused_with_the_one_difference(
    build: Build, bundle: Bundle, stand_ins: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, move: Any, said: str
) -> None:
    plan = build()
    move(stand_ins, monkeypatch, tmp_path)
    command = COMMAND.format(folder=bundle.folder, precision="int8")
    assert refusal(bundle) == f"{plan}: {said}; rebuild it with: {command}"


def test_with_which_options_it_was_built_does_not_matter_here(build: Build, bundle: Bundle) -> None:
    plan = build()
    edit_sidecar(plan, lambda content: content["key"].update(builder_options="of another version"))
    open_engine(bundle, "tensorrt").close()


def test_an_engine_that_has_not_proven_itself_is_refused(build: Build, bundle: Bundle) -> None:
    plan = build()
    edit_sidecar(plan, lambda content: content["golden"].update(max_difference=0.4, tolerance=0.05))
    assert "failed on the bundle's golden inputs (off by 0.4, 0.05 is allowed); rebuild it with:" in refusal(bundle)


def test_a_truncated_engine_is_refused(build: Build, bundle: Bundle) -> None:
    plan = build()
    plan.write_bytes(plan.read_bytes()[:-100])
    assert "it was cut short or changed; rebuild it with:" in refusal(bundle)


def test_a_plan_that_tensorrt_does_not_take_is_refused_in_its_words(
    build: Build, bundle: Bundle, stand_ins: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    build()
    monkeypatch.setattr(stand_ins.trt, "PLAN_MARK", b"another format ")
    said = refusal(bundle)
    assert "TensorRT refuses the engine: IRuntime::deserializeCudaEngine: Error Code 1" in said
    assert "Version tag does not match" in said
    assert "rebuild it with:" in said


@pytest.mark.parametrize(
    ("fault", "value", "said"),
    [
        ("starting", "CUDA initialization failure with error: 35", "TensorRT cannot start on this GPU: CUDA init"),
        ("preparing", "Out of memory", "TensorRT cannot prepare the engine: Out of memory"),
        ("binding", "Given invalid tensor name", "TensorRT takes no buffer for 'image': Given invalid"),
        ("input_name", "pixels", "the engine has input 'pixels UINT8 1x1x64x219', this version needs 'image UINT8"),
    ],
)
def test_whatever_tensorrt_refuses_while_opening_leaves_nothing_behind(
    build: Build, bundle: Bundle, stand_ins: Any, fault: str, value: str, said: str
) -> None:
    build()
    setattr(stand_ins.trt.faults, fault, value)
    assert said in refusal(bundle)
    assert (stand_ins.cuda.retained, stand_ins.cuda.memory, stand_ins.cuda.page_locked) == (0, {}, 0)


@pytest.mark.parametrize("step", ["retain_primary_context", "push", "Stream", "pagelocked_empty", "mem_alloc"])
def test_whatever_cuda_refuses_while_opening_leaves_nothing_behind(
    build: Build, bundle: Bundle, stand_ins: Any, step: str
) -> None:
    build()
    stand_ins.cuda.failing[step] = "out of memory"
    assert f"{step} failed: out of memory" in refusal(bundle)
    assert (stand_ins.cuda.retained, stand_ins.cuda.memory, stand_ins.cuda.page_locked) == (0, {}, 0)


@pytest.mark.parametrize(
    ("break_it", "said"),
    [
        (lambda trt, cuda: setattr(trt.faults, "running", "Cask convolution execution"), "TensorRT failed: Cask"),
        (lambda trt, cuda: setattr(trt.faults, "probability_offset", np.nan), "gave no numbers; use --engine onnx"),
        (lambda trt, cuda: cuda.failing.update(synchronize="an illegal memory access"), "the GPU failed: synchronize"),
    ],
    ids=["refused", "no numbers", "illegal access"],
)
def test_a_failure_while_running_is_one_line_and_closing_still_works(
    build: Build, bundle: Bundle, stand_ins: Any, break_it: Callable[..., None], said: str
) -> None:
    build()
    with open_engine(bundle, "tensorrt") as engine:
        break_it(stand_ins.trt, stand_ins.cuda)
        with pytest.raises(EngineError, match=said) as caught:
            engine.infer(image())
    assert "\n" not in str(caught.value)


def opened_by_auto(bundle: Bundle) -> tuple[str, list[str]]:
    told: list[str] = []
    with open_engine(bundle, "auto", tell=told.append) as engine:
        return engine.name.partition("-")[0], told


def test_auto_takes_tensorrt_where_it_has_an_engine(build: Build, bundle: Bundle) -> None:
    build()
    assert opened_by_auto(bundle) == ("tensorrt", [])


def test_auto_takes_the_fastest_precision_that_was_built(build: Build, bundle: Bundle) -> None:
    build("fp16")
    with open_engine(bundle) as engine:
        assert engine.name == "tensorrt-10.3.0-fp16"
    build("int8")
    with open_engine(bundle) as engine:
        assert engine.name == "tensorrt-10.3.0-int8"


def test_auto_says_nothing_where_no_engine_was_built(stand_ins: Any, bundle: Bundle, engines: Path) -> None:
    assert opened_by_auto(bundle) == ("onnxruntime", [])


def test_auto_goes_on_with_onnx_and_says_why_an_engine_was_not_used(
    build: Build, bundle: Bundle, stand_ins: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    build()
    other_gpu(stand_ins, monkeypatch, Path())
    name, told = opened_by_auto(bundle)
    assert name == "onnxruntime"
    assert len(told) == 1
    assert told[0].startswith("respire-edge: using ONNX Runtime instead of TensorRT: ")
    assert "gpu is 'Stand-in Orin' in the engine and 'NVIDIA H100' here; rebuild it with:" in told[0]


def test_auto_says_so_where_the_engine_is_of_an_older_model(build: Build, bundle: Bundle) -> None:
    plan = build()
    plan.rename(plan.with_name(f"{bundle.device}-0123456789ab-int8.engine"))
    name, told = opened_by_auto(bundle)
    assert name == "onnxruntime"
    assert len(told) == 1
    assert "no engine was built from" in told[0]


def test_auto_uses_the_other_precision_where_one_does_not_match(build: Build, bundle: Bundle) -> None:
    build("fp16")
    plan = build("int8")
    edit_sidecar(plan, lambda content: content["key"].update(gpu="Xavier"))
    told: list[str] = []
    with open_engine(bundle, tell=told.append) as engine:
        assert engine.name == "tensorrt-10.3.0-fp16"
    assert [line for line in told if "gpu is 'Xavier'" in line] == told
    assert len(told) == 1


def test_auto_does_not_import_tensorrt_without_an_engine_to_open(
    repository: Path, bundle: Bundle, stand_ins: Any, engines: Path
) -> None:
    code = f"""
import sys
from pathlib import Path
sys.path.insert(0, {str(stand_ins.folder)!r})
from edge.bundle import load_bundle
from edge.engine.engine import open_engine
open_engine(load_bundle(Path({str(bundle.folder)!r}))).close()
print(sorted({{"tensorrt", "pycuda", "edge.engine.tensorrt"}} & set(sys.modules)))
"""
    found = subprocess.run([sys.executable, "-c", code], cwd=repository, capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "[]"


@pytest.mark.parametrize("engine", ["tensorrt", "auto"])
def test_listen_runs_through_it(build: Build, run_command: Any, write_sound: Any, breathing: Any, engine: str) -> None:
    build()
    path = write_sound("breath.wav", breathing(9.0))
    arguments = ("--device", "meditron", "--source", path, "--no-realtime", "--output", "-")
    ran = run_command("listen", *arguments, "--engine", engine)
    assert ran.code == 0
    assert {result["engine"] for result in ran.results} == {"tensorrt-10.3.0-int8"}
    onnx = run_command("listen", *arguments, "--engine", "onnx")
    for result, expected in zip(ran.results, onnx.results, strict=True):
        assert result["probabilities"] == pytest.approx(expected["probabilities"], abs=0.05)


def test_listen_without_a_matching_engine_is_one_line(
    build: Build, run_command: Any, stand_ins: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    build()
    other_gpu(stand_ins, monkeypatch, Path())
    ran = run_command("listen", "--device", "meditron", "--source", "demo", "--no-realtime", "--engine", "tensorrt")
    assert ran.code == 2
    lines = ran.err.strip().splitlines()
    assert lines[-1].startswith("respire-edge: ")
    assert "gpu is" in lines[-1]
    assert ran.out == ""


def test_score_uses_the_engine_for_one_recording_after_the_other(
    build: Build, run_command: Any, write_sound: Any, breathing: Any
) -> None:
    build()
    paths = [write_sound(f"{number}.wav", breathing(8.0, seed=number)) for number in range(3)]
    ran = run_command("score", *paths, "--device", "meditron", "--jobs", "1")
    assert ran.code == 0
    assert {result["engine"] for result in ran.results} == {"tensorrt-10.3.0-int8"}


def test_the_engine_protocol_is_kept(build: Build, bundle: Bundle) -> None:
    build()
    engine: Engine = open_engine(bundle, "tensorrt")
    with engine as same:
        assert same is engine
