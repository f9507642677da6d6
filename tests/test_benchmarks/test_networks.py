"""Both sides of the network tables compute the same function, so that only their time differs."""

import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("onnxscript", reason="benchmarks need the development environment")
pytest.importorskip("librosa", reason="benchmarks need the development environment")

import onnx
import torch
from numpy.typing import NDArray

from benchmarks.chain import Chain, authors_chain, chain_times, our_chain
from benchmarks.engines import measure_engines
from benchmarks.networks import (
    CHECKPOINTS,
    PaperNetwork,
    maybe_checkpoint_folder,
    paper_network,
    released_network,
    simulated_images,
    title_of,
)
from benchmarks.precision import file_times, measure_precisions
from benchmarks.simulated_sound import breathing
from benchmarks.timing import medians_ms, threads
from edge.audio.block import AudioBlock
from edge.bundle import Bundle, ModelFile, load_bundle
from edge.engine.engine import open_engine
from edge.pipeline import Classifier, Pipeline
from edge.profiles import load_profile
from edge.signal.spec import AUDIOSET, COMPACT, PAPER_SPECS, RESPIRENET
from export.half import half_precision
from export.onnx_metadata import load_model
from train.network import NetworkConfig

NARROW = NetworkConfig(depth=18, width=0.125)


@pytest.fixture(scope="module")
def tiny_bundle() -> Bundle:
    return load_bundle(Path(__file__).resolve().parent.parent / "golden" / "tiny_bundle")


@pytest.fixture(scope="module")
def papers(tiny_bundle: Bundle, tmp_path_factory: pytest.TempPathFactory) -> dict[str, PaperNetwork]:
    folder = tmp_path_factory.mktemp("networks")
    return {name: paper_network(NARROW, spec, tiny_bundle, folder / name) for name, spec in PAPER_SPECS.items()}


def test_the_authors_chain_and_ours_answer_alike_with_the_same_weights(papers: dict[str, PaperNetwork]) -> None:
    paper = papers["respirenet"]
    assert paper.timed.maybe_fp32 is not None
    image = simulated_images(RESPIRENET, 2)[1]
    theirs = authors_chain(paper, 1).probabilities(image)
    with paper.timed.engine(paper.timed.maybe_fp32) as engine:
        ours = our_chain(RESPIRENET, engine).probabilities(image)
    assert np.ptp(ours) > 0.01
    np.testing.assert_allclose(ours, theirs, atol=1e-5)


def test_the_authors_chain_is_fed_its_own_image(papers: dict[str, PaperNetwork]) -> None:
    chain = authors_chain(papers["respirenet"], 1)
    image = chain.image(breathing(RESPIRENET.window_s, RESPIRENET.sample_rate_hz))
    assert image.shape == (3, 192, 657)
    assert chain.label(image) in ("normal", "crackle", "wheeze", "both")


@pytest.mark.parametrize("name", PAPER_SPECS)
def test_the_quantised_paper_network_follows_its_float_one(papers: dict[str, PaperNetwork], name: str) -> None:
    timed = papers[name].timed
    assert timed.maybe_fp32 is not None
    images = simulated_images(PAPER_SPECS[name], 2)
    with timed.engine(timed.maybe_fp32) as fp32, timed.engine(timed.bundle.files["int8-u8.onnx"]) as int8:
        assert (fp32.name, int8.name) == ("onnxruntime-cpu-fp32", "onnxruntime-cpu-int8")
        np.testing.assert_allclose(int8.infer(images), fp32.infer(images), atol=0.02)


def test_our_chain_answers_as_the_program_does(tiny_bundle: Bundle) -> None:
    sound = breathing(COMPACT.window_s, COMPACT.sample_rate_hz)
    with open_engine(tiny_bundle, "onnx") as engine:
        chain = our_chain(COMPACT, engine)
        pipeline = Pipeline(Classifier(load_profile("littmann3200"), tiny_bundle, engine), "simulated", 4000, 7.0)
        results = pipeline.push(AudioBlock(sound)) + pipeline.finish()
        ours, label = chain.probabilities(chain.image(sound)), chain.label(chain.image(sound))
    assert len(results) == 1
    np.testing.assert_allclose(list(results[0].probabilities.values()), ours, atol=1e-6)
    assert results[0].label == label


@pytest.mark.parametrize("name", ["common"])
def test_each_released_bundle_finds_the_checkpoint_that_it_was_made_of(repository: Path, name: str) -> None:
    made_of = load_model(repository / "models" / name / "fp16.onnx")[1].checkpoint_sha256
    assert maybe_checkpoint_folder(made_of, CHECKPOINTS) == repository / "checkpoints" / name


