import dataclasses
import json
import shutil
from itertools import takewhile
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from numpy.typing import NDArray

from edge.labels import LABELS
from edge.signal.spec import COMPACT
from export import export_onnx
from export.calibration import load_calibration, save_calibration
from export.errors import ParityError
from export.export_onnx import model_from_network, parity_difference
from export.graph import batch_of, with_batch
from export.inference import onnx_probabilities, open_session
from export.onnx_metadata import load_model
from train.checkpoint import Checkpoint, network_from_checkpoint, save_checkpoint
from train.initialisation import network_from_scratch


@pytest.fixture(scope="module")
def images(calibration_path: Path) -> NDArray[np.uint8]:
    return load_calibration(calibration_path).images[:13]


def test_graph_computes_what_pytorch_computes(
    fp32_path: Path, checkpoint: Checkpoint, images: NDArray[np.uint8]
) -> None:
    with torch.inference_mode():
        expected = torch.softmax(network_from_checkpoint(checkpoint)(torch.from_numpy(images)), dim=1).numpy()
    session = onnxruntime.InferenceSession(fp32_path, providers=["CPUExecutionProvider"])
    for image, wanted in zip(images, expected, strict=True):
        (found,) = session.run(["probabilities"], {"image": image[np.newaxis]})
        assert (found.dtype, found.shape) == (np.float32, (1, len(LABELS)))
        np.testing.assert_allclose(found[0], wanted, atol=1e-4)
    # The oracle must be able to fail: other images have other probabilities.
    assert np.ptp(expected, axis=0).max() > 0.05


def test_probabilities_add_up_to_one_for_any_image(fp32_path: Path) -> None:
    session = onnxruntime.InferenceSession(fp32_path, providers=["CPUExecutionProvider"])
    for level in (0, 128, 255):
        (found,) = session.run(None, {"image": np.full((1, *COMPACT.image_shape), level, np.uint8)})
        assert found.sum() == pytest.approx(1, abs=1e-5)


def test_inputs_and_outputs_are_the_contract(fp32_model: onnx.ModelProto) -> None:
    (image,), (probabilities,) = fp32_model.graph.input, fp32_model.graph.output
    assert (image.name, image.type.tensor_type.elem_type) == ("image", onnx.TensorProto.UINT8)
    assert (probabilities.name, probabilities.type.tensor_type.elem_type) == ("probabilities", onnx.TensorProto.FLOAT)
    assert sizes(image) == (1, *COMPACT.image_shape)
    assert sizes(probabilities) == (1, len(LABELS))


def sizes(value: onnx.ValueInfoProto) -> tuple[int, ...]:
    return tuple(dim.dim_value for dim in value.type.tensor_type.shape.dim)


def test_every_shape_in_the_graph_is_static(fp32_model: onnx.ModelProto) -> None:
    made = {name for node in fp32_model.graph.node for name in node.output}
    shapes = {value.name: sizes(value) for value in (*fp32_model.graph.value_info, *fp32_model.graph.output)}
    assert made <= shapes.keys()
    assert all(min(shape) > 0 for shape in shapes.values())


def test_a_graph_for_a_batch_gives_the_same_probabilities(
    checkpoint_folder: Path,
    calibration_path: Path,
    fp32_path: Path,
    images: NDArray[np.uint8],
    tmp_path: Path,
) -> None:
    path = tmp_path / "fp32-batch8.onnx"
    arguments = ["--checkpoint", str(checkpoint_folder), "--images", str(calibration_path), "--output", str(path)]
    assert export_onnx.main([*arguments, "--batch", "8"]) == 0
    assert batch_of(onnx.load(path)) == 8
    # 13 images: the second batch is not full.
    expected, found = (onnx_probabilities(open_session(each), images) for each in (fp32_path, path))
    np.testing.assert_allclose(found, expected, atol=1e-6)


