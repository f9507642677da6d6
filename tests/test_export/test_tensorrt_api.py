"""tools/check_tensorrt_api.py finds each name and argument that NVIDIA's bindings lack, in both pinned versions."""

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tools import check_tensorrt_api
from tools.check_tensorrt_api import main, maybe_obstacle
from tools.install_tensorrt_bindings import Bindings as Installed
from tools.install_tensorrt_bindings import make_ready, pinned_bindings
from tools.tensorrt_api.api import Api
from tools.tensorrt_api.check import Bindings, Report, check, describe_bindings, modules_using_tensorrt
from tools.tensorrt_api.source import Source
from tools.tensorrt_api.stub_libraries import maybe_c_compiler

VERSIONS = {installed.version: installed for installed in pinned_bindings()}
Checker = Callable[[list[Source]], list[Report]]


@pytest.fixture(scope="module", params=VERSIONS)
def bindings(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Bindings:
    """NVIDIA's bindings, imported beside empty libraries that the C compiler makes here."""
    if reason := maybe_obstacle():
        pytest.skip(reason)
    installed = VERSIONS[request.param]
    folder = tmp_path_factory.mktemp("bindings") / installed.version
    return describe_bindings(installed.folder, installed.version, maybe_c_compiler() or "", folder)


@pytest.fixture(scope="module")
def checked(bindings: Bindings, tmp_path_factory: pytest.TempPathFactory) -> Checker:
    return lambda sources: check(sources, bindings, tmp_path_factory.mktemp("mypy") / "files")


@pytest.fixture(scope="module")
def ours() -> dict[Path, Source]:
    """The modules of this project that import TensorRT."""
    return {path: Source(path.read_text(encoding="utf-8")) for path in modules_using_tensorrt()}


@pytest.fixture(scope="module")
def reports(checked: Checker, ours: dict[Path, Source]) -> dict[Path, Report]:
    return dict(zip(ours, checked(list(ours.values())), strict=True))


def test_both_versions_that_the_project_speaks_of_are_pinned() -> None:
    assert list(VERSIONS) == ["10.3.0", "11.4.0.106"]


def test_the_bindings_differ_where_nvidia_removed_what_tutorials_use(bindings: Bindings) -> None:
    removed = [("BuilderFlag", "FP16"), ("BuilderFlag", "INT8"), ("IBuilderConfig", "int8_calibrator")]
    found = [bindings.api.maybe_member(owner, name) is not None for owner, name in removed]
    assert found == [bindings.api.version == "10.3.0"] * 3


def test_every_name_and_argument_that_this_project_uses_is_there(reports: dict[Path, Report]) -> None:
    assert [f"{path}:{item.line}: {item.text}" for path, report in reports.items() for item in report.problems] == []


def test_nothing_that_the_engine_and_the_builder_call_is_overlooked(reports: dict[Path, Report]) -> None:
    assert {use.title for report in reports.values() for use in report.uses} >= {
        "Builder",
        "Builder.build_serialized_network",
        "IBuilderConfig.progress_monitor",
        "IBuilderConfig.set_timing_cache(ignore_mismatch=)",
        "ICudaEngine.num_io_tensors",
        "IExecutionContext.execute_async_v3",
        "IExecutionContext.set_tensor_address",
        "ILogger.Severity.ERROR",
        "ILogger.log",
        "IProgressMonitor.phase_start",
        "ITimingCache.serialize",
        "NetworkDefinitionCreationFlag.STRONGLY_TYPED",
        "OnnxParser.parse",
        "ParserError.desc",
        "Runtime.deserialize_cuda_engine",
    }


def test_misspelling_any_one_name_or_argument_is_found(
    bindings: Bindings, checked: Checker, ours: dict[Path, Source], reports: dict[Path, Report]
) -> None:
    misspellings = [item for path in ours for item in misspellings_of(path, ours[path], reports[path], bindings.api)]
    outcomes = checked([Source(misspelling.text) for misspelling in misspellings])
    pairs = zip(misspellings, outcomes, strict=True)
    assert [misspelling.title for misspelling, outcome in pairs if not outcome.problems] == []


@dataclass(frozen=True)
class Misspelling:
    title: str
    text: str
    """The whole module with this one name wrong."""


def misspellings_of(path: Path, source: Source, report: Report, api: Api) -> Iterator[Misspelling]:
    """The module at `path` as often as it uses a name of TensorRT, each time with another one misspelt."""
    for use in report.uses:
        right = use.keyword or use.name
        wrong = next(word for word in (right[:-1], right + "s") if word and api.maybe_member(use.owner, word) is None)
        title = f"{path.name}:{use.line}: {use.title} written {wrong}"
        yield Misspelling(title, source.with_misspelt(use, wrong))


MISTAKES = {
    "an engine that may be None": (
        "def f(runtime: trt.Runtime) -> int:\n    return runtime.deserialize_cuda_engine(b'').num_io_tensors",
        'Item "None" of "ICudaEngine | None" has no attribute "num_io_tensors"',
    ),
    "an argument left out": (
        "def f(log: trt.ILogger) -> object:\n    return trt.OnnxParser(logger=log)",
        'Missing positional argument "network"',
    ),
    "an argument of another type": (
        "def f(context: trt.IExecutionContext) -> bool:\n    return context.set_tensor_address(0, 0)",
        'incompatible type "int"; expected "str"',
    ),
    "a property that cannot be set": (
        "def f(engine: trt.ICudaEngine) -> None:\n    engine.num_io_tensors = 2",
        "read-only",
    ),
    "a class that only TensorRT can make": ("def f() -> object:\n    return trt.ICudaEngine()", "argument"),
    "a context manager, which is deprecated": (
        "def f(log: trt.ILogger) -> None:\n    with trt.Runtime(log):\n        pass",
        "__enter__",
    ),
    "a method that overrides nothing": (
        "class Monitor(trt.IProgressMonitor):\n    def phase_begin(self) -> None:\n        pass",
        "has no IProgressMonitor.phase_begin",
    ),
    "an override of another shape": (
        "class Monitor(trt.IProgressMonitor):\n    def phase_finish(self) -> None:\n        pass",
        'Signature of "phase_finish" incompatible',
    ),
    "a name in a string": (
        "def f(network: trt.INetworkDefinition) -> object:\n    return getattr(network, 'num_inputs')",
        "getattr() hides a name",
    ),
    "an object of unknown type": (
        "def f(network: Any) -> int:\n    return int(network.num_inputs)",
        "`.num_inputs` of an object of unknown type",
    ),
    "a name imported by itself": ("from tensorrt import Builder\nB = Builder", "import tensorrt as trt"),
    "code that mypy leaves out": (
        "def f(engine: trt.ICudaEngine) -> int:\n    if engine is None:\n        return engine.tensors\n    return 0",
        "unreachable",
    ),
}


@pytest.fixture(scope="module")
def mistakes(checked: Checker) -> dict[str, Report]:
    texts = (f"from typing import Any\nimport tensorrt as trt\n{code}\n" for code, _ in MISTAKES.values())
    return dict(zip(MISTAKES, checked([Source(text) for text in texts]), strict=True))


@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_mistake_in_a_call_is_found_too(mistakes: dict[str, Report], mistake: str) -> None:
    assert any(MISTAKES[mistake][1] in problem.text for problem in mistakes[mistake].problems), mistakes[mistake]


def test_a_flag_is_a_problem_in_the_version_that_removed_it(bindings: Bindings, checked: Checker) -> None:
    code = "def f(config: trt.IBuilderConfig) -> None:\n    config.set_flag(trt.BuilderFlag.FP16)\n"
    (report,) = checked([Source(f"import tensorrt as trt\n{code}")])
    assert bool(report.problems) == (bindings.api.version != "10.3.0")


TALK = """
import io, sys
import tensorrt_bindings as trt
sys.modules["tensorrt"] = trt
from edge.engine.tensorrt_log import open_log
from export.build_progress import BuildProgress
from export.tensorrt_builder import BuildWatch, _create_builder, _Monitor
from edge.errors import EngineError

heard, stopping = [], []
log = open_log(heard.append)
trt.ILogger.log(log.logger, trt.ILogger.Severity.ERROR, "out of\\nmemory")
trt.ILogger.log(log.logger, trt.ILogger.Severity.WARNING, "slow")
assert log.reason() == "out of memory", log.reason()
assert heard == ["TensorRT error: out of memory", "TensorRT warning: slow"], heard

stream = io.StringIO()
monitor = _Monitor(BuildWatch(BuildProgress(stream), lambda: bool(stopping), heard.append))
trt.IProgressMonitor.phase_start(monitor, "Building", "", 7)
assert "Building 0/7" in stream.getvalue(), stream.getvalue()
assert trt.IProgressMonitor.step_complete(monitor, "Building", 0) is True
stopping.append(True)
assert trt.IProgressMonitor.step_complete(monitor, "Building", 1) is False
trt.IProgressMonitor.phase_finish(monitor, "Building")

try:
    _create_builder(log)
except EngineError as error:
    print(error)
"""


def test_tensorrt_reaches_our_logger_and_monitor_and_its_refusal_is_one_line(
    bindings: Bindings, repository: Path
) -> None:
    # pybind11's base methods call the C++ virtual functions, which is the way TensorRT takes.
    paths = os.pathsep.join([bindings.environment["PYTHONPATH"], str(repository)])
    command = [sys.executable, "-c", TALK]
    environment = {**bindings.environment, "PYTHONPATH": paths}
    outcome = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert outcome.returncode == 0, outcome.stderr
    assert outcome.stdout == "TensorRT cannot start on this GPU: out of memory\n"


def test_the_command_names_file_and_line_and_fails(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], ours: dict[Path, Source]
) -> None:
    if reason := maybe_obstacle():
        pytest.skip(reason)
    right = next(path for path in ours if path.name == "tensorrt.py")
    text = right.read_text(encoding="utf-8")
    line = 1 + text[: text.index("execute_async_v3")].count("\n")
    wrong = tmp_path / "wrong.py"
    wrong.write_text(text.replace("execute_async_v3", "execute_async_v4"))
    assert main([str(wrong)]) == 1
    lines = capsys.readouterr().out.splitlines()
    for version in VERSIONS:
        assert any(
            found.startswith(f"{os.path.relpath(wrong)}:{line}: ") and found.endswith(f"(TensorRT {version})")
            for found in lines
        )
        assert any(found.startswith(f"TensorRT {version}: ") and found.endswith("1 problem") for found in lines)


def test_without_the_bindings_the_command_says_what_to_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(check_tensorrt_api, "pinned_bindings", lambda: pinned_bindings(folder=tmp_path))
    assert main([]) == 2
    assert "not installed for this Python; run: python tools/install_tensorrt_bindings.py" in capsys.readouterr().err


def test_without_a_compiler_the_command_says_what_to_install(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(check_tensorrt_api, "pinned_bindings", list)
    monkeypatch.setenv("CC", "no-such-compiler")
    assert main([]) == 2
    assert "sudo apt install gcc" in capsys.readouterr().err


def test_installed_bindings_are_left_alone_and_those_of_another_python_are_not_taken(tmp_path: Path) -> None:
    installed = Installed("name==1.0", tmp_path)
    (tmp_path / ".ready").write_text(installed.stamp)
    make_ready(installed)
    assert [path.name for path in tmp_path.iterdir()] == [".ready"]
    (tmp_path / ".ready").write_text("name==1.0 another-python\n")
    assert not installed.ready
