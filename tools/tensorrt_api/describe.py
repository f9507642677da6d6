"""Print what NVIDIA's bindings hold, as JSON: run in a process of its own, since two versions have the same name.

Standard library only. pybind11 writes each signature into the docstring, so docstrings are what is printed of
functions; `api.py` reads them.
"""

import json
import sys
from collections.abc import Iterator
from types import BuiltinFunctionType, FunctionType, ModuleType
from typing import TypeGuard

FUNCTIONS = ("instancemethod", "builtin_function_or_method")
IGNORED = ("__doc__", "__getstate__", "__setstate__")
PACKAGE = "tensorrt_bindings"


def main() -> int:
    import tensorrt_bindings  # type: ignore[import-not-found]  # only ever there in the process that this file is for

    json.dump(describe(tensorrt_bindings), sys.stdout)
    return 0


def describe(module: ModuleType) -> dict[str, object]:
    """`version`, `members` of the module, and `classes`: qualified name to `bases`, `text` and `members`."""
    top = [(name, getattr(module, name)) for name in dir(module)]
    classes = {item.__qualname__: item for item in every_class([item for _, item in top])}
    return {
        "version": module.__version__,
        "members": [member for name, item in top for member in maybe_member(name, item)],
        "classes": {
            name: {
                "bases": [base.__qualname__ for base in item.__bases__ if base.__qualname__ in classes],
                "text": item.__doc__ or "",
                "members": [member for key, value in vars(item).items() for member in maybe_member(key, value)],
            }
            for name, item in classes.items()
        },
    }


def every_class(items: list[object]) -> Iterator[type]:
    for item in items:
        if is_class(item):
            yield item
            yield from every_class([inner for inner in vars(item).values() if is_class(inner) and inner is not item])


def is_class(item: object) -> TypeGuard[type]:
    return isinstance(item, type) and item.__module__.startswith(PACKAGE)


def maybe_member(name: str, item: object) -> Iterator[dict[str, object]]:
    """One member, or nothing for what no caller uses."""
    if name in IGNORED or name.startswith("_pybind11"):
        return
    if isinstance(item, property):
        kind = "property" if type(item) is property else "static property"
        getter, setter = (getattr(function, "__doc__", None) or "" for function in (item.fget, item.fset))
        yield {"name": name, "kind": kind, "text": getter, "setter": setter}
    elif isinstance(item, staticmethod):
        yield {"name": name, "kind": "static", "text": item.__func__.__doc__ or ""}
    elif type(item).__name__ in FUNCTIONS or isinstance(item, BuiltinFunctionType):
        yield {"name": name, "kind": "function", "text": item.__doc__ or ""}
    elif isinstance(item, FunctionType) and not name.startswith("_"):
        yield {"name": name, "kind": "python", "text": ""}
    elif is_class(item):
        yield {"name": name, "kind": "class", "text": item.__qualname__}
    elif is_class(type(item)) or (isinstance(item, str) and name == "__version__"):
        yield {"name": name, "kind": "value", "text": type(item).__qualname__}


if __name__ == "__main__":
    raise SystemExit(main())
