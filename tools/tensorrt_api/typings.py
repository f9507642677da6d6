"""Type stubs made from an `Api`, so that mypy can hold code against it.

Nothing in them is `Any`: what pybind11 does not say is `object`, of which mypy lets nobody use anything. And what comes
from a C++ function that says failure with a null pointer is optional, so that code which takes no notice is an error.
"""

from __future__ import annotations

import ast
import keyword
import re
from collections.abc import Iterator

from tools.tensorrt_api.api import Api, Class, Member, Parameter, Signature, signatures_in

HEADER = """\
# mypy: ignore-errors
import builtins
import collections.abc
import typing

import numpy
import numpy.typing
import typing_extensions

"""
MAY_FAIL = ("build_", "create_", "deserialize_", "serialize")
"""TensorRT's C++ interfaces throw nothing. Where these get no object it is a null pointer, which becomes None."""
BUILTINS = ("bool", "bytes", "float", "int", "memoryview", "object", "slice", "str")
NAMES = {
    "List": "builtins.list",
    "Dict": "builtins.dict",
    "Tuple": "builtins.tuple",
    "list": "builtins.list",
    "dict": "builtins.dict",
    "tuple": "builtins.tuple",
    "Callable": "typing.Callable",
    "Iterable": "typing.Iterable",
    "Iterator": "typing.Iterator",
    "None": "None",
    "buffer": "typing_extensions.Buffer",
    "numpy.ndarray": "numpy.typing.NDArray[numpy.generic]",
    **{name: f"builtins.{name}" for name in BUILTINS},
}
BARE = {
    "builtins.list": "builtins.list[builtins.object]",
    "builtins.dict": "builtins.dict[builtins.object, builtins.object]",
    "builtins.tuple": "builtins.tuple[builtins.object, ...]",
    "typing.Iterable": "typing.Iterable[builtins.object]",
    "typing.Iterator": "typing.Iterator[builtins.object]",
}
KNOWN_MODULES = ("typing.", "typing_extensions.", "collections.abc.")
UNTYPED_GENERICS = ("collections.abc.Callable", "collections.abc.Iterable", "typing.Callable")
UNKNOWN = "builtins.object"


def typings_of(api: Api) -> str:
    """The text of `tensorrt/__init__.pyi`."""
    writer = _Writer(api)
    outer = [name for name in api.classes if "." not in name]
    lines = [line for name in outer for line in writer.class_lines(name, api.classes[name])]
    for member in api.module.values():
        if member.kind == "class" and member.text != member.name:
            lines.append(f"{member.name} = {member.text}")
        elif member.kind != "class":
            lines += writer.member_lines(member, in_class=False)
    text = HEADER + "\n".join(lines) + "\n"
    ast.parse(text)
    return text


class _Writer:
    def __init__(self, api: Api) -> None:
        self._classes = api.classes

    def class_lines(self, name: str, item: Class) -> Iterator[str]:
        bases = ", ".join(item.bases)
        yield f"class {name.rpartition('.')[2]}({bases}):" if bases else f"class {name.rpartition('.')[2]}:"
        for member in item.members.values():
            inner = member.kind == "class" and member.text == f"{name}.{member.name}"
            lines = self.class_lines(member.text, self._classes[member.text]) if inner else self.member_lines(member)
            yield from ("    " + line for line in lines)
        if "__init__" not in item.members and not item.bases:
            yield "    def __init__(self, it_has_no_constructor: typing.Never, /) -> None: ..."
        if "exposes a buffer interface" in item.text:
            yield "    def __buffer__(self, flags: builtins.int, /) -> builtins.memoryview: ..."
        yield "    ..."

    def member_lines(self, member: Member, in_class: bool = True) -> Iterator[str]:
        if member.kind == "class":
            yield f"{member.name} = {member.text}"
        elif member.kind == "value":
            annotation = self._type(member.text)
            yield f"{member.name}: typing.ClassVar[{annotation}]" if in_class else f"{member.name}: {annotation}"
        elif member.kind == "property":
            yield from self._property_lines(member)
        elif member.kind == "static property":
            yield f"{member.name}: typing.ClassVar[{self._returned(member)}]"
        elif member.kind == "python":
            yield f"def {member.name}(*arguments: {UNKNOWN}) -> {UNKNOWN}: ..."
        else:
            yield from self._function_lines(member, in_class)

    def _property_lines(self, member: Member) -> Iterator[str]:
        yield "@property"
        yield f"def {member.name}(self) -> {self._returned(member)}: ..."
        if member.setter:
            taken = [signature.parameters[-1] for signature in signatures_in(member.setter)]
            annotation = self._annotation(taken[0]) if taken else UNKNOWN
            yield f"@{member.name}.setter"
            yield f"def {member.name}(self, value: {annotation}) -> None: ..."

    def _function_lines(self, member: Member, in_class: bool) -> Iterator[str]:
        static = member.kind == "static" or not in_class
        for signature in member.signatures:
            if member.kind == "static":
                yield "@staticmethod"
            if len(member.signatures) > 1:
                yield "@typing.overload"
            parameters = ", ".join(self._parameters(signature, static))
            yield f"def {member.name}({parameters}) -> {self._result(member, signature)}: ..."

    def _parameters(self, signature: Signature, static: bool) -> Iterator[str]:
        if not static:
            yield "self"
        given = signature.parameters if static else signature.parameters[1:]
        unnamed = [bool(re.fullmatch(r"arg\d+", parameter.name)) for parameter in given]
        for index, parameter in enumerate(given):
            # pybind11 lets a parameter without a default follow one with; such a default cannot be left to itself
            default = " = ..." if all(later.default for later in given[index:]) else ""
            name = parameter.name + "_" * keyword.iskeyword(parameter.name)
            yield f"{name}: {self._annotation(parameter)}{default}"
            if unnamed[index] and not any(unnamed[index + 1 :]):
                yield "/"

    def _annotation(self, parameter: Parameter) -> str:
        annotation = self._type(parameter.annotation)
        return f"{annotation} | None" if parameter.default == "None" else annotation

    def _result(self, member: Member, signature: Signature) -> str:
        result = self._type(signature.returns)
        may_fail = member.name.startswith(MAY_FAIL) and result in self._classes
        return f"{result} | None" if may_fail or signature.may_return_none else result

    def _returned(self, member: Member) -> str:
        return self._type(member.signatures[0].returns) if member.signatures else UNKNOWN

    def _type(self, text: str) -> str:
        """The type as Python writes it, `object` where pybind11 had no Python name for it."""
        written = re.sub(r"[A-Za-z_][\w.:]*", lambda found: self._name(found[0]), text)
        written = BARE.get(written, written)
        known = "<" not in written and "?" not in written and written not in UNTYPED_GENERICS
        return written if written and known else UNKNOWN

    def _name(self, name: str) -> str:
        if name.startswith(KNOWN_MODULES):
            return name
        last = re.split(r"::|tensorrt_bindings\.tensorrt\.", name)[-1]
        # C++ calls `IParserError` what Python calls `ParserError`
        candidates = (NAMES.get(name), last, last.removeprefix("I"))
        return next((item for item in candidates if item is not None and self._is_known(item)), "?")

    def _is_known(self, name: str) -> bool:
        return name in self._classes or name in NAMES.values()
