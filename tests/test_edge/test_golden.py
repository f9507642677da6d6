"""Golden inputs: how they are read, and what an engine has to answer to them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from edge.bundle import Bundle, GoldenFile, ModelFile
from edge.engine.engine import Engine, open_engine
from edge.engine.golden import check_golden, load_golden, prove_engine
from edge.errors import BundleError, EngineError

Arrays = dict[str, NDArray[Any]]
NAME = "fp32.onnx"


class Answering:
    """An engine that gives what it was given, for answers that no sound network has."""

    def __init__(self, model: ModelFile, probabilities: NDArray[np.float32]) -> None:
        self.name = "answering"
        self.model = model
        self._probabilities = probabilities

    def infer(self, images: NDArray[np.uint8]) -> NDArray[np.float32]:
        return self._probabilities

    def close(self) -> None:
        pass

    def __enter__(self) -> Answering:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        pass


def answering(bundle: Bundle, change: Callable[[NDArray[np.float32]], object]) -> Answering:
    """What the network answers, changed in place."""
    probabilities = load_golden(bundle, NAME).expected.copy()
    change(probabilities)
    return Answering(bundle.files[NAME], probabilities)


def put(value: float) -> Callable[[NDArray[np.float32]], object]:
    """Into one probability of the last image."""
    return lambda probabilities: probabilities.__setitem__((-1, 2), value)


@pytest.fixture
def arrays(bundle: Bundle) -> Arrays:
    assert bundle.golden is not None
    with np.load(bundle.golden.path) as stored:
        return dict(stored)


def with_golden(bundle: Bundle, path: Path) -> Bundle:
    """As if `path` had been packed: it is past the check of its hash."""
    assert bundle.golden is not None
    return replace(bundle, golden=GoldenFile(path, bundle.golden.tolerance))


def refusal(bundle: Bundle) -> str:
    with pytest.raises(BundleError) as caught:
        load_golden(bundle, NAME)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_the_cases_of_a_file_are_its_own(bundle: Bundle, arrays: Arrays) -> None:
    for name in bundle.files:
        cases = load_golden(bundle, name)
        np.testing.assert_array_equal(cases.images, arrays["images"])
        np.testing.assert_array_equal(cases.expected, arrays[name])
        assert bundle.golden is not None
        assert cases.tolerance == bundle.golden.tolerance[name]
    assert cases.images.dtype == np.uint8
    assert cases.images.shape[1:] == bundle.spec.image_shape


def test_a_bundle_without_golden_inputs_says_which_file_lacks_them(bundle: Bundle) -> None:
    message = refusal(replace(bundle, golden=None))
    assert message.startswith(f"{bundle.folder}: carries no golden inputs for {NAME}; ")
    with pytest.raises(BundleError, match=r"no golden inputs for int8-u8\.onnx"):
        load_golden(bundle, "int8-u8.onnx")


@pytest.mark.parametrize(
    "damage",
    [
        pytest.param(lambda content: b"", id="empty"),
        pytest.param(lambda content: b"golden", id="text"),
        pytest.param(lambda content: content[: len(content) // 2], id="half"),
        pytest.param(lambda content: content[:-1], id="without its last byte"),
    ],
)
def test_a_damaged_archive_is_named(bundle: Bundle, tmp_path: Path, damage: Callable[[bytes], bytes]) -> None:
    assert bundle.golden is not None
    path = tmp_path / "golden.npz"
    path.write_bytes(damage(bundle.golden.path.read_bytes()))
    message = refusal(with_golden(bundle, path))
    assert message.startswith(f"{path}: its golden inputs cannot be read (")
    assert message.endswith("; pack the bundle again")


def test_a_flipped_bit_that_the_hash_missed_is_an_error_or_a_refusal(bundle: Bundle, tmp_path: Path) -> None:
    assert bundle.golden is not None
    path, content = tmp_path / "golden.npz", bundle.golden.path.read_bytes()
    refused = 0
    for position in np.random.default_rng(0).integers(0, 8 * len(content), 300):
        damaged = bytearray(content)
        damaged[position // 8] ^= 1 << (position % 8)
        path.write_bytes(damaged)
        try:
            load_golden(with_golden(bundle, path), NAME)
        except BundleError:
            refused += 1
    assert refused > 20


def test_one_array_instead_of_an_archive_is_refused(bundle: Bundle, arrays: Arrays, tmp_path: Path) -> None:
    np.save(tmp_path / "golden.npy", arrays["images"])
    assert "its golden inputs cannot be read" in refusal(with_golden(bundle, tmp_path / "golden.npy"))


def test_an_archive_that_went_away_is_named(bundle: Bundle, tmp_path: Path) -> None:
    assert str(tmp_path / "gone.npz") in refusal(with_golden(bundle, tmp_path / "gone.npz"))


@pytest.mark.parametrize(
    ("change", "said"),
    [
        pytest.param(lambda arrays: arrays.pop("images"), "cannot be read ('images", id="no images"),
        pytest.param(lambda arrays: arrays.pop(NAME), f"cannot be read ('{NAME}", id="no answers of this file"),
        pytest.param(
            lambda arrays: arrays.update(images=arrays["images"].astype(np.float32)),
            "holds images float32 [16, 1, 64, 219] of other features",
            id="float images",
        ),
        pytest.param(
            lambda arrays: arrays.update(images=arrays["images"][..., :-1]),
            "holds images uint8 [16, 1, 64, 218] of other features",
            id="narrow images",
        ),
        pytest.param(
            lambda arrays: arrays.update({name: array[:0] for name, array in arrays.items()}),
            "holds images uint8 [0, 1, 64, 219]",
            id="none at all",
        ),
        pytest.param(
            lambda arrays: arrays.update({NAME: arrays[NAME].astype(str)}), "holds no probabilities", id="text"
        ),
        pytest.param(
            lambda arrays: arrays.update({NAME: arrays[NAME][1:]}),
            "holds no probabilities of its 16 images",
            id="an answer too few",
        ),
        pytest.param(
            lambda arrays: arrays.update({NAME: arrays[NAME][:, :3]}),
            "holds no probabilities of its 16 images",
            id="three classes",
        ),
        pytest.param(
            lambda arrays: arrays.update({NAME: arrays[NAME] * np.float32(np.nan)}),
            "holds no probabilities of its 16 images",
            id="no numbers",
        ),
        pytest.param(
            lambda arrays: arrays.update({NAME: arrays[NAME].astype(object)}), "cannot be read (Object", id="pickles"
        ),
    ],
)
def test_arrays_that_are_not_those_of_this_bundle_are_refused(
    bundle: Bundle, arrays: Arrays, tmp_path: Path, change: Callable[[Arrays], object], said: str
) -> None:
    change(arrays)
    path = tmp_path / "golden.npz"
    np.savez_compressed(path, **arrays)  # type: ignore[arg-type]  # NumPy's stub takes the keywords for its own flag
    message = refusal(with_golden(bundle, path))
    assert message.startswith(f"{path}: ")
    assert said in message


def test_a_real_engine_agrees(bundle: Bundle) -> None:
    with open_engine(bundle, "onnx") as engine:
        cases = load_golden(bundle, engine.model.path.name)
        outcome = prove_engine(engine, cases, engine.name)
        assert outcome == check_golden(engine, cases)
    assert outcome.agrees
    assert outcome.max_difference <= outcome.tolerance == cases.tolerance
    assert (outcome.images, outcome.changed_decisions) == (16, 0)


def test_a_real_engine_that_computes_another_network_is_refused(bundle: Bundle, engine: Engine) -> None:
    cases = load_golden(bundle, NAME)
    shifted = replace(cases, images=np.ascontiguousarray(cases.images[:, :, ::-1]))
    outcome = check_golden(engine, shifted)
    assert not outcome.agrees
    assert outcome.max_difference > cases.tolerance


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_an_answer_that_is_no_number_disagrees(bundle: Bundle, value: float) -> None:
    engine = answering(bundle, put(value))
    outcome = check_golden(engine, load_golden(bundle, NAME))
    assert outcome.max_difference == np.inf
    assert not outcome.agrees
    with pytest.raises(EngineError, match="differ by up to inf from"):
        prove_engine(engine, load_golden(bundle, NAME), "an engine")


def test_nothing_but_nan_disagrees_too(bundle: Bundle) -> None:
    engine = answering(bundle, lambda probabilities: probabilities.fill(np.nan))
    assert not check_golden(engine, load_golden(bundle, NAME)).agrees


@pytest.mark.parametrize(("share_of_tolerance", "agrees"), [(0.9, True), (1.1, False), (-0.9, True), (-1.1, False)])
def test_the_tolerance_is_the_border(bundle: Bundle, share_of_tolerance: float, agrees: bool) -> None:
    cases = load_golden(bundle, NAME)
    engine = answering(bundle, put(cases.expected[-1, 2] + share_of_tolerance * cases.tolerance))
    assert check_golden(engine, cases).agrees is agrees


def test_an_engine_that_is_off_is_refused_in_one_line_with_the_figures(bundle: Bundle) -> None:
    def swap_columns(probabilities: NDArray[np.float32]) -> None:
        probabilities[:] = probabilities[:, ::-1]

    cases = load_golden(bundle, NAME)
    engine = answering(bundle, swap_columns)
    outcome = check_golden(engine, cases)
    assert outcome.max_difference == np.abs(cases.expected[:, ::-1] - cases.expected).max()
    assert outcome.changed_decisions == 16
    with pytest.raises(EngineError) as caught:
        prove_engine(engine, cases, "common-0123-int8.engine")
    message = str(caught.value)
    assert "\n" not in message
    assert message.startswith("common-0123-int8.engine: refused, ")
    for figure in (f"{outcome.max_difference:.3f}", f"{cases.tolerance} is allowed", "16 decisions changed"):
        assert figure in message
