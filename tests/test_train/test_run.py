"""The training command, from folders to checkpoints."""

import dataclasses
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from train import recipes
from train.checkpoint import load_checkpoint, network_from_checkpoint
from train.config import Config
from train.network import RespireNetwork
from train.run import main


def arguments(folder: Path, out: Path, *more: str) -> list[str]:
    return ["--recipe", "smoke", "--data", str(folder), "--out", str(out), *more]


def metrics(out: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (out / "metrics.jsonl").read_text(encoding="utf-8").splitlines()]


@pytest.fixture(scope="module")
def smoke_run(icbhi_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("runs") / "smoke"
    assert main(arguments(icbhi_folder, out)) == 0
    return out


def test_the_smoke_recipe_leaves_a_whole_run_folder(smoke_run: Path) -> None:
    names = {path.name for path in smoke_run.iterdir()}
    records = {"config.json", "run.json", "metrics.jsonl", "state.pt", "curves.png"}
    assert names == {*records, "best", "last", "tensorboard"}
    (epoch,) = metrics(smoke_run)
    assert set(epoch["validation"]["icbhi"]["devices"]) == {"Litt3200", "Meditron"}
    assert epoch["validation"]["icbhi"]["cycles"] == 16


def test_the_run_records_code_seed_features_and_patients(smoke_run: Path) -> None:
    record = json.loads((smoke_run / "run.json").read_text(encoding="utf-8"))
    assert set(record["code"]) == {"commit", "dirty"}
    assert record["seed"] == 0
    assert record["data"]["icbhi"]["extent"] == "subset"
    sides = record["patients"]["icbhi"]
    assert len(sides["training"]) == len(sides["validation"]) == 4
    assert not set(sides["training"]) & set(sides["validation"])


def test_the_checkpoint_is_usable_and_normalised(smoke_run: Path) -> None:
    checkpoint = load_checkpoint(smoke_run / "best")
    network = network_from_checkpoint(checkpoint)
    assert network.mean.item() == pytest.approx(checkpoint.mean[0])
    assert 0 < checkpoint.mean[0] < 255
    assert checkpoint.training_run["epoch"] == 0


def test_the_same_seed_repeats_the_run_and_another_does_not(
    icbhi_folder: Path, smoke_run: Path, tmp_path: Path
) -> None:
    assert main(arguments(icbhi_folder, tmp_path / "same")) == 0
    assert main(arguments(icbhi_folder, tmp_path / "other", "--seed", "1")) == 0
    first, same, other = (
        load_checkpoint(run / "last").weights for run in (smoke_run, tmp_path / "same", tmp_path / "other")
    )
    assert all(torch.equal(first[name], same[name]) for name in first)
    assert not torch.equal(first["trunk.conv1.weight"], other["trunk.conv1.weight"])


def test_a_finished_run_started_again_trains_no_more(icbhi_folder: Path, smoke_run: Path) -> None:
    before = (smoke_run / "metrics.jsonl").read_bytes()
    assert main(arguments(icbhi_folder, smoke_run)) == 0
    assert (smoke_run / "metrics.jsonl").read_bytes() == before


def test_joint_training_goes_on_from_a_pretrained_checkpoint(
    icbhi_folder: Path, sprsound_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shrink_recipes(monkeypatch)
    first = ["--recipe", "pretrain_sprsound", "--data", f"sprsound={sprsound_folder}", "--out", str(tmp_path / "first")]
    assert main(first) == 0
    second = ["--recipe", "joint", "--data", f"icbhi={icbhi_folder}", "--data", f"sprsound={sprsound_folder}"]
    out, init = tmp_path / "second", tmp_path / "first" / "best"
    assert main([*second, "--out", str(out), "--init", str(init)]) == 0
    record = load_checkpoint(out / "best").training_run
    assert set(metrics(out)[0]["validation"]) == {"icbhi", "sprsound"}
    assert not set(record["patients"]["sprsound"]["training"]) & set(record["patients"]["sprsound"]["validation"])


def shrink_recipes(monkeypatch: pytest.MonkeyPatch) -> None:
    """The real recipes with a tiny network and two steps."""

    def shrunk(name: str) -> Callable[[], Config]:
        original = recipes.RECIPES[name]
        return lambda: dataclasses.replace(
            original(),
            network=dataclasses.replace(original().network, depth=18, width=0.125),
            epochs=1,
            samples_per_epoch=8,
            batch_size=4,
            workers=0,
        )

    small = {name: shrunk(name) for name in recipes.RECIPES}
    monkeypatch.setattr(recipes, "RECIPES", small)


def line_on_stderr(capsys: pytest.CaptureFixture[str]) -> str:
    lines = capsys.readouterr().err.strip().splitlines()
    return [line for line in lines if line.startswith("train.run:")][-1]


@pytest.mark.parametrize(
    ("more", "expected"),
    [
        (["--recipe", "nothing"], "unknown recipe 'nothing'"),
        (["--recipe", "joint"], "give --data icbhi=DIR and --data sprsound=DIR, each once"),
        (["--epochs", "0"], "epochs must be >= 1"),
        (["--split", "sprsound=train"], "name one of icbhi"),
        (["--split", "icbhi=thirds"], "unknown split 'thirds'"),
        (["--init", "somewhere"], "somewhere is not a checkpoint folder"),
        (["--fine-tune-for", "Litt3200"], "recipe smoke_device needs --init CHECKPOINT"),
        (["--set", "augmentation.noise=1"], "no field 'noise'; there is "),
        (["--set", "optimiser.precision=float8"], "precision 'float8' must be one of float32, bfloat16, float16"),
        (["--set", "features=opencv"], "features 'opencv' must be one of numpy, torch"),
        (["--set", "workers=-2"], "workers -2 must be >= 0, or -1"),
        (["--set", "optimiser.learning_rate=1e30"], "epoch 1: the loss is nan at step 2; "),
    ],
)
def test_a_wrong_command_gets_one_line(
    icbhi_folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], more: list[str], expected: str
) -> None:
    assert main([*arguments(icbhi_folder, tmp_path / "out"), *more]) == 2
    assert expected in line_on_stderr(capsys)


def test_too_little_memory_gets_one_line(
    icbhi_folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def forward(*_: object) -> torch.Tensor:
        raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB. GPU 0 has …")

    # No batch is too large for the memory of every machine that the tests may run on.
    monkeypatch.setattr(RespireNetwork, "forward", forward)
    assert main(arguments(icbhi_folder, tmp_path / "out")) == 2
    assert "is too small for batches of 4 images; give --set batch_size=2 " in line_on_stderr(capsys)


def test_a_folder_of_another_run_is_not_touched(
    icbhi_folder: Path, smoke_run: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(arguments(icbhi_folder, smoke_run, "--seed", "7")) == 2
    assert "holds another run (config.seed differ)" in line_on_stderr(capsys)


def test_a_folder_with_other_files_is_not_written_to(
    icbhi_folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "thesis.tex").touch()
    assert main(arguments(icbhi_folder, tmp_path)) == 2
    assert "is not empty and holds no run" in line_on_stderr(capsys)


def test_a_checkpoint_that_learnt_from_patients_now_held_back_is_refused(
    icbhi_folder: Path,
    smoke_run: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    def second_stage() -> Config:
        return dataclasses.replace(recipes.smoke(), initialisation="checkpoint")

    monkeypatch.setattr(recipes, "RECIPES", {"smoke": second_stage})
    fold = ["--split", "kfold-0-of-2", "--init", str(smoke_run / "best")]
    assert main(arguments(icbhi_folder, tmp_path / "out", *fold)) == 2
    assert "was trained on icbhi patients that this run holds back" in line_on_stderr(capsys)


def test_a_training_side_without_a_class_is_refused(
    icbhi_folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "normal_only"
    folder.mkdir()
    source = icbhi_folder / "audio_and_txt_files"
    for name in ("101_1b1_Al_sc_Litt3200", "103_1b1_Al_sc_Litt3200"):
        (folder / f"{name}.wav").write_bytes((source / f"{name}.wav").read_bytes())
        (folder / f"{name}.txt").write_text("0\t1.5\t0\t0\n1.5\t3\t1\t0\n", encoding="utf-8")
    assert main(arguments(folder, tmp_path / "out")) == 2
    assert "the training side has no wheeze and no both cycle" in line_on_stderr(capsys)
