"""The command that builds an engine, from the bundle to the file that has proven itself.

TensorRT and pycuda are stand-ins here (tests/stand_ins): what is proven is what is kept, refused, printed and left
behind. That the calls exist in NVIDIA's bindings is held by test_tensorrt_api.py.
"""

from __future__ import annotations

import io
import json
import os
import re
import resource
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edge.bundle import Bundle, load_bundle
from edge.engine.plan import read_plan, sidecar_path
from edge.engine.plan_source import plan_source
from export import build_engine, staging
from export.build_progress import PIPED_EVERY_S, BuildProgress

BUNDLE = Path(__file__).parents[1] / "golden" / "tiny_bundle"


@dataclass(frozen=True)
class Ran:
    code: int
    out: str
    err: str


Run = Callable[..., Ran]


@pytest.fixture
def run(engines: Path, capsys: pytest.CaptureFixture[str]) -> Run:
    """The command on the tiny bundle, in INT8 unless told otherwise."""

    def run_command(*arguments: object, model: Path = BUNDLE, precision: str = "int8") -> Ran:
        capsys.readouterr()
        code = build_engine.main(["--model", str(model), "--precision", precision, *map(str, arguments)])
        captured = capsys.readouterr()
        return Ran(code, captured.out, captured.err)

    return run_command


