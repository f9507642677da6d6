"""What one version of TensorRT's Python module holds: `describe.py`'s JSON, and the signatures in its docstrings."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

MODULE = ""
"""The owner of what stands in the module itself."""


@dataclass(frozen=True)
class Member:
    """One name of a class or of the module."""

    name: str
    kind: str
    """`function`, `static`, `python`, `property`, `static property`, `value` or `class`."""
    text: str
    """The docstring; of a value its class, of a class its qualified name."""
    setter: str = ""
    """The docstring of a property's setter; empty where it cannot be set."""

    @property
    def signatures(self) -> tuple[Signature, ...]:
        return signatures_in(self.text)


@dataclass(frozen=True)
class Class:
    bases: tuple[str, ...]
    members: Mapping[str, Member]
    text: str
    """Its own docstring."""


@dataclass(frozen=True)
class Api:
    version: str
    module: Mapping[str, Member]
    classes: Mapping[str, Class]
    every_name: frozenset[str] = field(repr=False)
    """Each name that some class has."""

    def maybe_member(self, owner: str, name: str) -> Member | None:
        """What `name` is in the class `owner` or its bases, or in the module itself."""
        if owner == MODULE:
            return self.module.get(name)
        found = self.classes.get(owner)
        if found is None:
            return None
        inherited = (self.maybe_member(base, name) for base in found.bases)
        return found.members.get(name) or next((member for member in inherited if member is not None), None)

    def takes_keyword(self, owner: str, name: str, keyword: str) -> bool:
        """Whether any signature of the function, or of the class's constructor, names this argument."""
        member = self.maybe_member(owner, name)
        if member is not None and member.kind == "class":
            member = self.maybe_member(member.text, "__init__")
        return member is not None and any(keyword in signature.names for signature in member.signatures)


@dataclass(frozen=True)
class Parameter:
    name: str
    annotation: str
    """As pybind11 writes it; empty where it writes none."""
    default: str = ""


@dataclass(frozen=True)
class Signature:
    parameters: tuple[Parameter, ...]
    returns: str
    may_return_none: bool

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(parameter.name for parameter in self.parameters)


def api_from_json(text: str) -> Api:
    """Read what `describe.py` printed."""
    content: dict[str, Any] = json.loads(text)
    classes = {
        name: Class(tuple(item["bases"]), _members(item["members"]), item["text"])
        for name, item in content["classes"].items()
    }
    every_name = frozenset(name for item in classes.values() for name in item.members)
    return Api(content["version"], _members(content["members"]), classes, every_name)


def signatures_in(text: str) -> tuple[Signature, ...]:
    """Each `name(self: Class, argument: type = default) -> type` with which pybind11 opens a docstring."""
    overloads = re.split(r"^\d+\. ", text, flags=re.MULTILINE)[1:] if "Overloaded function." in text else [text]
    return tuple(signature for overload in overloads for signature in _maybe_signature(overload))


def _maybe_signature(text: str) -> Iterator[Signature]:
    head, _, rest = text.partition("\n")
    found = re.fullmatch(r"\w*\((.*)\) -> (.+)", head.strip())
    if found is not None:
        parameters = tuple(_parameter(part) for part in _split(found[1]) if part != "/")
        yield Signature(parameters, found[2], re.search(r":returns:[^:]*\bNone\b", rest) is not None)


def _parameter(text: str) -> Parameter:
    declaration, _, default = text.partition(" = ")
    name, _, annotation = declaration.partition(":")
    return Parameter(name.strip(), annotation.strip(), default.strip())


def _split(text: str) -> Iterator[str]:
    """The parts between commas that stand in no bracket."""
    depth, start = 0, 0
    for index, sign in enumerate(text):
        depth += (sign in "[(<") - (sign in "])>")
        if sign == "," and depth == 0:
            yield text[start:index].strip()
            start = index + 1
    if last := text[start:].strip():
        yield last


def _members(items: Sequence[Mapping[str, str]]) -> dict[str, Member]:
    return {item["name"]: Member(item["name"], item["kind"], item["text"], item.get("setter", "")) for item in items}
