"""What the documents tell a person to type exists."""

import argparse
import importlib
import re
import shlex
from pathlib import Path

import pytest

DOCUMENTS = ("README.md", "CONTRIBUTING.md")
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
    from edge.cli import build_parser

    commands = [command[1:] for command in commands_of(repository) if command[0] == "respire-edge"]
    assert {command[0] for command in commands} == {"listen", "score", "devices"}
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
        parser: argparse.ArgumentParser = importlib.import_module(module).build_parser()
        parsed = parser.parse_args(arguments)
        if module == "train.run":
            assert parsed.recipe in importlib.import_module("train.recipes").RECIPES


def test_the_readme_repeats_figures_of_the_model_card_and_no_others(repository: Path) -> None:
    rows = re.findall(r"^\| (?:ICBHI|SPRSound).*", (repository / "README.md").read_text(encoding="utf-8"), re.MULTILINE)
    figures = {" / ".join(re.findall(r"\d+\.\d", row)) for row in rows}
    card = (repository / "models" / "common" / "MODEL_CARD.md").read_text(encoding="utf-8")
    assert len(figures) == 3
    assert {triple for triple in figures if triple not in card} == set()


@pytest.mark.parametrize("document", [*DOCUMENTS, "ARCHITECTURE.md"])
def test_each_linked_file_exists(repository: Path, document: str) -> None:
    links = re.findall(r"\]\(([^)#:]+)\)", (repository / document).read_text(encoding="utf-8"))
    assert [link for link in links if not (repository / link).exists()] == []