@pytest.fixture
def engines(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "engines"
    monkeypatch.setenv("RESPIRE_EDGE_ENGINES", str(folder))
    return folder


@pytest.fixture
def bundle() -> Bundle:
    return load_bundle(BUNDLE)


@pytest.fixture
def plan(bundle: Bundle, engines: Path) -> Path:
    """Where the engine will stand."""
    return plan_source(bundle, "int8").plan_path(engines)


def test_an_engine_is_built_proven_and_stored_with_its_key(
    stand_ins: Any, run: Run, plan: Path, bundle: Bundle
) -> None:
    ran = run()
    assert (ran.code, ran.err) == (0, "build_engine: 0 s: Building Engine 0/2\n")
    source = plan_source(bundle, "int8")
    found = read_plan(plan, "")
    assert found.sidecar.key.onnx_sha256 == source.onnx_sha256
    assert found.sidecar.key.gpu == "Stand-in Orin"
    assert found.sidecar.key.builder_options == "strongly-typed optimization-level=3 workspace-mb=512"
    assert found.sidecar.golden.passed
    assert found.sidecar.made_by.startswith("respire-edge")
    assert found.content.endswith(source.model.path.read_bytes())
    assert sorted(path.suffix for path in plan.parent.iterdir()) == [".cache", ".engine", ".json"]


def test_the_report_says_what_was_built_how_it_agrees_and_how_fast_it_is(
    stand_ins: Any, run: Run, plan: Path, bundle: Bundle
) -> None:
    lines = run().out.splitlines()
    assert len(lines) == 4
    assert lines[0].startswith(f"{plan}: ")
    assert lines[0].endswith(f"int8-s8.onnx of {bundle.model_id}")
    assert "by TensorRT 10.3.0 for Stand-in Orin (8.7)" in lines[1]
    assert re.search(r"largest difference of a probability 0\.00\d\d \(tolerance 0\.", lines[2])
    assert "0 decisions changed" in lines[2]
    assert all(name in lines[3] for name in ("p50", "p95", "p99", "100 runs"))


def test_the_same_build_gives_the_same_files(stand_ins: Any, run: Run, plan: Path) -> None:
    run()
    before = plan.read_bytes(), sidecar_path(plan).read_bytes()
    assert run("--force").code == 0
    assert (plan.read_bytes(), sidecar_path(plan).read_bytes()) == before


def test_an_engine_that_is_up_to_date_is_not_built_again(stand_ins: Any, run: Run, plan: Path) -> None:
    run()
    ran = run()
    assert ran.code == 0
    assert ran.out.startswith(f"{plan}: up to date")
    assert "--force builds it again" in ran.out
    assert stand_ins.trt.builds == 1
    assert run("--force").code == 0
    assert stand_ins.trt.builds == 2


def other_machine(stand_ins: Any, plan: Path) -> None:
    stand_ins.cuda.gpu_name = "another"


def truncated(stand_ins: Any, plan: Path) -> None:
    plan.write_bytes(plan.read_bytes()[:-1])


def unproven(stand_ins: Any, plan: Path) -> None:
    content = json.loads(sidecar_path(plan).read_bytes())
    content["golden"]["max_difference"] = 1.0
    sidecar_path(plan).write_text(json.dumps(content))


@pytest.mark.parametrize("change", [other_machine, truncated, unproven])
def test_an_engine_that_is_not_usable_is_replaced(
    stand_ins: Any, run: Run, plan: Path, change: Callable[[Any, Path], None]
) -> None:
    run()
    change(stand_ins, plan)
    ran = run()
    assert "built in" in ran.out
    assert read_plan(plan, "").sidecar.golden.passed


def test_other_options_are_another_engine(stand_ins: Any, run: Run, plan: Path) -> None:
    run()
    assert "built in" in run("--optimization-level", 5, "--workspace-mb", 64).out
    assert read_plan(plan, "").sidecar.key.builder_options == "strongly-typed optimization-level=5 workspace-mb=64"


def test_an_engine_elsewhere_comes_with_how_to_use_it(stand_ins: Any, run: Run, tmp_path: Path) -> None:
    ran = run("--output", tmp_path / "elsewhere")
    assert ran.out.splitlines()[-1].endswith(f"set RESPIRE_EDGE_ENGINES={tmp_path / 'elsewhere'}")
    assert len(list((tmp_path / "elsewhere").glob("*.engine"))) == 1


@pytest.mark.parametrize("offset", [0.2, np.nan])
def test_an_engine_that_answers_wrongly_never_gets_its_name(
    stand_ins: Any, run: Run, plan: Path, offset: float
) -> None:
    stand_ins.trt.faults.probability_offset = offset
    ran = run()
    assert ran.code == 2
    assert ran.out == ""
    assert str(plan) in ran.err.splitlines()[-1]
    assert list(plan.parent.glob("*.engine*")) == []
    assert list(plan.parent.glob(".*")) == []


def test_a_folder_that_cannot_be_made_is_refused_before_anything_is_built(
    stand_ins: Any, run: Run, tmp_path: Path
) -> None:
    (tmp_path / "file").write_text("")
    ran = run("--output", tmp_path / "file" / "engines")
    assert (ran.code, len(ran.err.splitlines())) == (2, 1)
    assert "cannot be made (Not a directory); choose another with --output" in ran.err
    assert stand_ins.trt.builds == 0


def test_a_failed_build_leaves_the_earlier_engine_as_it_was(stand_ins: Any, run: Run, plan: Path) -> None:
    run()
    before = plan.read_bytes(), sidecar_path(plan).read_bytes()
    stand_ins.trt.faults.probability_offset = 0.2
    assert run("--force", "--workspace-mb", 64).code == 2
    stand_ins.trt.faults.building = "out of memory"
    assert run("--force", "--workspace-mb", 64).code == 2
    assert (plan.read_bytes(), sidecar_path(plan).read_bytes()) == before


@contextmanager
def largest_file(size_bytes: int) -> Iterator[None]:
    """Writing more than that to one file fails, as on a disk that fills."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size_bytes, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def test_a_disk_that_fills_while_the_engine_is_written_leaves_the_earlier_one(
    stand_ins: Any, run: Run, plan: Path
) -> None:
    run()
    before = plan.read_bytes(), sidecar_path(plan).read_bytes()
    with largest_file(len(before[0]) - 1):
        ran = run("--force")
    assert ran.code == 2
    assert "cannot be written" in ran.err.splitlines()[-1]
    assert (plan.read_bytes(), sidecar_path(plan).read_bytes()) == before
    assert list(plan.parent.glob(".*")) == []


def test_a_disk_that_cannot_keep_the_sidecar_leaves_the_earlier_pair(
    stand_ins: Any, run: Run, plan: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run()
    before = plan.read_bytes(), sidecar_path(plan).read_bytes()
    flush = staging._flush_to_disk

    def full(path: Path) -> None:
        if ".json" in path.name:
            raise OSError(28, "No space left on device")
        flush(path)

    monkeypatch.setattr(staging, "_flush_to_disk", full)
    assert run("--force", "--workspace-mb", 64).code == 2
    assert (plan.read_bytes(), sidecar_path(plan).read_bytes()) == before


def test_control_c_ends_the_build_at_its_next_step(
    stand_ins: Any, run: Run, plan: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    show_phases = stand_ins.trt._show_phases
    asked: list[bool] = []

    def interrupted(monitor: Any) -> bool:
        os.kill(os.getpid(), signal.SIGINT)
        deadline_s = time.monotonic() + 20  # the main thread may be late to learn of it
        asked.append(monitor.step_complete("Building Engine", 0))
        while asked[-1] and time.monotonic() < deadline_s:
            time.sleep(0.01)
            asked.append(monitor.step_complete("Building Engine", 0))
        return bool(show_phases(monitor))

    monkeypatch.setattr(stand_ins.trt, "_show_phases", interrupted)
    ran = run()
    assert not asked[-1]
    assert ran.code == 130
    assert ran.err.splitlines()[-1] == "build_engine: stopped; no engine was changed"
    assert list(plan.parent.glob("*")) == []


@pytest.mark.parametrize(
    ("faults", "said"),
    [
        ({"starting": "CUDA error 35"}, "TensorRT cannot start on this GPU: CUDA error 35"),
        (
            {"parsing": [(12, "QuantizeLinear", "layer1.0.conv1", "Assertion failed:\n zero point")]},
            "TensorRT 10.3.0 cannot read it (node 12 QuantizeLinear 'layer1.0.conv1': Assertion failed: zero point)",
        ),
    ],
)
def test_what_tensorrt_refuses_is_one_line(
    stand_ins: Any, run: Run, plan: Path, faults: dict[str, Any], said: str
) -> None:
    for name, value in faults.items():
        setattr(stand_ins.trt.faults, name, value)
    ran = run()
    assert ran.code == 2
    assert len(ran.err.splitlines()) == 1
    assert said in ran.err
    assert list(plan.parent.iterdir()) == []


def test_several_errors_of_the_parser_are_listed_with_their_nodes(stand_ins: Any, run: Run) -> None:
    stand_ins.trt.faults.parsing = [(3, "Cast", "to_half", "no such type"), (7, "Softmax", "end", "no axis")]
    lines = run().err.splitlines()
    assert lines[0] == "build_engine: node 3 Cast 'to_half': no such type"
    assert lines[1] == "build_engine: node 7 Softmax 'end': no axis"
    assert "cannot read it (2 errors); export and pack it again" in lines[2]


@pytest.mark.parametrize(
    ("version", "precision", "advice"),
    [
        ("10.3.0", "int8", "from TensorRT 10.12 on: use --precision fp16, or update JetPack"),
        ("10.3.0", "fp16", "from TensorRT 10.12 on: update JetPack"),
        ("10.16.2", "int8", None),
        ("11.4.0.106", "int8", None),
    ],
)
def test_where_strong_typing_is_young_a_failed_build_says_what_to_do(
    stand_ins: Any, run: Run, version: str, precision: str, advice: str | None
) -> None:
    stand_ins.trt.__version__ = version
    stand_ins.trt.faults.building = "Could not find any implementation for node conv1."
    ran = run(precision=precision)
    assert ran.code == 2
    last = ran.err.splitlines()[-1]
    assert f"TensorRT {version} cannot build it: Could not find any implementation for node conv1." in last
    assert last.endswith(advice) if advice else "10.12" not in last


def test_an_older_tensorrt_is_refused(stand_ins: Any, run: Run) -> None:
    stand_ins.trt.__version__ = "10.2.0"
    ran = run()
    assert (ran.code, len(ran.err.splitlines())) == (2, 1)
    assert "TensorRT 10.2.0 is older than 10.3" in ran.err


def test_without_tensorrt_one_line_says_where_it_comes_from(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "tensorrt", None)
    ran = run()
    assert (ran.code, len(ran.err.splitlines())) == (2, 1)
    assert "python3-libnvinfer" in ran.err


def test_without_pycuda_one_line_says_how_to_build_it(
    stand_ins: Any, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "pycuda.driver", None)
    ran = run()
    assert (ran.code, len(ran.err.splitlines())) == (2, 1)
    assert "CUDA_ROOT" in ran.err


def test_a_folder_that_is_no_bundle_is_refused(stand_ins: Any, run: Run, tmp_path: Path) -> None:
    ran = run(model=tmp_path)
    assert (ran.code, len(ran.err.splitlines())) == (2, 1)
    assert "cannot read the bundle's manifest" in ran.err


def edited_bundle(tmp_path: Path, change: Callable[[dict[str, Any]], object]) -> Path:
    folder = tmp_path / "edited"
    shutil.copytree(BUNDLE, folder)
    manifest = json.loads((folder / "manifest.json").read_text())
    change(manifest)
    (folder / "manifest.json").write_text(json.dumps(manifest))
    return folder


def test_a_bundle_without_golden_inputs_is_refused_before_anything_is_built(
    stand_ins: Any, run: Run, tmp_path: Path
) -> None:
    folder = edited_bundle(tmp_path, lambda manifest: manifest.pop("golden"))
    ran = run(model=folder)
    assert (ran.code, len(ran.err.splitlines())) == (2, 1)
    assert "golden" in ran.err
    assert stand_ins.trt.builds == 0


def test_a_bundle_without_a_file_for_tensorrt_is_refused(stand_ins: Any, run: Run, tmp_path: Path) -> None:
    def forget(manifest: dict[str, Any]) -> None:
        del manifest["files"]["int8-s8.onnx"], manifest["golden"]["tolerance"]["int8-s8.onnx"]

    ran = run(model=edited_bundle(tmp_path, forget))
    assert (ran.code, len(ran.err.splitlines())) == (2, 1)
    assert "holds no int8 file with int8 activations for TensorRT; use another --precision" in ran.err


def test_a_network_without_static_shapes_is_refused(stand_ins: Any, run: Run, tmp_path: Path) -> None:
    onnx = pytest.importorskip("onnx")
    model = onnx.load(BUNDLE / "int8-s8.onnx")
    for value in (*model.graph.input, *model.graph.output):
        value.type.tensor_type.shape.dim[0].dim_param = "batch"
    content = model.SerializeToString()

    def relist(manifest: dict[str, Any]) -> None:
        import hashlib

        manifest["files"]["int8-s8.onnx"].update(sha256=hashlib.sha256(content).hexdigest(), bytes=len(content))

    folder = edited_bundle(tmp_path, relist)
    (folder / "int8-s8.onnx").write_bytes(content)
    ran = run(model=folder)
    assert (ran.code, len(ran.err.splitlines())) == (2, 1)
    assert "the network has 'image UINT8 -1x1x64x219' where 'image UINT8 1x1x64x219' is needed" in ran.err


def test_the_timing_cache_is_kept_for_the_next_build_of_the_same_machine(
    stand_ins: Any, run: Run, engines: Path
) -> None:
    run()
    (cache,) = engines.glob("timing-*.cache")
    kept = cache.read_bytes()
    run("--force")
    assert stand_ins.trt.timing_caches == [(b"", False), (kept, False)]


def test_each_machine_has_a_timing_cache_of_its_own(stand_ins: Any, run: Run, engines: Path) -> None:
    run()
    stand_ins.trt.__version__ = "10.16.2"
    run()
    assert len(list(engines.glob("timing-*.cache"))) == 2
    assert stand_ins.trt.timing_caches == [(b"", False), (b"", False)]


@pytest.mark.parametrize("content", [b"something else", b'stand-in timing cache ["8.6.2", "Xavier"] 1'])
def test_a_timing_cache_that_does_not_fit_is_replaced_with_a_note(
    stand_ins: Any, run: Run, tmp_path: Path, content: bytes
) -> None:
    (tmp_path / "cache").write_bytes(content)
    ran = run("--timing-cache", tmp_path / "cache")
    assert ran.code == 0
    assert f"{tmp_path / 'cache'}: not a timing cache for this TensorRT and GPU; starting a new one" in ran.err
    assert (tmp_path / "cache").read_bytes() not in (b"", content)
    assert not any(ignored for _, ignored in stand_ins.trt.timing_caches)


def test_a_timing_cache_that_cannot_be_read_or_kept_costs_a_note_each(stand_ins: Any, run: Run, tmp_path: Path) -> None:
    (tmp_path / "cache").mkdir()
    ran = run("--timing-cache", tmp_path / "cache")
    assert ran.code == 0
    assert "the timing cache cannot be read (Is a directory)" in ran.err
    assert "the timing cache is not kept: " in ran.err


def test_verbose_shows_what_tensorrt_says(stand_ins: Any, run: Run) -> None:
    assert "build_engine: TensorRT info: Engine generation completed" in run("--verbose").err.splitlines()


def test_the_precision_has_to_be_chosen_and_float32_is_not_on_offer(run: Run) -> None:
    for precision in ("fp32", ""):
        with pytest.raises(SystemExit):
            run(precision=precision)


class Terminal(io.StringIO):
    encoding = "utf-8"

    def isatty(self) -> bool:
        return True


class Clock:
    def __init__(self) -> None:
        self.now_s = 0.0

    def __call__(self) -> float:
        return self.now_s


def test_progress_in_a_pipe_is_a_plain_line_now_and_then() -> None:
    stream, clock = io.StringIO(), Clock()
    progress = BuildProgress(stream, clock)
    progress.start("Building", 4)
    for step in range(4):
        clock.now_s += PIPED_EVERY_S / 2
        progress.step("Building", step)
    assert stream.getvalue().splitlines() == [
        "build_engine: 0 s: Building 0/4",
        "build_engine: 10 s: Building 2/4",
        "build_engine: 20 s: Building 4/4",
    ]


def test_progress_on_a_terminal_is_one_line_with_the_innermost_phase(virtual_terminal: Any) -> None:
    stream, clock, shown = Terminal(), Clock(), virtual_terminal()
    progress = BuildProgress(stream, clock)
    progress.start("Building", 2)
    clock.now_s = 61
    progress.step("Building", 0)
    progress.start("Tactics", 9)
    progress.start("Timing", 5)
    clock.now_s = 62
    progress.step("Timing", 2)
    shown.feed(stream.getvalue())
    assert shown.text == ["[" + "█" * 15 + " " * 15 + "] 62 s: Building 1/2 / Timing 3/5"]
    told = len(stream.getvalue())
    progress.finish("Timing")
    progress.finish("Tactics")
    clock.now_s = 63
    progress.step("Building", 1)
    shown.feed(stream.getvalue()[told:])
    assert shown.text == ["[" + "█" * 30 + "] 63 s: Building 2/2"]


def test_progress_goes_on_where_nobody_reads_it() -> None:
    stream = io.StringIO()
    progress = BuildProgress(stream, Clock())
    stream.close()
    progress.start("Building", 2)
    progress.step("Building", 0)
    progress.erase()


def test_a_whole_build_runs_where_neither_torch_nor_onnx_is_installed(
    repository: Path, stand_ins: Any, tmp_path: Path
) -> None:
    code = """
import sys
for name in ("torch", "torchvision", "onnx", "onnxscript", "scipy", "train"):
    sys.modules[name] = None
from export.build_engine import main
raise SystemExit(main(sys.argv[1:]))
"""
    arguments = ["--model", str(BUNDLE), "--precision", "fp16"]
    environment = os.environ | {"PYTHONPATH": str(stand_ins.folder), "RESPIRE_EDGE_ENGINES": str(tmp_path)}
    command = [sys.executable, "-c", code, *arguments]
    ran = subprocess.run(command, cwd=repository, env=environment, capture_output=True, text=True, check=False)
    assert (ran.returncode, len(ran.stdout.splitlines())) == (0, 4), ran.stderr
    assert len(list(tmp_path.glob("*-fp16.engine"))) == 1
