from collections import Counter
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.random import default_rng

from edge.labels import LABELS
from edge.signal.spec import COMPACT
from export import calibrate
from export.calibrate import calibration_patients, choose_cycles, training_recordings
from export.calibration import Calibration, check_sufficient, load_calibration, save_calibration
from export.errors import CalibrationError
from train.checkpoint import Checkpoint, save_checkpoint
from train.recording import Annotation, Recording


def recording(name: str, labels: list[int], device: str = "Meditron") -> Recording:
    annotations = tuple(Annotation(float(i), i + 1.0, label) for i, label in enumerate(labels))
    return Recording(name, Path(name), "icbhi", "", name, device, annotations)


def test_only_patients_of_the_training_side_are_used(calibration_path: Path, checkpoint: Checkpoint) -> None:
    used = {name.removeprefix("icbhi/")[:3] for name in load_calibration(calibration_path).recordings}
    sides = checkpoint.training_run["patients"]["icbhi"]
    assert used == set(sides["training"])
    assert not used & {*sides["validation"], *sides["test"]}


def test_patient_on_two_sides_is_left_out(checkpoint: Checkpoint, icbhi_folder: Path) -> None:
    sides = {"training": ["101", "113", "115"], "validation": ["113"], "test": ["115"]}
    both_sides = replace(checkpoint, training_run={"patients": {"icbhi": sides}})
    found = training_recordings(both_sides, {"icbhi": icbhi_folder})
    assert {each.patient for each in found} == {"101"}


@given(st.lists(st.sets(st.integers(0, 20)), min_size=3, max_size=3))
def test_validation_patients_never_calibrate(sides: list[set[int]]) -> None:
    training, validation, test = ([str(number) for number in side] for side in sides)
    named = {"training": training, "validation": validation, "test": test}
    for dataset in ("icbhi", "sprsound"):
        chosen = calibration_patients(dataset, named)
        assert chosen <= set(training)
        assert not chosen & set(validation)
    assert not calibration_patients("icbhi", named) & set(test)


def test_classes_and_stethoscopes_are_balanced_until_they_run_out() -> None:
    recordings = [
        recording("a", [0] * 500),
        recording("b", [1] * 6 + [2] * 40),
        recording("c", [0] * 40, device="Litt3200"),
    ]
    chosen = choose_cycles(recordings, 66, default_rng(0))
    counts = Counter((each.recording.device, each.recording.annotations[each.index].label) for each in chosen)
    # Six of the rare class, and the others share what is left equally.
    assert counts == {("Meditron", 0): 20, ("Meditron", 1): 6, ("Meditron", 2): 20, ("Litt3200", 0): 20}
    assert len({(each.recording.name, each.index) for each in chosen}) == 66


def test_no_more_than_there_is_can_be_chosen() -> None:
    assert len(choose_cycles([recording("a", [0, 1, 2])], 100, default_rng(0))) == 3
    assert choose_cycles([], 100, default_rng(0)) == []


def test_file_holds_images_of_the_device_and_their_provenance(calibration_path: Path) -> None:
    calibration = load_calibration(calibration_path)
    assert calibration.fingerprint == COMPACT.fingerprint()
    assert calibration.images.dtype == np.uint8
    assert calibration.images.shape == (72, *COMPACT.image_shape)
    assert len(calibration.recordings) == 72
    counts = calibration.provenance["cycles"]
    assert set(counts) == {"icbhi/Litt3200", "icbhi/Meditron"}
    assert all(by_class == dict.fromkeys(sorted(LABELS), 9) for by_class in counts.values())


def test_calibrating_again_gives_the_same_bytes(
    checkpoint_folder: Path, icbhi_folder: Path, calibration_path: Path, tmp_path: Path
) -> None:
    arguments = ["--checkpoint", str(checkpoint_folder), "--data", str(icbhi_folder), "--images", "72", "--output"]
    assert calibrate.main([*arguments, str(tmp_path / "again.npz")]) == 0
    assert (tmp_path / "again.npz").read_bytes() == calibration_path.read_bytes()


def test_another_seed_chooses_other_cycles() -> None:
    recordings = [recording("a", [0, 1, 2, 3] * 50)]
    first, again, other = (choose_cycles(recordings, 20, default_rng(seed)) for seed in (0, 0, 1))
    assert first == again
    assert first != other


def test_too_few_images_are_refused_and_nothing_is_written(
    checkpoint_folder: Path, icbhi_folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    output = tmp_path / "few.npz"
    arguments = ["--checkpoint", str(checkpoint_folder), "--data", str(icbhi_folder), "--output", str(output)]
    assert calibrate.main([*arguments, "--images", "63"]) == 2
    assert "63 images" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


def test_too_few_recordings_are_refused_however_many_images() -> None:
    with pytest.raises(CalibrationError, match="7 recordings"):
        check_sufficient([f"icbhi/{number % 7}" for number in range(1000)], Path("few.npz"))


def test_folder_without_a_training_patient_is_refused(
    checkpoint: Checkpoint, icbhi_folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    elsewhere = {"icbhi": {"training": ["901"], "validation": [], "test": []}}
    save_checkpoint(tmp_path / "elsewhere", replace(checkpoint, training_run={"patients": elsewhere}))
    arguments = ["--checkpoint", str(tmp_path / "elsewhere"), "--data", str(icbhi_folder)]
    assert calibrate.main([*arguments, "--output", str(tmp_path / "c.npz")]) == 2
    assert "0 images of 0 recordings" in capsys.readouterr().err


def test_checkpoint_that_names_no_patients_is_refused(
    checkpoint: Checkpoint, icbhi_folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    save_checkpoint(tmp_path / "nameless", replace(checkpoint, training_run={"recipe": "tiny"}))
    arguments = ["--checkpoint", str(tmp_path / "nameless"), "--data", str(icbhi_folder)]
    assert calibrate.main([*arguments, "--output", str(tmp_path / "c.npz")]) == 2
    assert "training patients" in capsys.readouterr().err


@pytest.mark.parametrize("content", [b"", b"not a zip", b"PK\x03\x04" + bytes(100)])
def test_file_that_is_no_calibration_gets_one_line(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "bad.npz"
    path.write_bytes(content)
    with pytest.raises(CalibrationError, match=r"export\.calibrate") as caught:
        load_calibration(path)
    assert str(path) in str(caught.value)


def test_file_with_pickles_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "pickled.npz"
    np.savez(path, images=np.array([{"a": 1}], dtype=object), record=np.array("{}"))
    with pytest.raises(CalibrationError, match="not a calibration file"):
        load_calibration(path)


def test_saved_calibration_is_read_back_as_it_was(tmp_path: Path) -> None:
    images = default_rng(0).integers(0, 256, (3, *COMPACT.image_shape), dtype=np.uint8)
    saved = Calibration(images, "f", ("a", "b", "c"), {"seed": 1})
    save_calibration(tmp_path / "c.npz", saved)
    found = load_calibration(tmp_path / "c.npz")
    np.testing.assert_array_equal(found.images, images)
    assert (found.fingerprint, found.recordings, found.provenance) == ("f", ("a", "b", "c"), {"seed": 1})


def test_a_model_of_its_own_is_calibrated_on_its_own_stethoscope(checkpoint: Checkpoint, icbhi_folder: Path) -> None:
    chosen = training_recordings(checkpoint, {"icbhi": icbhi_folder}, "Meditron")
    assert {recording.device for recording in chosen} == {"Meditron"}
    with pytest.raises(CalibrationError, match="of 'Stetho'; there are recordings of Litt3200, Meditron"):
        training_recordings(checkpoint, {"icbhi": icbhi_folder}, "Stetho")
