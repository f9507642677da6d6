import errno
import json
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import onnx
import pytest

from edge.bundle import load_bundle
from edge.engine.engine import open_engine
from edge.engine.golden import load_golden
from edge.signal.spec import COMPACT
from export import manifest, pack, staging
from export.calibration import load_calibration
from export.errors import PackError
from export.expectation import expectation
from export.graph import with_batch
from export.inference import onnx_probabilities, open_session, torch_probabilities
from export.model_card import model_card
from train.checkpoint import Checkpoint, network_from_checkpoint

INT8 = ("int8-u8.onnx", "int8-s8.onnx")


@pytest.fixture
def arguments(checkpoint_folder: Path, graphs: list[Path], comparison_path: Path) -> list[str]:
    files = [str(path) for path in graphs]
    return ["--checkpoint", str(checkpoint_folder), "--onnx", *files, "--comparison", str(comparison_path), "--output"]


def content(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def test_device_loads_the_bundle_and_gets_the_networks_probabilities(
    arguments: list[str], calibration_path: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert pack.main([*arguments, str(tmp_path / "common")]) == 0
    bundle = load_bundle(tmp_path / "common")
    assert bundle.model_id in capsys.readouterr().out
    assert (bundle.device, bundle.spec) == ("common", COMPACT)
    assert {file.activations for file in bundle.files.values()} == {"uint8", "int8", None}
    images = load_calibration(calibration_path).images[:3]
    with open_engine(bundle) as engine:
        found = engine.infer(images)
    (file,) = (file for file in bundle.files.values() if file.activations == "uint8")
    np.testing.assert_allclose(found, onnx_probabilities(open_session(file.path), images), atol=1e-6)


def test_packing_twice_gives_the_same_bytes(arguments: list[str], tmp_path: Path) -> None:
    assert pack.main([*arguments, str(tmp_path / "a" / "common")]) == 0
    assert pack.main([*arguments, str(tmp_path / "b" / "common")]) == 0
    once = content(tmp_path / "a" / "common")
    assert set(once) == {"manifest.json", "MODEL_CARD.md", "SHA256SUMS", "golden.npz", "fp16.onnx", *INT8}
    assert once == content(tmp_path / "b" / "common")
    # And over an existing bundle.
    assert pack.main([*arguments, str(tmp_path / "a" / "common")]) == 0
    assert once == content(tmp_path / "a" / "common")
    assert [path.name for path in (tmp_path / "a").iterdir()] == ["common"]


def test_manifest_says_where_everything_comes_from(
    arguments: list[str], checkpoint: Checkpoint, tmp_path: Path
) -> None:
    assert pack.main([*arguments, str(tmp_path / "common")]) == 0
    found = json.loads((tmp_path / "common" / "manifest.json").read_text())
    assert found["training_run"] == checkpoint.training_run
    assert found["input"] == {"mean": [97.25], "std": [61.5], "where": "inside the graph"}
    assert found["metrics"]["measured_on"]["icbhi"]["side"] == "validation"
    assert set(found["metrics"]["models"]) == {"pytorch", "fp32.onnx", "fp16.onnx", *INT8}
    assert "latency_ms" not in found["metrics"]["models"]["int8-u8.onnx"], "times would differ from pack to pack"
    assert found["export"]["quantization"]["int8-s8.onnx"]["float_layers"]["conv1"]
    assert found["export"]["parity"]["max_probability_difference"] <= 1e-4


def test_model_card_holds_the_figures_and_what_must_not_be_done(arguments: list[str], tmp_path: Path) -> None:
    assert pack.main([*arguments, str(tmp_path / "common")]) == 0
    card = (tmp_path / "common" / "MODEL_CARD.md").read_text()
    figures = json.loads((tmp_path / "common" / "manifest.json").read_text())["metrics"]["models"]
    held = figures["int8-u8.onnx"]["figures"]["icbhi"]
    row = " / ".join(f"{100 * held[key]:.1f}" for key in ("score", "specificity", "sensitivity"))
    assert row in card
    assert "| Litt3200 |" in card
    assert "| Meditron |" in card
    assert "Research use only" in card
    assert "must not be used" in card
    assert "*subset*" in card
    assert "$" not in card


def test_model_card_shows_how_sure_score_and_auc_are(arguments: list[str], tmp_path: Path) -> None:
    assert pack.main([*arguments, str(tmp_path / "common")]) == 0
    described = json.loads((tmp_path / "common" / "manifest.json").read_text())
    held = described["metrics"]["models"]["pytorch"]["figures"]["icbhi"]
    assert f"| float32, **all** | 2 | {100 * held['score']:.1f} (-) |" in model_card(described, "network")
    held["intervals"]["score"] = [0.123, 0.456]
    difference = {"difference": -0.0012, "interval": [-0.004, 0.0021], "p_value": 0.5}
    described["metrics"]["models"]["int8-u8.onnx"]["differences"]["icbhi"]["score"] = difference
    card = model_card(described, "network")
    assert f"| float32, **all** | 2 | {100 * held['score']:.1f} (12.3 to 45.6) |" in card
    assert "| `int8-u8.onnx` less float32 | 2 | -0.12 (-0.40 to +0.21), p 0.500 |" in card


def test_a_comparison_without_intervals_is_still_packed(
    checkpoint_folder: Path, graphs: list[Path], comparison_path: Path, tmp_path: Path
) -> None:
    old = json.loads(comparison_path.read_text())
    for entry in old["models"].values():
        entry.pop("differences", None)
        for held in entry["figures"].values():
            for row in (held, *held["devices"].values()):
                del row["intervals"]
    (tmp_path / "old.json").write_text(json.dumps(old))
    metrics = pack.read_metrics(tmp_path / "old.json", None, None, "common")
    pack.pack(checkpoint_folder, graphs, metrics, "common", tmp_path / "common")
    assert load_bundle(tmp_path / "common").metrics["models"].keys() == old["models"].keys()
    assert "How sure these figures are was not measured." in (tmp_path / "common" / "MODEL_CARD.md").read_text()


def test_the_card_of_a_released_manifest_can_be_made_again(repository: Path) -> None:
    for folder in (repository / "models").iterdir():
        described = json.loads((folder / "manifest.json").read_text(encoding="utf-8"))
        assert "| **all** |" in model_card(described, "network")


def test_cross_validation_reaches_the_manifest_and_the_card(
    arguments: list[str], comparison_path: Path, tmp_path: Path
) -> None:
    held = json.loads(comparison_path.read_text())["models"]["pytorch"]["figures"]["icbhi"]
    report = {
        **held,
        "dataset": "icbhi",
        "extent": "subset",
        "split": "kfold-*-of-4",
        "recordings": 168,
        "patients": 70,
    }
    seeds = [{**report, "patients": 70, "score": score} for score in (0.12, 0.14)]
    (tmp_path / "cross.json").write_text(json.dumps({"seeds": seeds}))
    crossed = ["--cross-validation", str(tmp_path / "cross.json")]
    assert pack.main([*arguments, str(tmp_path / "common"), *crossed]) == 0
    found = json.loads((tmp_path / "common" / "manifest.json").read_text())["metrics"]["cross_validation"]
    assert (found["seeds"], found["patients"], set(found["rows"])) == (2, 70, {"all", "Litt3200", "Meditron"})
    assert (found["rows"]["all"]["score"], found["rows"]["all"]["score_sd"]) == (0.13, 0.0141)
    card = (tmp_path / "common" / "MODEL_CARD.md").read_text()
    assert "all 70 patients of icbhi (subset)" in card
    assert "mean ± standard deviation of 2 seeds" in card
    assert "13.0 ± 1.4" in card


def test_a_model_of_its_own_is_shown_beside_the_common_one() -> None:
    def figures(score: float) -> dict[str, object]:
        counts = {"patients": 2, "cycles": 8, "confusion": [[2, 0], [1, 5]]}
        row = {**counts, "score": score, "specificity": 1.0, "sensitivity": 0.5, "abnormal_auc": None}
        return {**row, "devices": {"Litt3200": row}}

    seed = {**figures(0.5), "dataset": "icbhi", "extent": "subset", "split": "kfold-*-of-4", "recordings": 9}
    found = expectation({"seeds": [{**seed, "fine_tuned": figures(0.6)}]}, "Litt3200")
    assert {title: (row["score"], row["score_sd"]) for title, row in found["rows"].items()} == {
        "Litt3200, this model": (0.6, None),
        "Litt3200, the common model": (0.5, None),
    }
    assert found["rows"]["Litt3200, this model"]["cycles_by_class"] == [2, 6]
    with pytest.raises(KeyError, match="fine_tuned"):
        expectation({"seeds": [seed]}, "Litt3200")


def test_bundle_carries_what_its_networks_answered_here(
    arguments: list[str], checkpoint: Checkpoint, tmp_path: Path
) -> None:
    assert pack.main([*arguments, str(tmp_path / "common")]) == 0
    bundle = load_bundle(tmp_path / "common")
    with np.load(tmp_path / "common" / "golden.npz") as arrays:
        images, reference = arrays["images"], arrays["reference"]
    np.testing.assert_allclose(torch_probabilities(network_from_checkpoint(checkpoint), images), reference, atol=1e-6)
    for name, file in bundle.files.items():
        cases = load_golden(bundle, name)
        found = onnx_probabilities(open_session(file.path, threads=1), images)
        np.testing.assert_allclose(found, cases.expected, atol=1e-6)
        assert {"fp16": 0.005, "int8": 0.01}[file.precision] <= cases.tolerance < 0.2


def test_checksums_are_those_of_the_systems_own_tool(arguments: list[str], tmp_path: Path) -> None:
    assert pack.main([*arguments, str(tmp_path / "common")]) == 0
    tool = shutil.which("sha256sum")
    if tool is None:
        pytest.skip("no sha256sum on this machine")
    ran = subprocess.run(
        [tool, "-c", "SHA256SUMS"], cwd=tmp_path / "common", capture_output=True, text=True, check=True
    )
    assert ran.stdout.count(": OK") == len(list((tmp_path / "common").iterdir())) - 1


def test_graph_for_a_batch_is_not_packed(
    checkpoint_folder: Path,
    graphs: list[Path],
    comparison_path: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    onnx.save(with_batch(onnx.load(graphs[0]), 8), tmp_path / graphs[0].name)
    arguments = ["--checkpoint", str(checkpoint_folder), "--onnx", str(tmp_path / graphs[0].name)]
    output = tmp_path / "common"
    assert pack.main([*arguments, "--comparison", str(comparison_path), "--output", str(output)]) == 2
    assert "takes 8 images at a time; a bundle holds batch 1" in capsys.readouterr().err
    assert not output.exists()


KILLED_BEFORE_THE_RENAME = """
import os, signal, sys
from export import pack
pack.load_bundle = lambda folder: os.kill(os.getpid(), signal.SIGKILL)
pack.main(sys.argv[1:])
"""
KILLED_BETWEEN_THE_RENAMES = """
import os, signal, sys
from pathlib import Path
from export.staging import staged_folder
rename = Path.rename
def renamed(path, target):
    rename(path, target)
    os.kill(os.getpid(), signal.SIGKILL)
Path.rename = renamed
with staged_folder(Path(sys.argv[1]), "manifest.json") as folder:
    (folder / "manifest.json").write_text("new")
"""


def run_and_kill(script: str, arguments: list[str], repository: Path) -> None:
    done = subprocess.run([sys.executable, "-c", script, *arguments], cwd=repository, check=False, timeout=100)
    assert done.returncode == -signal.SIGKILL


def test_killed_while_packing_leaves_nothing_under_the_final_name(
    arguments: list[str], repository: Path, tmp_path: Path
) -> None:
    output = tmp_path / "common"
    run_and_kill(KILLED_BEFORE_THE_RENAME, [*arguments, str(output)], repository)
    assert not output.exists()
    assert pack.main([*arguments, str(output)]) == 0
    assert [path.name for path in tmp_path.iterdir()] == ["common"]


def test_killed_while_replacing_leaves_no_mixture_and_heals(
    arguments: list[str], repository: Path, tmp_path: Path
) -> None:
    output = tmp_path / "common"
    assert pack.main([*arguments, str(output)]) == 0
    before = content(output)
    run_and_kill(KILLED_BETWEEN_THE_RENAMES, [str(output)], repository)
    assert not output.exists()
    assert content(tmp_path / ".common.previous") == before
    assert pack.main([*arguments, str(output)]) == 0
    assert content(output) == before
    assert [path.name for path in tmp_path.iterdir()] == ["common"]


def test_full_disk_leaves_the_old_bundle_and_one_line(
    arguments: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    output = tmp_path / "common"
    assert pack.main([*arguments, str(output)]) == 0
    before = content(output)

    def full(_: Path) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(staging, "_flush_to_disk", full)
    capsys.readouterr()
    assert pack.main([*arguments, str(output)]) == 2
    message = capsys.readouterr().err
    assert "No space left" in message
    assert len(message.splitlines()) == 1
    assert content(output) == before
    assert [path.name for path in tmp_path.iterdir()] == ["common"]


def test_folder_that_is_no_bundle_is_not_replaced(
    arguments: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    thesis = tmp_path / "documents" / "thesis.txt"
    thesis.parent.mkdir()
    thesis.write_text("years of work")
    assert pack.main([*arguments, str(thesis.parent)]) == 2
    assert "manifest.json" in capsys.readouterr().err
    assert thesis.read_text() == "years of work"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda found: found["models"]["int8-u8.onnx"].update(sha256="0" * 64), "int8-u8.onnx"),
        (lambda found: found["objections"].append("int8-u8.onnx: Score falls"), "Score falls"),
        (lambda found: found.pop("models"), "not a report"),
    ],
)
def test_comparison_that_does_not_allow_it_stops_the_pack(
    change: object, message: str, arguments: list[str], comparison_path: Path, tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    found = json.loads(comparison_path.read_text())
    change(found)  # type: ignore[operator]
    changed = tmp_path / "comparison.json"
    changed.write_text(json.dumps(found))
    replaced = [str(changed) if each == str(comparison_path) else each for each in arguments]
    assert pack.main([*replaced, str(tmp_path / "common")]) == 2
    assert message in capsys.readouterr().err
    assert not (tmp_path / "common").exists()


def test_bundle_for_a_stethoscope_needs_graphs_exported_for_it(
    arguments: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert pack.main([*arguments, str(tmp_path / "littmann3200"), "--device", "littmann3200"]) == 2
    assert "--device littmann3200" in capsys.readouterr().err


def test_manifest_never_holds_what_json_cannot() -> None:
    with pytest.raises(ValueError, match="not JSON compliant"):
        manifest.manifest_bytes({"score": float("nan")})


def test_staged_file_appears_whole_or_not_at_all(tmp_path: Path) -> None:
    path = tmp_path / "a" / "b.txt"

    def write(text: str, error: Exception | None) -> None:
        with staging.staged_file(path) as partial:
            partial.write_text(text)
            assert not path.exists()
            if error:
                raise error

    with pytest.raises(RuntimeError, match="half way"):
        write("half", RuntimeError("half way"))
    assert list(path.parent.iterdir()) == []
    write("whole", None)
    assert path.read_text() == "whole"


def test_staged_folder_is_removed_after_an_error(tmp_path: Path) -> None:
    def write() -> None:
        with staging.staged_folder(tmp_path / "common", "manifest.json") as folder:
            (folder / "a").write_text("half")
            raise PackError("half way")

    with pytest.raises(PackError, match="half way"):
        write()
    assert list(tmp_path.iterdir()) == []
