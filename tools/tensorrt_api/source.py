"""One of our modules that calls TensorRT: which of TensorRT's names it uses, and copies of it that misspell one."""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from tools.tensorrt_api.api import MODULE, Api

Span = tuple[int, int, int, int]
"""First line and column of an expression, last line and column."""
OwnersAt = Callable[[Span], tuple[str, ...]]
"""The TensorRT classes that mypy found an attribute's object to be of."""
HIDING = ("getattr", "hasattr", "setattr", "delattr")


@dataclass(frozen=True)
class Problem:
    """What is wrong at which line of the file that was read."""

    line: int
    text: str


@dataclass(frozen=True)
class Use:
    """One place where a name of TensorRT stands, as attribute, keyword, or method that overrides one."""

    owner: str
    """The class it belongs to, or MODULE; of a keyword the class of the function that is called."""
    name: str
    """Of a keyword the function that is called."""
    keyword: str
    node: ast.Attribute | ast.keyword | ast.FunctionDef
    line: int

    @property
    def title(self) -> str:
        name = f"{self.owner}.{self.name}" if self.owner else self.name
        return f"{name}({self.keyword}=)" if self.keyword else name


class Source:
    """A module's text as it is checked: without comments and f-strings, so that every name has its own position."""

    def __init__(self, text: str) -> None:
        original = _Plain().visit(ast.parse(text))
        self.text = ast.unparse(ast.fix_missing_locations(original)) + "\n"
        self._tree = ast.parse(self.text)
        pairs = zip(ast.walk(self._tree), ast.walk(original), strict=True)
        self._lines = {node: first.lineno for node, first in pairs if hasattr(first, "lineno")}
        self._aliases = {
            alias.asname or alias.name
            for node in ast.walk(self._tree)
            if isinstance(node, ast.Import)
            for alias in node.names
            if alias.name == "tensorrt"
        }

    @property
    def imported(self) -> frozenset[str]:
        """The modules that it imports anywhere, by their full names."""
        nodes = list(ast.walk(self._tree))
        plain = [alias.name for node in nodes if isinstance(node, ast.Import) for alias in node.names]
        return frozenset(plain) | {node.module for node in nodes if isinstance(node, ast.ImportFrom) and node.module}

    def line_at(self, line: int, column: int) -> int:
        """The line, in the file that was read, of what stands at this position of `text` (column from 0)."""
        around = [node for node in self._lines if _holds(node, line, column)]
        return max((self._lines[node] for node in around), default=line)

    def uses(self, api: Api, owners_at: OwnersAt) -> list[Use]:
        """Every use of a name of TensorRT, in the order of the tree."""
        return [use for node in ast.walk(self._tree) for use in self._uses(node, api, owners_at)]

    def problems(self) -> Iterator[Problem]:
        """Ways to use TensorRT's names that nothing here can follow."""
        for node in ast.walk(self._tree):
            if _is_import_from(node):
                yield Problem(self._lines[node], "names imported out of tensorrt; write `import tensorrt as trt`")
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in HIDING:
                yield Problem(
                    self._lines[node], f"{node.func.id}() hides a name from the check; write it as an attribute"
                )

    def with_misspelt(self, use: Use, wrong: str) -> str:
        """`text` with this one name replaced."""
        place = {ast.Attribute: "attr", ast.keyword: "arg", ast.FunctionDef: "name"}[type(use.node)]
        right = getattr(use.node, place)
        setattr(use.node, place, wrong)
        text = ast.unparse(self._tree)
        setattr(use.node, place, right)
        return text

    def _uses(self, node: ast.AST, api: Api, owners_at: OwnersAt) -> Iterator[Use]:
        if isinstance(node, ast.Attribute):
            for owner in self._owners(node, api, owners_at):
                yield Use(owner, node.attr, "", node, self._lines[node])
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
            for owner in self._owners(node.func, api, owners_at):
                for keyword in node.keywords:
                    if keyword.arg is not None:
                        yield Use(owner, node.func.attr, keyword.arg, keyword, self._lines[node])
        elif isinstance(node, ast.ClassDef):
            yield from self._overrides(node, api)

    def _overrides(self, node: ast.ClassDef, api: Api) -> Iterator[Use]:
        for base in node.bases:
            owner = self._maybe_class(base, api)
            for item in node.body if owner else ():
                if isinstance(item, ast.FunctionDef) and not item.name.startswith("_"):
                    yield Use(owner or "", item.name, "", item, self._lines[item])

    def _owners(self, node: ast.Attribute, api: Api, owners_at: OwnersAt) -> tuple[str, ...]:
        spelt = self._maybe_class(node.value, api)
        return owners_at(span(node)) if spelt is None else (spelt,)

    def _maybe_class(self, node: ast.expr, api: Api) -> str | None:
        """The class, or MODULE, that an expression such as `trt.ILogger.Severity` spells out."""
        if isinstance(node, ast.Name) and node.id in self._aliases:
            return MODULE
        if not isinstance(node, ast.Attribute):
            return None
        owner = self._maybe_class(node.value, api)
        member = None if owner is None else api.maybe_member(owner, node.attr)
        return member.text if member is not None and member.text in api.classes else None


def span(node: ast.expr) -> Span:
    return node.lineno, node.col_offset, node.end_lineno or node.lineno, node.end_col_offset or node.col_offset


def _is_import_from(node: ast.AST) -> bool:
    return isinstance(node, ast.ImportFrom) and node.module is not None and node.module.partition(".")[0] == "tensorrt"


def _holds(node: ast.AST, line: int, column: int) -> bool:
    if not isinstance(node, ast.stmt | ast.expr):
        return False
    first_line, first_column, last_line, last_column = (
        node.lineno,
        node.col_offset,
        node.end_lineno or node.lineno,
        node.end_col_offset or node.col_offset,
    )
    return (first_line, first_column) <= (line, column) <= (last_line, last_column)


class _Plain(ast.NodeTransformer):
    """An f-string becomes `str((…))` of its values: until Python 3.12 what stands in one has no true position."""

    def visit_JoinedStr(self, node: ast.JoinedStr) -> ast.expr:
        values = [self.visit(value.value) for value in node.values if isinstance(value, ast.FormattedValue)]
        call = ast.Call(ast.Name("str", ast.Load()), [ast.Tuple(values, ast.Load())], [])
        return ast.copy_location(call, node)

    def visit_Constant(self, node: ast.Constant) -> ast.Constant:
        # positions count bytes, so that texts are reduced to ASCII
        if isinstance(node.value, str):
            return ast.copy_location(ast.Constant(node.value.encode("ascii", "replace").decode()), node)
        return node