def test_normalisation_is_folded_as_far_as_that_is_exact(fp32_model: onnx.ModelProto, checkpoint: Checkpoint) -> None:
    before = [node.op_type for node in takewhile(lambda node: node.name != "conv1", fp32_model.graph.node)]
    assert before == ["Cast", "Sub"], "the mean stays: the convolution's zero padding stands for it"
    centred = dataclasses.replace(checkpoint.network, centre_rows=True)
    model = with_batch(model_from_network(network_from_scratch(centred, seed=0).eval(), COMPACT), 1)
    before = [node.op_type for node in takewhile(lambda node: node.name != "conv1", model.graph.node)]
    assert before == ["Cast", "ReduceMean", "Sub"], "each row's own mean takes the place of the mean over all images"


def test_folding_into_a_centred_network_changes_nothing(checkpoint: Checkpoint, images: NDArray[np.uint8]) -> None:
    network = network_from_scratch(dataclasses.replace(checkpoint.network, centre_rows=True), seed=3).eval()
    network.set_normalisation(torch.tensor([83.0]), torch.tensor([0.5]))
    assert parity_difference(network, with_batch(model_from_network(network, COMPACT), 1), images) <= 1e-4


def test_metadata_says_what_the_device_must_know(fp32_model: onnx.ModelProto, checkpoint: Checkpoint) -> None:
    properties = {entry.key: entry.value for entry in fp32_model.metadata_props}
    assert json.loads(properties["feature_spec"]) == COMPACT.to_dict()
    assert properties["feature_fingerprint"] == COMPACT.fingerprint()
    assert json.loads(properties["labels"]) == list(LABELS)
    assert properties["device"] == "common"
    assert json.loads(properties["training_run"]) == checkpoint.training_run
    assert json.loads(properties["input_mean"]) == list(checkpoint.mean)
    assert json.loads(properties["parity"])["max_probability_difference"] <= 1e-4


def test_layers_have_their_names_and_batch_normalisation_is_folded(fp32_model: onnx.ModelProto) -> None:
    operators = {node.op_type for node in fp32_model.graph.node}
    names = [node.name for node in fp32_model.graph.node]
    assert "BatchNormalization" not in operators
    assert {"conv1", "layer1.0.conv1", "layer4.0.downsample.0", "head.6"} <= set(names)
    assert len(set(names)) == len(names)
    assert 17 <= next(entry.version for entry in fp32_model.opset_import) <= 20


def test_nothing_in_the_file_names_the_exporting_machine(fp32_path: Path) -> None:
    content = fp32_path.read_bytes()
    for trace in (b"site-packages", b'File "', str(Path.cwd()).encode(), str(Path.home()).encode()):
        assert trace not in content


def test_exporting_again_gives_the_same_bytes(
    checkpoint_folder: Path, calibration_path: Path, fp32_path: Path, tmp_path: Path
) -> None:
    again = tmp_path / "again.onnx"
    export_onnx.export_checkpoint(checkpoint_folder, calibration_path, again)
    assert again.read_bytes() == fp32_path.read_bytes()


def test_parity_notices_another_network(
    fp32_model: onnx.ModelProto, checkpoint: Checkpoint, images: NDArray[np.uint8]
) -> None:
    network = network_from_checkpoint(checkpoint)
    assert parity_difference(network, fp32_model, images) <= 1e-4
    with torch.no_grad():
        network.trunk.first_convolution.weight.mul_(1.05)
    assert parity_difference(network, fp32_model, images) > 1e-4


