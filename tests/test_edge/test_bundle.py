"""What a bundle must be to be loaded, and which one is chosen."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edge.bundle import find_bundle, list_bundles, load_bundle, maybe_other_model_note
from edge.errors import BundleError
from edge.labels import LABELS
from edge.profiles import load_profile
from edge.signal.spec import COMPACT

EditBundle = Callable[[Callable[[dict[str, Any]], None]], Path]
PROFILE = load_profile("meditron")


def refusal(folder: Path) -> str:
    with pytest.raises(BundleError) as caught:
        load_bundle(folder)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_a_bundle_says_who_it_is_and_what_it_holds(tiny_bundle: Path) -> None:
    bundle = load_bundle(tiny_bundle)
    digest = hashlib.sha256((tiny_bundle / "manifest.json").read_bytes()).hexdigest()
    assert bundle.model_id == f"common@{digest[:4]}"
    assert (bundle.device, bundle.labels, bundle.spec) == ("common", LABELS, COMPACT)
    assert bundle.files["fp32.onnx"].path == tiny_bundle / "fp32.onnx"
    assert bundle.files["fp32.onnx"].precision == "fp32"


def test_the_tiny_bundle_is_what_its_maker_makes(tmp_path: Path, tiny_bundle: Path) -> None:
    pytest.importorskip("onnx")
    from tools.make_tiny_bundle import make_tiny_bundle

    make_tiny_bundle(tmp_path)
    manifests = [json.loads((folder / "manifest.json").read_text()) for folder in (tmp_path, tiny_bundle)]
    for manifest in manifests:
        del manifest["golden"]["sha256"], manifest["golden"]["bytes"]
    assert manifests[0] == manifests[1]
    # The models' bytes are in the manifests; the answers' last digits are the processor's.
    with np.load(tmp_path / "golden.npz") as made, np.load(tiny_bundle / "golden.npz") as kept:
        assert set(made) == set(kept)
        for name in made:
            np.testing.assert_allclose(made[name], kept[name], atol=1e-5)


def test_one_changed_byte_is_refused_with_both_sums(tiny_bundle: Path, tmp_path: Path) -> None:
    folder = tmp_path / "changed"
    shutil.copytree(tiny_bundle, folder)
    content = bytearray((folder / "fp32.onnx").read_bytes())
    listed = hashlib.sha256(content).hexdigest()
    content[len(content) // 2] ^= 1
    (folder / "fp32.onnx").write_bytes(content)
    message = refusal(folder)
    assert listed in message
    assert hashlib.sha256(content).hexdigest() in message
    assert str(folder / "fp32.onnx") in message


def test_other_features_are_refused_with_both_fingerprints(edited_bundle: EditBundle) -> None:
    def other_window(manifest: dict[str, Any]) -> None:
        manifest["feature_fingerprint"] = "0123456789abcdef"

    message = refusal(edited_bundle(other_window))
    assert "0123456789abcdef" in message
    assert COMPACT.fingerprint() in message


def test_a_spec_that_does_not_fit_its_fingerprint_is_refused(edited_bundle: EditBundle) -> None:
    message = refusal(edited_bundle(lambda manifest: manifest["feature_spec"].update(window_s=5.0)))
    assert COMPACT.fingerprint() in message


@pytest.mark.parametrize("name", ["../fp32.onnx", "sub/fp32.onnx", "/etc/passwd", "..", ".", "", "a\\b.onnx"])
def test_a_file_outside_the_folder_is_refused(edited_bundle: EditBundle, name: str) -> None:
    def escape(manifest: dict[str, Any]) -> None:
        manifest["files"][name] = manifest["files"].pop("fp32.onnx")

    assert "not a plain file name" in refusal(edited_bundle(escape))


def remove(key: str) -> Callable[[dict[str, Any]], None]:
    return lambda manifest: manifest.pop(key)


def put(key: str, value: object) -> Callable[[dict[str, Any]], None]:
    return lambda manifest: manifest.update({key: value})


def put_in_file(**entry: object) -> Callable[[dict[str, Any]], None]:
    return lambda manifest: manifest["files"]["fp32.onnx"].update(entry)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (remove("labels"), r"missing keys \['labels'\]"),
        (put("threshold", 0.5), r"unknown keys \['threshold'\]"),
        (put("schema", 2), "schema is 2, this version reads 1"),
        (put("labels", ["crackle", "normal", "wheeze", "both"]), "labels are"),
        (put("input", {"where": "outside"}), "normalised 'outside'"),
        (put("input", []), "normalised None"),
        (put("device", 3), "'device'"),
        (put("metrics", []), "'metrics'"),
        (put("files", {}), "lists no model"),
        (put("files", {"fp32.onnx": 1}), "has no description"),
        (put("feature_spec", []), "'feature_spec' is not one"),
        (put("feature_spec", {"name": "compact"}), "'feature_spec'"),
        (put_in_file(precision="int4"), "precision 'int4'"),
        (put_in_file(activations="uint8"), "precision 'fp32' with activations 'uint8'"),
        (put_in_file(precision="int8"), "precision 'int8' with activations None"),
        (put_in_file(pickle="x"), r"unknown keys \['pickle'\]"),
        (put_in_file(bytes=5), "5 bytes"),
    ],
)
def test_a_wrong_manifest_is_refused(
    edited_bundle: EditBundle, change: Callable[[dict[str, Any]], None], said: str
) -> None:
    with pytest.raises(BundleError, match=said):
        load_bundle(edited_bundle(change))


def test_how_a_bundle_was_exported_may_be_told(edited_bundle: EditBundle) -> None:
    assert load_bundle(edited_bundle(put("export", {"opset": 17}))).spec == COMPACT


@pytest.mark.parametrize(
    ("content", "said"), [(b"{", "not JSON"), (b"[]", "schema is None"), (b"\xff\xfe", "not JSON")]
)
def test_a_manifest_that_is_none_is_refused(edited_bundle: EditBundle, content: bytes, said: str) -> None:
    folder = edited_bundle(lambda manifest: None)
    (folder / "manifest.json").write_bytes(content)
    assert said in refusal(folder)


def test_a_missing_manifest_or_model_is_named(edited_bundle: EditBundle, tmp_path: Path) -> None:
    folder = edited_bundle(lambda manifest: None)
    assert str(tmp_path / "manifest.json") in refusal(tmp_path)
    (folder / "fp32.onnx").unlink()
    assert str(folder / "fp32.onnx") in refusal(folder)


def put_bundle(root: Path, name: str, tiny_bundle: Path) -> Path:
    shutil.copytree(tiny_bundle, root / name)
    return root / name


def test_a_stethoscopes_own_model_comes_before_the_common_one(tmp_path: Path, tiny_bundle: Path) -> None:
    common = put_bundle(tmp_path, "common", tiny_bundle)
    assert find_bundle(PROFILE, tmp_path, {}) == common
    own = put_bundle(tmp_path, "meditron", tiny_bundle)
    assert find_bundle(PROFILE, tmp_path, {}) == own
    assert find_bundle(PROFILE, common, {}) == common


def test_the_variable_names_a_folder_of_bundles(tmp_path: Path, tiny_bundle: Path) -> None:
    common = put_bundle(tmp_path, "common", tiny_bundle)
    assert find_bundle(PROFILE, None, {"RESPIRE_EDGE_MODELS": str(tmp_path)}) == common


def test_a_folder_without_bundles_is_named(tmp_path: Path) -> None:
    with pytest.raises(BundleError, match=str(tmp_path)):
        find_bundle(PROFILE, tmp_path, {})
    with pytest.raises(BundleError, match=str(tmp_path)):
        list_bundles(tmp_path, {})


def test_all_bundles_are_those_that_may_be_chosen(tmp_path: Path, repository: Path, tiny_bundle: Path) -> None:
    released = repository / "models"
    assert list_bundles(None, {}) == [released / name for name in ("common", "littmann3200", "meditron")]
    own = put_bundle(tmp_path, "meditron", tiny_bundle)
    environ = {"RESPIRE_EDGE_MODELS": str(tmp_path)}
    assert list_bundles(None, environ) == [released / "common", released / "littmann3200", own]
    common = put_bundle(tmp_path, "common", tiny_bundle)
    assert list_bundles(None, environ) == list_bundles(tmp_path, {}) == [common, own]
    assert list_bundles(own, environ) == [own]


def test_people_are_told_when_the_model_is_another_stethoscopes(edited_bundle: EditBundle) -> None:
    bundle = load_bundle(edited_bundle(put("device", "meditron")))
    assert maybe_other_model_note(["meditron"], bundle) is None
    note = maybe_other_model_note(["littc2se", "meditron"], bundle)
    assert note is not None
    assert "littc2se" in note
    assert bundle.model_id in note


def test_the_manifest_is_plain_json(tiny_bundle: Path) -> None:
    assert json.loads((tiny_bundle / "manifest.json").read_text())["schema"] == 1
