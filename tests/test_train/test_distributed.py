"""Several processes learn as one does."""

import os
import runpy
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch

from train.batches import check_batch_size
from train.checkpoint import load_checkpoint
from train.distributed import ALONE, Workers, joined_workers, open_workers
from train.errors import ConfigError
from train.recipes import compact
from train.run import main
from train.run_folder import read_metrics

SCRIPT = Path(__file__).parent / "distributed_steps.py"


def torchrun(repository: Path, *command: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2", *command],
        cwd=repository,
        env=os.environ | {"PYTHONPATH": str(repository), "OMP_NUM_THREADS": "1", "CUDA_VISIBLE_DEVICES": ""},
        capture_output=True,
        text=True,
        timeout=480,
    )


@pytest.fixture(scope="module")
def steps(repository: Path, tmp_path_factory: pytest.TempPathFactory) -> list[dict[str, Any]]:
    """What each of two processes held after two steps."""
    out = tmp_path_factory.mktemp("steps")
    done = torchrun(repository, str(SCRIPT), str(out))
    assert done.returncode == 0, done.stderr
    return [torch.load(out / f"{rank}.pt") for rank in range(2)]


def test_all_processes_end_with_the_first_ones_weights_and_loss(steps: list[dict[str, Any]]) -> None:
    for network in ("plain", "normalised"):
        first, second = (found[network] for found in steps)
        assert all(torch.equal(first[name], second[name]) for name in first)
        assert any(tensor.any() for tensor in second.values())


def test_two_processes_make_the_steps_of_one(steps: list[dict[str, Any]]) -> None:
    one = runpy.run_path(str(SCRIPT))["trained_weights"](ALONE, normalised=False)
    for name, tensor in steps[0]["plain"].items():
        torch.testing.assert_close(tensor, one[name], rtol=1e-4, atol=1e-6)


def test_every_process_gets_what_the_first_one_returns_or_raises(steps: list[dict[str, Any]]) -> None:
    assert [found["from_first"] for found in steps] == [0, 0]
    assert [found["refused"] for found in steps] == ["no room", "no room"]


class Killed(BaseException):
    """Nothing in the code may catch it, as nothing catches a kill."""


@pytest.mark.timeout(600)
def test_a_run_killed_in_one_process_goes_on_in_two(
    icbhi_folder: Path, repository: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "run"
    arguments = ["--recipe", "smoke", "--data", str(icbhi_folder), "--out", str(out), "--epochs", "2"]
    kill_after(monkeypatch, "state.pt")
    with pytest.raises(Killed):
        main(arguments)
    monkeypatch.undo()
    done = torchrun(repository, "-m", "train.run", *arguments)
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("epoch 2: loss") == done.stdout.count("best checkpoint") == 1
    assert [line["epoch"] for line in read_metrics(out)] == [0, 1]
    assert load_checkpoint(out / "last").training_run["epoch"] == 1
    assert not list(out.rglob("*.part"))


def kill_after(patch: pytest.MonkeyPatch, file: str) -> None:
    replace = Path.replace

    def replace_and_die(path: Path, target: Path) -> Path:
        result = replace(path, target)
        if target.name == file:
            raise Killed
        return result

    patch.setattr(Path, "replace", replace_and_die)


def test_without_torchrun_a_process_is_alone() -> None:
    with open_workers({}) as workers:
        assert (workers.rank, workers.count, workers.is_first) == (0, 1, True)
        assert joined_workers({}) == workers


@pytest.mark.parametrize("rank", [0, 1, 2])
def test_a_share_is_every_so_many_eth_sample(rank: int) -> None:
    assert Workers(rank, 3, torch.device("cpu")).share(range(9)) == range(rank, 9, 3)


def test_a_command_that_joins_no_group_is_refused_under_torchrun() -> None:
    with pytest.raises(ConfigError, match="runs in one process"):
        joined_workers({"RANK": "1", "LOCAL_RANK": "1", "WORLD_SIZE": "2"})


def test_an_environment_that_torchrun_did_not_make_is_refused() -> None:
    with pytest.raises(ConfigError, match="RANK='first', which is no number"), open_workers({"RANK": "first"}):
        pass


def test_a_batch_that_cannot_be_shared_equally_is_refused() -> None:
    check_batch_size(compact(), 4)
    with pytest.raises(ConfigError, match=r"^3 processes cannot share batches of 64; give --set batch_size=63$"):
        check_batch_size(compact(), 3)