def test_graph_that_differs_is_not_written(
    checkpoint_folder: Path,
    calibration_path: Path,
    fp32_path: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    def damaged(*_: object) -> onnx.ModelProto:
        model = onnx.load(fp32_path)
        bias = next(each for each in model.graph.initializer if each.name.endswith("head.6.bias"))
        values = onnx.numpy_helper.to_array(bias) + np.array([1, 0, 0, 0], np.float32)
        bias.CopyFrom(onnx.numpy_helper.from_array(values, bias.name))
        return model

    monkeypatch.setattr(export_onnx, "model_from_network", damaged)
    output = tmp_path / "fp32.onnx"
    with pytest.raises(ParityError, match="differs"):
        export_onnx.export_checkpoint(checkpoint_folder, calibration_path, output)
    arguments = ["--checkpoint", str(checkpoint_folder), "--images", str(calibration_path), "--output", str(output)]
    assert export_onnx.main(arguments) == 2
    assert len(capsys.readouterr().err.splitlines()) == 1
    assert list(tmp_path.iterdir()) == []


def test_parity_on_recordings_is_written_into_the_graph(
    checkpoint_folder: Path,
    fp32_model: onnx.ModelProto,
    calibration_path: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(export_onnx, "model_from_network", lambda *_: fp32_model)
    metadata = export_onnx.export_checkpoint(checkpoint_folder, calibration_path, tmp_path / "a.onnx")
    assert metadata.parity["images"] == "64 windows of training recordings"
    assert load_model(tmp_path / "a.onnx")[1] == metadata


@pytest.mark.parametrize("damage", ["missing", "other features", "cut short"])
def test_bad_checkpoint_gets_one_line(
    damage: str,
    checkpoint_folder: Path,
    calibration_path: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    folder = tmp_path / "checkpoint"
    shutil.copytree(checkpoint_folder, folder)
    record = folder / "checkpoint.json"
    if damage == "missing":
        record.unlink()
    elif damage == "other features":
        record.write_text(record.read_text().replace(COMPACT.fingerprint(), "0123456789abcdef"))
    else:
        (folder / "weights.pt").write_bytes((folder / "weights.pt").read_bytes()[:1000])
    arguments = ["--checkpoint", str(folder), "--images", str(calibration_path)]
    assert export_onnx.main([*arguments, "--output", str(tmp_path / "a.onnx")]) == 2
    message = capsys.readouterr().err
    assert len(message.splitlines()) == 1
    assert str(folder) in message
    assert not (tmp_path / "a.onnx").exists()


def test_colour_images_are_exported_too() -> None:
    from edge.signal.spec import RESPIRENET
    from train.network import NetworkConfig, RespireNetwork

    network = RespireNetwork(NetworkConfig(depth=18, width=0.0625, in_channels=3)).eval()
    model = with_batch(model_from_network(network, RESPIRENET), 1)
    images = np.random.default_rng(0).integers(0, 256, (2, *RESPIRENET.image_shape), dtype=np.uint8)
    assert parity_difference(network, model, images) <= 1e-4


def test_images_of_another_spec_are_refused_with_both_fingerprints(
    checkpoint_folder: Path, calibration_path: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    other = tmp_path / "other.npz"
    save_calibration(other, dataclasses.replace(load_calibration(calibration_path), fingerprint="0123456789abcdef"))
    arguments = ["--checkpoint", str(checkpoint_folder), "--images", str(other), "--output", str(tmp_path / "a.onnx")]
    assert export_onnx.main(arguments) == 2
    (message,) = capsys.readouterr().err.splitlines()
    assert "0123456789abcdef" in message
    assert COMPACT.fingerprint() in message


def test_a_network_for_two_classes_gets_one_line(
    checkpoint: Checkpoint, calibration_path: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config = dataclasses.replace(checkpoint.network, classes=2)
    weights = network_from_scratch(config, seed=0).state_dict()
    save_checkpoint(tmp_path / "two", dataclasses.replace(checkpoint, network=config, weights=weights))
    output = tmp_path / "two.onnx"
    arguments = ["--checkpoint", str(tmp_path / "two"), "--images", str(calibration_path), "--output", str(output)]
    assert export_onnx.main(arguments) == 2
    assert "tells normal from abnormal; a bundle tells normal, crackle, wheeze, both" in capsys.readouterr().err
    assert not output.exists()
