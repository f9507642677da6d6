"""What a bundle must be to be loaded, and which one is chosen."""

from __future__ import annotations

import hashlib
import json
import math
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edge.bundle import find_bundle, list_bundles, load_bundle, maybe_other_model_note
from edge.checksums import CHECKSUMS_NAME, checksum_lines
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


FILES = ("MODEL_CARD.md", "SHA256SUMS", "fp16.onnx", "fp32.onnx", "golden.npz", "manifest.json")
RELEASED = ("common",)
RANDOM_FLIPS = 3


def positions_of_bits(size_bytes: int, seed: int) -> list[int]:
    """One bit of the first, the middle and the last byte, and some anywhere."""
    generator = np.random.default_rng(seed)
    chosen = [8 * byte + int(generator.integers(8)) for byte in (0, size_bytes // 2, size_bytes - 1)]
    return [*chosen, *map(int, generator.integers(0, 8 * size_bytes, RANDOM_FLIPS))]


@pytest.mark.parametrize("bundle_name", RELEASED)
@pytest.mark.parametrize("name", FILES)
def test_one_flipped_bit_in_any_file_of_a_released_bundle_is_refused(
    repository: Path, tmp_path: Path, bundle_name: str, name: str
) -> None:
    released = repository / "models" / bundle_name
    assert sorted(path.name for path in released.iterdir()) == sorted(FILES)
    for other in FILES:
        if other != name:
            (tmp_path / other).symlink_to(released / other)
    content = (released / name).read_bytes()
    for position in positions_of_bits(len(content), FILES.index(name)):
        changed = bytearray(content)
        changed[position // 8] ^= 1 << (position % 8)
        (tmp_path / name).write_bytes(changed)
        assert name in refusal(tmp_path), f"bit {position}"
    (tmp_path / name).write_bytes(content)
    assert load_bundle(tmp_path).model_id == load_bundle(released).model_id


def test_every_released_bundle_is_flipped(repository: Path) -> None:
    assert sorted(path.name for path in (repository / "models").iterdir() if path.is_dir()) == sorted(RELEASED)


def test_a_released_bundle_without_checksums_is_still_held_to_its_manifest(repository: Path, tmp_path: Path) -> None:
    released = repository / "models" / "common"
    for name in set(FILES) - {CHECKSUMS_NAME}:
        (tmp_path / name).symlink_to(released / name)
    assert load_bundle(tmp_path).model_id == load_bundle(released).model_id
    content = bytearray((released / "fp16.onnx").read_bytes())
    content[-1] ^= 1
    (tmp_path / "fp16.onnx").unlink()
    (tmp_path / "fp16.onnx").write_bytes(content)
    assert "manifest.json says" in refusal(tmp_path)


@pytest.fixture
def sealed_bundle(tmp_path: Path, tiny_bundle: Path) -> Path:
    """The tiny bundle with a card and SHA256SUMS."""
    folder = tmp_path / "sealed"
    shutil.copytree(tiny_bundle, folder)
    (folder / "MODEL_CARD.md").write_text("Research use only.\n")
    (folder / CHECKSUMS_NAME).write_text(checksum_lines(folder))
    return folder


def test_a_bundle_with_checksums_is_loaded_and_a_further_file_is_nobodys_business(sealed_bundle: Path) -> None:
    (sealed_bundle / "notes.txt").write_text("of the person who uses it")
    assert load_bundle(sealed_bundle).golden is not None


def test_a_listed_file_that_is_missing_is_named(sealed_bundle: Path) -> None:
    (sealed_bundle / "MODEL_CARD.md").unlink()
    assert str(sealed_bundle / "MODEL_CARD.md") in refusal(sealed_bundle)


DAMAGED: dict[str, Callable[[str], str]] = {
    "cut in half": lambda text: text[: len(text) // 2],
    "without its end": lambda text: text.removesuffix("\n"),
    "empty": lambda _: "",
    "without a file": lambda text: "".join(line for line in text.splitlines(True) if "fp32.onnx" not in line),
    "outside": lambda text: text + f"{'0' * 64}  ../manifest.json\n",
    "zero": lambda text: text + f"{'0' * 64}  a\0b\n",
    "not ASCII": lambda text: text + f"{'0' * 64}  gel\N{LATIN SMALL LETTER O WITH DIAERESIS}scht\n",
}


@pytest.mark.parametrize("how", list(DAMAGED))
def test_damaged_checksums_are_refused(sealed_bundle: Path, how: str) -> None:
    path = sealed_bundle / CHECKSUMS_NAME
    path.write_text(DAMAGED[how](path.read_text()), encoding="utf-8")
    assert f"{path}: is damaged" in refusal(sealed_bundle)


def test_what_the_manifest_says_comes_before_the_checksums(sealed_bundle: Path) -> None:
    manifest = json.loads((sealed_bundle / "manifest.json").read_text())
    (sealed_bundle / "manifest.json").write_text(json.dumps(manifest | {"feature_fingerprint": "0123456789abcdef"}))
    assert "0123456789abcdef" in refusal(sealed_bundle)
    assert COMPACT.fingerprint() in refusal(sealed_bundle)


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


@pytest.mark.parametrize(
    ("entry", "said"),
    [
        ({"file": "../golden.npz"}, "is not a plain file name"),
        ({"file": 3}, "plain file name"),
        ({"bytes": 5}, "5 bytes"),
        ({"pickle": "x"}, r"unknown keys \['pickle'\]"),
        ({"tolerance": 0.01}, "tolerance as a number"),
        ({"tolerance": {"fp32.onnx": "0.01"}}, "tolerance as a number from 0 to 1"),
        ({"tolerance": {"fp32.onnx": math.inf}}, "each file's tolerance as a number"),
        ({"tolerance": {"fp32.onnx": math.nan}}, "tolerance as a number from 0 to 1; pack"),
    ],
)
def test_golden_inputs_that_are_not_described_well_are_refused(
    edited_bundle: EditBundle, entry: dict[str, object], said: str
) -> None:
    with pytest.raises(BundleError, match=said):
        load_bundle(edited_bundle(lambda manifest: manifest["golden"].update(entry)))


def test_golden_inputs_without_a_description_are_refused(edited_bundle: EditBundle) -> None:
    with pytest.raises(BundleError, match="'golden' has no description"):
        load_bundle(edited_bundle(put("golden", [])))


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
    assert list_bundles(None, {}) == [released / "common"]
    own = put_bundle(tmp_path, "meditron", tiny_bundle)
    environ = {"RESPIRE_EDGE_MODELS": str(tmp_path)}
    assert list_bundles(None, environ) == [released / "common", own]
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


def test_a_bundle_without_a_temperature_leaves_probabilities_as_they_are(tiny_bundle: Path) -> None:
    assert load_bundle(tiny_bundle).temperature == 1.0


def test_a_bundle_brings_its_temperature_and_what_else_is_said_of_it(edited_bundle: EditBundle) -> None:
    folder = edited_bundle(lambda manifest: manifest.update(temperature={"value": 2, "fitted_on": "own"}))
    assert load_bundle(folder).temperature == 2.0


@pytest.mark.parametrize("value", [0, -1.0, 0.09, 10.1, math.nan, math.inf, None, True, "1.3", [1.3], 10**400])
def test_an_impossible_temperature_is_refused(edited_bundle: EditBundle, value: object) -> None:
    message = refusal(edited_bundle(lambda manifest: manifest.update(temperature={"value": value})))
    assert "'temperature' must have a 'value' from 0.1 to 10" in message


@pytest.mark.parametrize("entry", [1.3, None, [], {}, {"Value": 1.3}])
def test_a_temperature_without_a_value_is_refused(edited_bundle: EditBundle, entry: object) -> None:
    assert "manifest.json: 'temperature'" in refusal(edited_bundle(lambda manifest: manifest.update(temperature=entry)))


@pytest.mark.parametrize("name", RELEASED)
def test_a_released_bundle_is_calibrated_by_what_did_best_on_people_left_out(repository: Path, name: str) -> None:
    folder = repository / "models" / name
    report = json.loads((folder / "manifest.json").read_text())["temperature"]
    candidates = report["candidates"]
    best = min(candidates, key=lambda each: candidates[each]["left_out_nll"])
    assert load_bundle(folder).temperature == report["value"] == candidates[best]["value"]
    assert report["own"]["after"]["nll"] <= report["own"]["before"]["nll"]
