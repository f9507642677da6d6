"""A run that is killed, at whatever moment, goes on and ends as an unbroken one."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from train.checkpoint import load_checkpoint
from train.config import Config
from train.cycles import CycleStore, LoadCycles
from train.errors import CheckpointError
from train.recipes import smoke
from train.run import main
from train.run_folder import maybe_read_state, read_metrics
from train.training import train

Train = Callable[[Config, Path], Path]


def small(**fields: Any) -> Config:
    """Two epochs of one step, with a side to test on."""
    config = smoke()
    sides = (replace(config.datasets[0], split="kfold-0-of-2"),)
    return replace(config, datasets=sides, epochs=2, samples_per_epoch=4, **fields)


@pytest.fixture(scope="module", autouse=True)
def _one_thread() -> Iterator[None]:
    """Networks this small take longest where threads wait for each other."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture(scope="module")
def train_here(icbhi_folder: Path) -> Train:
    load: LoadCycles = CycleStore().load
    return lambda config, out: train(config, {"icbhi": icbhi_folder}, out, load=load)


@pytest.fixture(scope="module")
def unbroken(train_here: Train, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[Path]]:
    """A run folder, and what a kill would have left of it at each of its writes: half a file, not yet renamed."""
    folder = tmp_path_factory.mktemp("unbroken")
    out, rename = folder / "run", Path.replace
    moments: list[Path] = []

    def rename_watched(path: Path, target: Path) -> Path:
        moment = folder / f"{len(moments):02}-{target.parent.name}-{target.name}"
        shutil.copytree(out, moment)
        torn = moment / path.relative_to(out)
        torn.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
        moments.append(moment)
        return rename(path, target)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Path, "replace", rename_watched)
        train_here(small(), out)
    return out, moments


def without_surroundings(record: dict[str, Any]) -> dict[str, Any]:
    """Without how long it took, and the version of the code, which may change while tests run."""
    kept = {name: value for name, value in record.items() if "seconds" not in name and name != "code"}
    return {name: without_surroundings(value) if isinstance(value, dict) else value for name, value in kept.items()}


def json_file(path: Path) -> dict[str, Any]:
    return without_surroundings(json.loads(path.read_text(encoding="utf-8")))


def assert_same(found: Path, expected: Path) -> None:
    for name in ("last", "best"):
        assert_same_weights(found / name, expected / name)
    lines, others = ([without_surroundings(line) for line in read_metrics(run)] for run in (found, expected))
    assert lines == others
    for name in ("config.json", "run.json", "best/checkpoint.json", "last/checkpoint.json", "test.json"):
        assert json_file(found / name) == json_file(expected / name)
    assert files(found) == files(expected)


def assert_same_weights(found: Path, expected: Path) -> None:
    weights = load_checkpoint(found).weights
    assert all(torch.equal(weights[name], tensor) for name, tensor in load_checkpoint(expected).weights.items())


def files(run: Path) -> set[str]:
    paths = {str(path.relative_to(run)) for path in run.rglob("*") if path.is_file()}
    events = {path for path in paths if path.startswith("tensorboard/")}
    assert len(events) == 1
    return paths - events


def test_at_no_moment_is_a_file_ahead_of_the_state(
    unbroken: tuple[Path, list[Path]],
) -> None:
    for moment in unbroken[1]:
        state = maybe_read_state(moment)
        whole = len(state["history"]) if state else 0
        assert len(read_metrics(moment)) <= whole
        for name in ("last", "best"):
            assert epoch_of(moment / name) < whole or not (moment / name).exists()


def epoch_of(checkpoint: Path) -> int:
    try:
        epoch: int = load_checkpoint(checkpoint).training_run["epoch"]
    except CheckpointError:
        return -1
    return epoch


def test_killed_at_any_write_it_goes_on_to_the_same_end(
    unbroken: tuple[Path, list[Path]], train_here: Train, tmp_path: Path
) -> None:
    run, moments = unbroken
    assert {moment.name[3:] for moment in moments} >= {"run-config.json", "run-state.pt", "best-weights.pt"}
    assert {moment.name[3:] for moment in moments} >= {"run-metrics.jsonl", "run-curves.png", "run-test.json"}
    for moment in moments:
        broken = shutil.copytree(moment, tmp_path / moment.name)
        train_here(small(), broken)
        assert_same(broken, run)


@pytest.mark.timeout(900)
def test_killed_in_mid_epoch_it_goes_on_to_the_same_end(icbhi_folder: Path, repository: Path, tmp_path: Path) -> None:
    unbroken, broken = tmp_path / "unbroken", tmp_path / "broken"
    longer = ["--epochs", "2", "--split", "kfold-0-of-2", "--set", "samples_per_epoch=48"]
    command = ["--recipe", "smoke", "--data", str(icbhi_folder), *longer]
    assert main([*command, "--out", str(unbroken)]) == 0
    kill_in_second_epoch([*command, "--out", str(broken)], broken, repository)
    assert main([*command, "--out", str(broken)]) == 0
    assert_same(broken, unbroken)


def kill_in_second_epoch(arguments: list[str], out: Path, repository: Path) -> None:
    # As many threads as here: the order of float sums depends on it.
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-m", "train.run", *arguments]
    process = subprocess.Popen(command, cwd=repository, env=environment, stderr=subprocess.DEVNULL)
    try:
        deadline = time.monotonic() + 480
        while not read_metrics(out):
            assert process.poll() is None, "the run ended before it could be killed"
            assert time.monotonic() < deadline
            time.sleep(0.005)
        # A few of its twelve steps.
        time.sleep(0.03)
    finally:
        process.send_signal(signal.SIGKILL)
        process.wait()
    assert len(read_metrics(out)) == 1


def test_a_finished_run_is_left_as_it_is(unbroken: tuple[Path, list[Path]], icbhi_folder: Path) -> None:
    run, _ = unbroken
    before = {path: path.stat().st_mtime_ns for path in run.rglob("*")}

    def load(*_: object) -> Any:
        raise AssertionError("no sound needs to be read")

    assert train(small(), {"icbhi": icbhi_folder}, run, load=load) == run / "best"
    assert {path: path.stat().st_mtime_ns for path in run.rglob("*")} == before


def test_a_run_goes_on_with_another_number_of_loaders(
    unbroken: tuple[Path, list[Path]], train_here: Train, tmp_path: Path
) -> None:
    run, moments = unbroken
    after_first_epoch = next(moment for moment in moments if moment.name.endswith("last-weights.pt"))
    shutil.copytree(after_first_epoch, tmp_path / "run")
    train_here(small(workers=2), tmp_path / "run")
    assert_same_weights(tmp_path / "run" / "last", run / "last")


def test_a_run_of_an_earlier_version_goes_on(
    unbroken: tuple[Path, list[Path]], train_here: Train, tmp_path: Path
) -> None:
    """Its configuration lacks what came later, which is at its default; its state lacks the loss scaling."""
    run = tmp_path / "run"
    shutil.copytree(unbroken[1][-1], run)
    config = json.loads((run / "config.json").read_text(encoding="utf-8"))
    del config["config"]["features"]
    (run / "config.json").write_text(json.dumps(config), encoding="utf-8")
    train_here(small(), run)
    assert (run / "test.json").is_file()
