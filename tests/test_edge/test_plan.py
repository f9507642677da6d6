"""A plan's key, its sidecar and its place: what is refused, and in which words."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import pytest

from edge.engine.engines_folder import engines_folder
from edge.engine.machine import Machine, l4t_release, major_minor
from edge.engine.plan import (
    EngineKey,
    GoldenRecord,
    Sidecar,
    maybe_difference,
    read_plan,
    sidecar_bytes,
    sidecar_of,
    sidecar_path,
)
from edge.engine.plan_source import holds_plans
from edge.errors import EngineError

REMEDY = "rebuild it with: python -m export.build_engine --model models/common --precision int8"
CONTENT = b"a serialised engine"
KEY = EngineKey(
    onnx_sha256="ab" * 32,
    precision="int8",
    shapes="image:1x1x64x219 probabilities:1x4",
    gpu="Orin",
    compute_capability="8.7",
    tensorrt="10.3.0",
    cuda="driver 12.6, pycuda 12.6",
    l4t="R36.4.3",
    builder_options="strongly-typed optimization-level=3 workspace-mb=512",
)
GOLDEN = GoldenRecord(images=8, max_difference=0.002, tolerance=0.05, changed_decisions=0)


@pytest.fixture
def plan(tmp_path: Path) -> Path:
    path = tmp_path / "common-abababababab-int8.engine"
    path.write_bytes(CONTENT)
    sidecar_path(path).write_bytes(sidecar_bytes(sidecar_of(KEY, CONTENT, GOLDEN, "respire-edge 0.1.0")))
    return path


def test_a_plan_is_read_with_all_that_was_written_beside_it(plan: Path) -> None:
    found = read_plan(plan, REMEDY)
    assert found.content == CONTENT
    assert (found.sidecar.key, found.sidecar.golden) == (KEY, GOLDEN)
    assert found.sidecar.made_by == "respire-edge 0.1.0"


def test_the_same_build_gives_the_same_sidecar(plan: Path) -> None:
    content = sidecar_path(plan).read_bytes()
    assert sidecar_bytes(read_plan(plan, REMEDY).sidecar) == content
    assert json.loads(content).keys() == {"schema", "key", "engine", "golden", "made_by"}


def test_equal_keys_do_not_differ() -> None:
    assert maybe_difference(KEY, replace(KEY)) is None


@pytest.mark.parametrize("name", [field.name for field in fields(EngineKey)])
def test_each_field_that_differs_is_named_with_both_values(name: str) -> None:
    other = replace(KEY, **{name: "something else"})
    assert maybe_difference(other, KEY) == f"{name} is 'something else' in the engine and {getattr(KEY, name)!r} here"


def test_of_several_differences_the_most_telling_one_is_named() -> None:
    moved = replace(KEY, gpu="Xavier", compute_capability="7.2", l4t="R35.4.1", tensorrt="8.6.2")
    assert maybe_difference(moved, KEY) == "gpu is 'Xavier' in the engine and 'Orin' here"


def cut_short(plan: Path) -> None:
    plan.write_bytes(CONTENT[:-3])


def changed(plan: Path) -> None:
    plan.write_bytes(CONTENT.replace(b"a", b"b"))


def gone(plan: Path) -> None:
    plan.unlink()


def without_sidecar(plan: Path) -> None:
    sidecar_path(plan).unlink()


def half_a_sidecar(plan: Path) -> None:
    sidecar_path(plan).write_bytes(sidecar_path(plan).read_bytes()[:100])


def binary_sidecar(plan: Path) -> None:
    sidecar_path(plan).write_bytes(b"\xff\xfe\x00\x01")


def edited(change: Callable[[dict[str, Any]], Any]) -> Callable[[Path], None]:
    def edit(plan: Path) -> None:
        content = json.loads(sidecar_path(plan).read_bytes())
        change(content)
        sidecar_path(plan).write_text(json.dumps(content))

    return edit


def listed(plan: Path) -> None:
    sidecar_path(plan).write_text("[]")


@pytest.mark.parametrize(
    ("damage", "said"),
    [
        (cut_short, r"int8\.engine: has sha256 .* \(16 bytes\), its sidecar says .* \(19 bytes\): it was cut short"),
        (changed, r"int8\.engine: has sha256 .*cut short or changed"),
        (gone, r"int8\.engine: the engine cannot be read \(No such file"),
        (without_sidecar, r"engine\.json: the engine's sidecar cannot be read \(No such file"),
        (half_a_sidecar, r"engine\.json: the engine's sidecar is not JSON"),
        (binary_sidecar, r"engine\.json: the engine's sidecar is not JSON"),
        (listed, r"schema is None, not 1"),
        (edited(lambda content: content.update(schema=2)), "schema is 2, not 1"),
        (edited(lambda content: content.pop("golden")), r"\['engine', 'key', 'made_by', 'schema'\] instead of"),
        (edited(lambda content: content["key"].pop("gpu")), "instead of .*'gpu'"),
        (edited(lambda content: content["key"].update(gpu=None)), "gpu is None"),
        (edited(lambda content: content.update(engine="x")), "x instead of"),
        (edited(lambda content: content["engine"].update(bytes="19")), "bytes is '19'"),
        (edited(lambda content: content["golden"].update(max_difference="small")), "max_difference is 'small'"),
        (edited(lambda content: content["golden"].update(images=True)), "images is True"),
    ],
)
def test_a_damaged_plan_is_one_line_that_ends_in_the_remedy(
    plan: Path, damage: Callable[[Path], None], said: str
) -> None:
    damage(plan)
    with pytest.raises(EngineError, match=said) as caught:
        read_plan(plan, REMEDY)
    assert str(caught.value).endswith(f"; {REMEDY}")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("record", "passed"),
    [
        (GOLDEN, True),
        (replace(GOLDEN, max_difference=0.05), True),
        (replace(GOLDEN, max_difference=0.0501), False),
        (replace(GOLDEN, max_difference=float("nan")), False),
        (replace(GOLDEN, images=0), False),
    ],
)
def test_a_record_passes_only_within_its_tolerance(record: GoldenRecord, passed: bool) -> None:
    assert record.passed is passed


def test_a_difference_that_is_no_number_survives_the_sidecar_and_does_not_pass(plan: Path) -> None:
    sidecar = Sidecar(KEY, "", 0, replace(GOLDEN, max_difference=float("nan")), "")
    sidecar_path(plan).write_bytes(sidecar_bytes(replace(sidecar, sha256=read_plan(plan, REMEDY).sidecar.sha256)))
    content = json.loads(sidecar_path(plan).read_bytes())
    content["engine"]["bytes"] = len(CONTENT)
    sidecar_path(plan).write_text(json.dumps(content))
    assert not read_plan(plan, REMEDY).sidecar.golden.passed


@pytest.mark.parametrize(
    ("environ", "folder"),
    [
        ({"RESPIRE_EDGE_ENGINES": "/engines", "XDG_CACHE_HOME": "/cache"}, "/engines"),
        ({"XDG_CACHE_HOME": "/cache"}, "/cache/respire-edge/engines"),
        ({"XDG_CACHE_HOME": "relative"}, "~/.cache/respire-edge/engines"),
        ({"RESPIRE_EDGE_ENGINES": "", "XDG_CACHE_HOME": ""}, "~/.cache/respire-edge/engines"),
        ({}, "~/.cache/respire-edge/engines"),
    ],
)
def test_plans_stand_where_the_environment_says(environ: dict[str, str], folder: str) -> None:
    assert engines_folder(environ) == Path(folder).expanduser()


def test_a_user_without_a_home_is_told_which_variable_to_set(monkeypatch: pytest.MonkeyPatch) -> None:
    def no_home() -> Path:
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.setattr(Path, "home", no_home)
    with pytest.raises(EngineError, match=r"no home folder .*; name one: export RESPIRE_EDGE_ENGINES=DIR"):
        engines_folder({})
    assert engines_folder({"XDG_CACHE_HOME": "/cache"}) == Path("/cache/respire-edge/engines")


def test_plans_of_other_devices_do_not_count(tmp_path: Path) -> None:
    (tmp_path / "common-0123456789ab-int8.engine").write_bytes(b"")
    (tmp_path / "meditron-0123456789ab-int8.engine.json").write_bytes(b"")
    assert holds_plans(tmp_path, "common")
    assert not holds_plans(tmp_path, "meditron")
    assert not holds_plans(tmp_path / "absent", "common")


@pytest.mark.parametrize(
    ("text", "release"),
    [
        (
            "# R36 (release), REVISION: 4.3, GCID: 38968081, BOARD: generic, EABI: aarch64, DATE: Wed Jan  8 2025\n"
            "# KERNEL_VARIANT: oot\nTARGET_USERSPACE_LIB_DIR=nvidia\n",
            "R36.4.3",
        ),
        ("# R39 (release), REVISION: 2.0, GCID: 1\n", "R39.2.0"),
        ("something new\nin two lines", "something new"),
        ("", "none"),
    ],
)
def test_the_release_of_jetson_linux_is_read_from_its_file(tmp_path: Path, text: str, release: str) -> None:
    (tmp_path / "nv_tegra_release").write_text(text)
    assert l4t_release(tmp_path / "nv_tegra_release") == release


def test_off_a_jetson_there_is_no_release(tmp_path: Path) -> None:
    assert l4t_release(tmp_path / "absent") == "none"


@pytest.mark.parametrize(("version", "pair"), [("10.3.0.30", (10, 3)), ("11.4.0.106", (11, 4)), ("10.16.2", (10, 16))])
def test_a_version_is_compared_by_its_first_two_numbers(version: str, pair: tuple[int, int]) -> None:
    assert major_minor(version) == pair


def test_a_version_that_is_none_is_refused() -> None:
    with pytest.raises(EngineError, match="calls its version 'unknown'"):
        major_minor("unknown")


def test_the_machine_of_a_key_is_named_by_the_same_words() -> None:
    names = [field.name for field in fields(EngineKey)]
    assert all(field.name in names for field in fields(Machine))
