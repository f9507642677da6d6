"""What the documents tell a person to type exists."""

import argparse
import importlib
import re
import shlex
from pathlib import Path
from types import ModuleType

import pytest

DOCUMENTS = ("README.md", "CONTRIBUTING.md", "docs/runbook.md")
COMMAND = re.compile(r"^(?:respire-edge|python -m|make) .+", flags=re.MULTILINE)
BLOCK = re.compile(r"^```sh\n(.*?)^```", flags=re.MULTILINE | re.DOTALL)


def commands_of(repository: Path) -> list[list[str]]:
    texts = [(repository / name).read_text(encoding="utf-8") for name in DOCUMENTS]
    lines = [line for text in texts for block in BLOCK.findall(text) for line in COMMAND.findall(block)]
    return [shlex.split(line, comments=True) for line in lines]


def test_each_make_target_exists(repository: Path) -> None:
    targets = re.findall(r"^([a-z-]+):", (repository / "Makefile").read_text(encoding="utf-8"), flags=re.MULTILINE)
    named = {command[1] for command in commands_of(repository) if command[0] == "make"}
    assert {"demo", "test"} <= named <= set(targets)


def test_each_respire_edge_command_parses(repository: Path) -> None:
    from edge.command_line import build_parser

    commands = [command[1:] for command in commands_of(repository) if command[0] == "respire-edge"]
    assert {command[0] for command in commands} >= {"listen", "score", "devices", "doctor", "bench"}
    for command in commands:
        assert build_parser().parse_args(command).command == command[0]


def test_each_device_name_has_a_profile(repository: Path) -> None:
    from edge.profiles import load_profiles

    commands = [command for command in commands_of(repository) if "--device" in command]
    named = {command[command.index("--device") + 1] for command in commands}
    assert named <= {*load_profiles(), "auto"}


def test_each_training_and_export_command_parses(repository: Path) -> None:
    pytest.importorskip("torch")
    pytest.importorskip("onnx")
    commands = [command[2:] for command in commands_of(repository) if command[:2] == ["python", "-m"]]
    assert len(commands) >= 9
    for module, *arguments in commands:
        parser: argparse.ArgumentParser = command_module(module).build_parser()
        parsed = parser.parse_args(arguments)
        if module == "train.run":
            assert parsed.recipe in importlib.import_module("train.recipes").RECIPES


def command_module(name: str) -> ModuleType:
    """What `python -m NAME` runs: a module, or a package's `__main__`."""
    module = importlib.import_module(name)
    return importlib.import_module(f"{name}.__main__") if hasattr(module, "__path__") else module


def test_the_readme_repeats_figures_of_the_model_cards_and_no_others(repository: Path) -> None:
    readme = (repository / "README.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\|[^|]+\| `(\w+)` \|[^|]+\|[^|]+\|(.*)", readme, re.MULTILINE)
    assert len(rows) == 4
    for model, cells in rows:
        card = (repository / "models" / model / "MODEL_CARD.md").read_text(encoding="utf-8")
        lines = [line for line in card.splitlines() if line.startswith("|")]
        figures = re.findall(r"\d+\.\d", cells)
        assert len(figures) >= 3
        assert any(all(figure in line for figure in figures) for line in lines), (model, figures)


@pytest.mark.parametrize("document", [*DOCUMENTS, "ARCHITECTURE.md"])
def test_each_linked_file_exists(repository: Path, document: str) -> None:
    links = re.findall(r"\]\(([^)#:]+)\)", (repository / document).read_text(encoding="utf-8"))
    assert [link for link in links if not (repository / link).exists()] == []