def test_weights_that_nobody_has_belong_to_no_checkpoint() -> None:
    assert maybe_checkpoint_folder("0" * 64, CHECKPOINTS) is None


def test_the_released_network_is_exported_from_its_checkpoint_where_its_bundle_has_no_float_file(
    repository: Path, tmp_path: Path
) -> None:
    bundle = load_bundle(repository / "models" / "common")
    half_alone = replace(bundle, files={"fp16.onnx": bundle.files["fp16.onnx"]})
    released = released_network(half_alone, tmp_path)
    assert released.title.startswith("MobileNetV3")
    assert released.title.endswith(f"({bundle.model_id})")
    assert released.maybe_fp32 is not None
    images = simulated_images(AUDIOSET, 4)
    with released.engine(released.maybe_fp32) as exported, released.engine(bundle.files["fp32.onnx"]) as packed:
        np.testing.assert_allclose(packed.infer(images), exported.infer(images), atol=1e-4)


def test_a_bundle_with_a_float_file_needs_no_checkpoint(tiny_bundle: Bundle, tmp_path: Path) -> None:
    released = released_network(tiny_bundle, tmp_path)
    assert released.maybe_fp32 == tiny_bundle.files["fp32.onnx"]
    assert not list(tmp_path.iterdir())


def test_tables_take_graphs_of_static_batch_1_and_of_float16(papers: dict[str, PaperNetwork], tmp_path: Path) -> None:
    timed = papers["compact"].timed
    assert timed.maybe_fp32 is not None
    half = ModelFile(tmp_path / "fp16.onnx", "fp16", None)
    onnx.save(half_precision(onnx.load(timed.maybe_fp32.path)), half.path)
    bundle = replace(timed.bundle, files={"fp16.onnx": half, **timed.bundle.files})
    network = replace(timed, bundle=bundle)
    assert [each.file.path.name for each in file_times(network, 1)] == ["fp32.onnx", "fp16.onnx", "int8-u8.onnx"]
    assert [row[1] for row in measure_engines(bundle, 1).rows] == ["onnxruntime-cpu-fp16", "onnxruntime-cpu-int8"]


def test_without_its_float_network_a_bundle_has_times_and_no_ratio(papers: dict[str, PaperNetwork]) -> None:
    table = measure_precisions([replace(papers["compact"].timed, maybe_fp32=None)], 1)
    assert [(row[2], row[4]) for row in table.rows] == [("int8-u8.onnx", "")]
    assert "Reached" not in table.note
    assert "Missed" not in table.note


def test_titles_name_a_width_that_is_not_the_papers() -> None:
    assert [title_of(NetworkConfig()), title_of(NARROW)] == ["ResNet-34", "ResNet-18, width 0.125"]


@pytest.mark.parametrize("count", [1, 2])
def test_a_chain_runs_with_its_threads_and_each_step_is_timed(count: int) -> None:
    clock_s = time.process_time if count == 1 else time.perf_counter
    seen: list[int] = []

    def probabilities(image: NDArray[np.uint8]) -> NDArray[np.float32]:
        seen.append(torch.get_num_threads())
        deadline_s = clock_s() + 0.004
        while clock_s() < deadline_s:
            pass
        return np.array([0.1, 0.2, 0.6, 0.1], np.float32)

    before = torch.get_num_threads()
    chain = Chain(lambda samples: np.zeros((1, 2, 2), np.uint8), probabilities, count)
    (times,) = chain_times([chain], np.zeros(4, np.float32), repeats=2)
    assert set(seen) == {count}
    assert torch.get_num_threads() == before
    assert times.image_ms < times.network_ms
    assert 4 <= times.network_ms <= times.together_ms


def test_threads_are_given_back_after_an_error() -> None:
    before = torch.get_num_threads()
    with pytest.raises(KeyError), threads(before + 1):
        raise KeyError
    assert torch.get_num_threads() == before


def test_of_calls_in_a_row_the_second_half_counts() -> None:
    clock = iter(range(1000))
    calls: list[None] = []

    def slow_at_first() -> None:
        calls.append(None)
        for _ in range(50 if len(calls) % 4 in (1, 2) else 1):
            next(clock)

    assert medians_ms({"case": slow_at_first}, 3, lambda: next(clock), in_a_row=4) == {"case": 2000.0}
    assert len(calls) == 16
