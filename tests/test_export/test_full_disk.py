"""A disk that fills while a command of export writes: one line, and nothing half-written under the final name."""

import errno
import resource
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

import pytest

from export import calibrate, export_onnx, pack, quantize, staging

Fault = Callable[[pytest.MonkeyPatch], AbstractContextManager[None]]
SMALL_BYTES = 4096
"""Less than anything that these commands write."""


@contextmanager
def files_grow_no_further(_: pytest.MonkeyPatch) -> Iterator[None]:
    """The kernel refuses to write more than that into one file."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (SMALL_BYTES, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


@contextmanager
def no_space_when_flushed(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """As file systems report it that find room for data late."""

    def full(_: Path) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(staging, "_flush_to_disk", full)
        yield


@pytest.fixture(scope="session")
def commands(
    checkpoint_folder: Path,
    icbhi_folder: Path,
    calibration_path: Path,
    quantize_arguments: list[str],
    graphs: list[Path],
    comparison_path: Path,
) -> dict[str, list[str]]:
    """All arguments but the last, `--output`."""
    checkpoint, data = ["--checkpoint", str(checkpoint_folder)], ["--data", str(icbhi_folder)]
    tolerant = ["--min-agreement", "0.5", "--max-score-drop", "100"]
    return {
        "calibrate": [*checkpoint, *data, "--images", "64"],
        "export_onnx": [*checkpoint, "--images", str(calibration_path)],
        "quantize": [*quantize_arguments, *tolerant, "--method", "minmax"],
        "pack": [*checkpoint, "--onnx", *map(str, graphs), "--comparison", str(comparison_path)],
    }


MAINS = {"calibrate": calibrate.main, "export_onnx": export_onnx.main, "quantize": quantize.main, "pack": pack.main}
WRITTEN = {
    "calibrate": ("calibration.npz", ["calibration.npz"]),
    "export_onnx": ("fp32.onnx", ["fp32.onnx"]),
    "quantize": ("int8", ["int8/fp16.onnx", "int8/int8-u8.onnx", "int8/int8-s8.onnx"]),
    "pack": ("common", ["common/manifest.json", "common/int8-u8.onnx"]),
}
"""`--output`, and files that it leads to."""


def content(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.mark.parametrize("fault", [files_grow_no_further, no_space_when_flushed])
@pytest.mark.parametrize("name", list(MAINS))
def test_a_full_disk_leaves_what_was_there(
    name: str,
    fault: Fault,
    commands: dict[str, list[str]],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    output, written = WRITTEN[name]
    earlier = {} if fault is no_space_when_flushed else dict.fromkeys(written, b"of an earlier run")
    for path, old in earlier.items():
        (tmp_path / path).parent.mkdir(exist_ok=True)
        (tmp_path / path).write_bytes(old)
    with fault(monkeypatch):
        assert MAINS[name]([*commands[name], "--output", str(tmp_path / output)]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith(f"{name}: ")
    assert "cannot be written" in line
    assert content(tmp_path) == earlier
