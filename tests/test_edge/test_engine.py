"""One network, any batch: what an engine answers, and what it refuses."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from edge.bundle import Bundle, ModelFile, load_bundle
from edge.engine.engine import Engine, open_engine
from edge.engine.machine import this_machine
from edge.engine.onnx import choose_file
from edge.errors import EngineError
from edge.signal.spec import COMPACT
from export import build_engine

ENGINES = {
    "onnx": r"onnxruntime-cpu-\w+",
    "tensorrt": r"tensorrt-[0-9.]+-int8",
    "tensorrt over stand-ins": r"tensorrt-10\.3\.0-int8",
}
"""What runs the suite, with its name. The second does wherever there is a GPU with TensorRT and pycuda; the third has
ONNX Runtime in TensorRT's place, and proves that images and probabilities go through the right hands."""

EditBundle = Callable[[Callable[[dict[str, Any]], None]], Path]


def images(count: int) -> NDArray[np.uint8]:
    """Images whose rows differ in level, each in its own way."""
    rng = np.random.default_rng(5)
    shape = (count, *COMPACT.image_shape)
    rows = rng.integers(0, 256, size=(count, 1, COMPACT.image_shape[1], 1))
    return np.broadcast_to(rows, shape).astype(np.uint8)


@pytest.fixture(params=list(ENGINES))
def kind(request: pytest.FixtureRequest) -> str:
    if request.param == "tensorrt":
        try:
            this_machine()
        except EngineError as error:
            pytest.skip(f"TensorRT does not run here: {str(error).partition(';')[0]}")
    elif request.param != "onnx":
        request.getfixturevalue("stand_ins")
    return str(request.param)


@pytest.fixture
def engine(kind: str, bundle: Bundle, tmp_path: Path) -> Iterator[Engine]:
    if kind == "onnx":
        with open_engine(bundle, "onnx") as opened:
            yield opened
        return
    assert build_engine.main(["--model", str(bundle.folder), "--precision", "int8", "--output", str(tmp_path)]) == 0
    with open_engine(bundle, "tensorrt", environ={"RESPIRE_EDGE_ENGINES": str(tmp_path)}) as opened:
        yield opened


def test_probabilities_follow_the_image(engine: Engine) -> None:
    lit = np.full((4, *COMPACT.image_shape), 96, np.uint8)
    for band in range(4):
        lit[band, :, 16 * band : 16 * (band + 1)] = 255
    probabilities = engine.infer(lit)
    assert probabilities.dtype == np.float32
    np.testing.assert_allclose(probabilities.sum(axis=1), 1, atol=1e-6)
    assert probabilities.argmax(axis=1).tolist() == [0, 1, 2, 3]


def test_a_batch_gives_what_its_images_give_alone(engine: Engine) -> None:
    batch = images(5)
    alone = np.concatenate([engine.infer(batch[i : i + 1]) for i in range(5)])
    np.testing.assert_allclose(engine.infer(batch), alone, atol=1e-6)


def test_the_name_says_what_runs(engine: Engine, kind: str) -> None:
    assert re.fullmatch(ENGINES[kind], engine.name)


def test_answers_stay_as_they_were_when_the_next_ones_come(engine: Engine) -> None:
    batch = images(2)
    first = engine.infer(batch[:1])
    copy = first.copy()
    engine.infer(batch[1:])
    np.testing.assert_array_equal(first, copy)


def test_several_threads_may_ask_at_a_time(engine: Engine) -> None:
    batch = images(6)
    alone = np.concatenate([engine.infer(batch[i : i + 1]) for i in range(6)])
    with ThreadPoolExecutor(3) as threads:
        together = list(threads.map(lambda i: engine.infer(batch[i : i + 1]), range(6)))
    np.testing.assert_allclose(np.concatenate(together), alone, atol=1e-6)


