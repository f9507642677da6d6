"""Hold our modules against one version of TensorRT's Python bindings: a name or argument that it lacks is a problem."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from tools.tensorrt_api.api import Api, api_from_json
from tools.tensorrt_api.source import Problem, Source, Span, Use
from tools.tensorrt_api.stub_libraries import build_stub_libraries
from tools.tensorrt_api.typecheck import REPOSITORY, Attribute, Checked, typecheck
from tools.tensorrt_api.typings import typings_of

PACKAGES = ("edge", "export")
DESCRIBE = Path(__file__).parent / "describe.py"


@dataclass(frozen=True)
class Bindings:
    """One version, described, with type stubs made of it."""

    api: Api
    typings: Path
    """The folder that holds `tensorrt/__init__.pyi`."""
    environment: Mapping[str, str]
    """In a process with these variables `import tensorrt_bindings` works."""


@dataclass(frozen=True)
class Report:
    uses: tuple[Use, ...]
    problems: tuple[Problem, ...]


def describe_bindings(installed: Path, version: str, compiler: str, folder: Path) -> Bindings:
    """Read the bindings under `installed` in a process of their own; `folder` keeps what is made of them."""
    build_stub_libraries(compiler, folder / "lib", version)
    paths = {"PYTHONPATH": str(installed), "LD_LIBRARY_PATH": str(folder / "lib")}
    environment = {**os.environ, **paths, "PYTHONDONTWRITEBYTECODE": "1"}
    output = subprocess.run([sys.executable, DESCRIBE], env=environment, check=True, stdout=subprocess.PIPE, text=True)
    api = api_from_json(output.stdout)
    typings = folder / "typings"
    (typings / "tensorrt").mkdir(parents=True)
    (typings / "tensorrt" / "__init__.pyi").write_text(typings_of(api))
    return Bindings(api, typings, environment)


def modules_using_tensorrt() -> list[Path]:
    """Every file of `edge` and `export` that imports TensorRT, or a module that does and may hand on what it holds."""
    files = [path for package in PACKAGES for path in sorted((REPOSITORY / package).rglob("*.py"))]
    imported = {path: Source(path.read_text(encoding="utf-8")).imported for path in files}
    direct = {path for path in files if "tensorrt" in imported[path]}
    names = {".".join(path.relative_to(REPOSITORY).with_suffix("").parts) for path in direct}
    return [path for path in files if path in direct or imported[path] & names]


def check(sources: Sequence[Source], bindings: Bindings, folder: Path) -> list[Report]:
    """What each source uses, and what is wrong with that; `folder`, which must not exist, is for mypy's files."""
    names = [f"checked_{index}" for index in range(len(sources))]
    texts = {name: source.text for name, source in zip(names, sources, strict=True)}
    checked = typecheck(texts, bindings.typings, folder)
    return [_report(source, checked[name], bindings.api) for name, source in zip(names, sources, strict=True)]


def _report(source: Source, checked: Checked, api: Api) -> Report:
    attributes = checked.attributes

    def owners_at(position: Span) -> tuple[str, ...]:
        return attributes[position].owners if position in attributes else ()

    uses = source.uses(api, owners_at)
    problems = [Problem(source.line_at(item.line, item.column), item.text) for item in checked.findings]
    seen = {problem.line for problem in problems}
    problems += [problem for problem in _lacking(uses, api) if problem.line not in seen]
    problems += [*source.problems(), *_unfollowed(source, attributes, api)]
    return Report(tuple(uses), tuple(sorted(set(problems), key=lambda problem: problem.line)))


def _lacking(uses: Sequence[Use], api: Api) -> Iterator[Problem]:
    """The same question asked of the module itself, apart from mypy and the stubs."""
    for use in uses:
        if api.maybe_member(use.owner, use.name) is None:
            yield Problem(use.line, f"TensorRT {api.version} has no {use.title}")
        elif use.keyword and not api.takes_keyword(use.owner, use.name, use.keyword):
            yield Problem(use.line, f"TensorRT {api.version} has no argument {use.title}")


def _unfollowed(source: Source, attributes: Mapping[Span, Attribute], api: Api) -> Iterator[Problem]:
    for (line, column, _, _), attribute in attributes.items():
        if attribute.unknown and attribute.name in api.every_name:
            text = f"`.{attribute.name}` of an object of unknown type: annotate it, so that the name can be checked"
            yield Problem(source.line_at(line, column), text)
