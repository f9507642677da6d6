"""mypy with TensorRT's types: what it finds wrong with our modules, and what it knows of each attribute's object."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from uuid import uuid4

from mypy.build import build
from mypy.errors import CompileError
from mypy.main import process_options
from mypy.modulefinder import BuildSource
from mypy.nodes import Expression, MypyFile
from mypy.options import Options
from mypy.traverser import NameAndMemberCollector
from mypy.types import AnyType, Instance, Type, TypeOfAny, UnionType, get_proper_type

from tools.tensorrt_api.source import Span

REPOSITORY = Path(__file__).resolve().parent.parent.parent
CACHE = REPOSITORY / ".mypy_cache" / "tensorrt-api"
PREFIX = "tensorrt."

_ERROR = re.compile(r"(?P<path>.+?):(?P<line>\d+):(?P<column>\d+): error: (?P<text>.+?)(  \[[a-z-]+\])?")


@dataclass(frozen=True)
class Finding:
    """An error of mypy; line from 1, column from 0."""

    line: int
    column: int
    text: str


@dataclass(frozen=True)
class Attribute:
    """What mypy knows of one `object.name`."""

    name: str
    owners: tuple[str, ...]
    """The TensorRT classes that have or ought to have the name."""
    unknown: bool
    """Has the object no type that mypy could hold the name against?"""


@dataclass(frozen=True)
class Checked:
    findings: tuple[Finding, ...]
    attributes: Mapping[Span, Attribute]


def typecheck(texts: Mapping[str, str], typings: Path, folder: Path) -> dict[str, Checked]:
    """Check modules, given as name to text, against the stubs under `typings`; `folder` is for their files."""
    folder.mkdir(parents=True)
    sources = []
    for name, text in texts.items():
        path = folder / f"{name}.py"
        # mypy keeps no types of what it finds in its cache, so that no two runs may see the same text
        path.write_text(f"{text}\n# {uuid4()}\n")
        sources.append(BuildSource(str(path), name))
    try:
        result = build(sources, options=_options(typings))
    except CompileError as error:
        raise SystemExit("\n".join(error.messages)) from error
    findings = dict(_findings(result.errors, texts))
    return {name: Checked(tuple(findings[name]), dict(_attributes(result.files[name], result.types))) for name in texts}


def _options(typings: Path) -> Options:
    arguments = [
        "--config-file",
        str(REPOSITORY / "pyproject.toml"),
        "--follow-imports",
        "silent",
        "--warn-unreachable",
    ]
    arguments += ["--cache-dir", str(CACHE), "--show-column-numbers", "--show-absolute-path", "--no-pretty"]
    _, options = process_options([*arguments, str(typings / "tensorrt" / "__init__.pyi")])
    options.mypy_path = [str(typings), str(REPOSITORY)]
    options.export_types = options.preserve_asts = True
    return options


def _findings(lines: list[str], names: Mapping[str, str]) -> Iterator[tuple[str, list[Finding]]]:
    found = [match for line in lines if (match := _ERROR.fullmatch(line))]
    for name in names:
        here = [match for match in found if Path(match["path"]).stem == name]
        yield name, [Finding(int(item["line"]), int(item["column"]) - 1, item["text"]) for item in here]


def _attributes(tree: MypyFile, types: Mapping[Expression, Type]) -> Iterator[tuple[Span, Attribute]]:
    collector = NameAndMemberCollector()
    tree.accept(collector)
    for node in collector.member_exprs:
        kinds = list(_kinds(types.get(node.expr)))
        owners = tuple(owner for kind in kinds if isinstance(kind, Instance) for owner in _maybe_owner(kind, node.name))
        position = node.line, node.column, node.end_line or node.line, node.end_column or node.column
        yield position, Attribute(node.name, owners, any(_is_unknown(kind) for kind in kinds))


def _kinds(maybe_type: Type | None) -> Iterator[Type]:
    kind = get_proper_type(maybe_type)
    if isinstance(kind, UnionType):
        for item in kind.items:
            yield from _kinds(item)
    elif kind is not None:
        yield kind


def _maybe_owner(kind: Instance, name: str) -> Iterator[str]:
    """The class of TensorRT that gives an object the name; where none of its classes has it, the one it lacks it in."""
    having = [base for base in kind.type.mro if name in base.names] or kind.type.mro
    ours = [base.fullname for base in having if base.fullname.startswith(PREFIX)]
    if ours and (name not in having[0].names or having[0].fullname == ours[0]):
        yield ours[0].removeprefix(PREFIX)


def _is_unknown(kind: Type) -> bool:
    return isinstance(kind, AnyType) and kind.type_of_any != TypeOfAny.from_unimported_type