@pytest.mark.parametrize(
    "array",
    [
        np.zeros((1, *COMPACT.image_shape), np.float32),
        np.zeros(COMPACT.image_shape, np.uint8),
        np.zeros((1, 3, 64, 219), np.uint8),
        np.zeros((0, *COMPACT.image_shape), np.uint8),
    ],
)
def test_another_array_is_refused_with_what_was_expected(engine: Engine, array: NDArray[Any]) -> None:
    with pytest.raises(EngineError, match=r"uint8 images \[batch, 1, 64, 219\], not") as caught:
        engine.infer(array)
    assert str(list(array.shape)) in str(caught.value)


def test_a_closed_engine_says_so(engine: Engine) -> None:
    with engine:
        pass
    engine.close()
    with pytest.raises(EngineError, match="closed"):
        engine.infer(images(1))


def test_an_unknown_engine_is_refused_with_the_known_ones(bundle: Bundle) -> None:
    with pytest.raises(EngineError, match="auto, onnx, tensorrt"):
        open_engine(bundle, "openvino")


def with_files(bundle: Bundle, *kinds: tuple[str, str | None]) -> Bundle:
    files = {f"{kind}": ModelFile(Path(f"{kind}"), *kind) for kind in kinds}
    return replace(bundle, files=files)


UINT8, INT8, FP32, FP16 = ("int8", "uint8"), ("int8", "int8"), ("fp32", None), ("fp16", None)


@pytest.mark.parametrize(
    ("machine", "kinds", "chosen"),
    [
        ("x86_64", [FP32, INT8, UINT8], UINT8),
        ("AMD64", [FP16, UINT8], UINT8),
        ("aarch64", [INT8, UINT8], UINT8),
        ("arm64", [INT8, FP32], FP32),
        ("x86_64", [INT8], INT8),
        ("riscv64", [UINT8, FP32], FP32),
        ("riscv64", [UINT8, INT8], UINT8),
    ],
)
def test_each_machine_takes_the_file_that_suits_it(
    bundle: Bundle, machine: str, kinds: list[tuple[str, str | None]], chosen: tuple[str, str | None]
) -> None:
    file = choose_file(with_files(bundle, *kinds), machine)
    assert (file.precision, file.activations) == chosen


def test_a_bundle_without_a_usable_file_is_refused(bundle: Bundle) -> None:
    with pytest.raises(EngineError, match="x86_64"):
        choose_file(with_files(bundle), "x86_64")


def test_a_file_that_is_no_network_is_refused_in_one_line(edited_bundle: EditBundle) -> None:
    content = b"not a network"

    def relist(manifest: dict[str, Any]) -> None:
        manifest["files"]["fp32.onnx"].update(sha256=hashlib.sha256(content).hexdigest(), bytes=len(content))

    folder = edited_bundle(relist)
    (folder / "fp32.onnx").write_bytes(content)
    with pytest.raises(EngineError, match=r"fp32\.onnx: ONNX Runtime cannot open it") as caught:
        open_engine(load_bundle(folder))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("other", "said"),
    [
        (replace(COMPACT, window_s=5.0), r"takes .*157.*, its bundle says .*219"),
        (replace(COMPACT, bandpass_low_hz=60.0), "was made for features .*, its bundle says"),
    ],
)
def test_a_network_for_other_features_is_refused(tmp_path: Path, other: Any, said: str) -> None:
    pytest.importorskip("onnx")
    from tools.make_tiny_bundle import make_tiny_bundle

    make_tiny_bundle(tmp_path, other)
    manifest = json.loads((tmp_path / "manifest.json").read_text())
    manifest |= {"feature_spec": COMPACT.to_dict(), "feature_fingerprint": COMPACT.fingerprint()}
    (tmp_path / "manifest.json").write_text(json.dumps(manifest))
    with pytest.raises(EngineError, match=said):
        open_engine(load_bundle(tmp_path))


def test_answers_that_are_no_numbers_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("onnx")
    from tools import make_tiny_bundle

    monkeypatch.setattr(make_tiny_bundle, "BIAS", (np.nan,) * 4)
    make_tiny_bundle.make_tiny_bundle(tmp_path)
    with open_engine(load_bundle(tmp_path)) as engine, pytest.raises(EngineError, match="gave no numbers"):
        engine.infer(images(1))
