"""Writes down what a user of the test kit can type: `eventstore.testing` and its schedules.

The lines are kept in `testing_surface.txt`, as those of the library are in `public_surface.txt`.
Write them anew with

    python -m tests.guards.testing_surface
"""

import ast
import dataclasses
import inspect
import re
import textwrap
from collections.abc import Iterator
from enum import Enum
from itertools import pairwise
from pathlib import Path
from types import ModuleType

import eventstore.testing
from eventstore.testing import schedules
from tests.guards.public_surface import signature

FILE = Path(__file__).with_name("testing_surface.txt")
MODULES = (eventstore.testing, schedules)

# Of these a user overrides a few things; the rest are tests and rules, which come and go.
OVERRIDDEN = {
    "ConformanceSuite": ("lasting", "opened", "parallel"),
    "ConversationMachine": ("open_store", "threads_max"),
}


def surface() -> str:
    """The whole public surface of the kit as text."""
    lines = []
    for module in MODULES:
        lines += [f"# {module.__name__}", *_lines(module), ""]
    return "\n".join(lines)


def _lines(module: ModuleType) -> Iterator[str]:
    for name in sorted(module.__all__):
        thing = getattr(module, name)
        if module is schedules and thing in _of_the_kit():
            continue
        if inspect.isclass(thing):
            yield f"class {name}{_arguments(thing)}"
            yield from (f"    {member}" for member in _members(name, thing))
        else:
            yield f"def {name}{signature(thing)}"


def _of_the_kit() -> list[object]:
    """What stands in the first list; the second one does not repeat it."""
    return [getattr(eventstore.testing, name) for name in eventstore.testing.__all__]


def _arguments(cls: type) -> str:
    """How one is made, where a user makes one."""
    if issubclass(cls, Exception):
        return f"({cls.__bases__[0].__name__})"
    if inspect.isabstract(cls) or cls.__name__ in OVERRIDDEN or _is_a_kind(cls):
        return ""
    words = re.sub(r" -> .*", "", signature(cls))
    return re.sub(r"ForwardRef\('(.*?)'\)", r"\1", words)


def _members(name: str, cls: type) -> Iterator[str]:
    fields = {f.name for f in dataclasses.fields(cls)} if dataclasses.is_dataclass(cls) else set()
    fields |= set(getattr(cls, "_fields", ()))  # of a named tuple
    for member in OVERRIDDEN.get(name, tuple(methods(cls))):
        value = inspect.getattr_static(cls, member, None)
        if member in fields:
            continue
        yield f"{member}{signature(getattr(cls, member))}" if _is_method(value) else member


def methods(cls: type) -> list[str]:
    """The public methods, properties and attributes that a class of ours defines."""
    ours = [base for base in cls.__mro__ if base.__module__.startswith("eventstore.")]
    return sorted({name for base in ours for name in vars(base) if not name.startswith("_")})


def _is_method(value: object) -> bool:
    return inspect.isroutine(value) or isinstance(value, classmethod | staticmethod)


def _is_a_kind(cls: type) -> bool:
    """Whether users look at its values or implement it, and make none by calling it."""
    return issubclass(cls, Enum) or bool(getattr(cls, "_is_protocol", False))


# -- what is not described -------------------------------------------------------------------------


def undescribed() -> Iterator[str]:
    """Whatever is public and says nothing, and each argument that no docstring describes."""
    for module in MODULES:
        for name in sorted(module.__all__):
            thing = getattr(module, name)
            if inspect.isclass(thing):
                yield from _undescribed_class(name, thing)
            else:
                yield from _undescribed_function(name, thing)


def _undescribed_class(name: str, cls: type) -> Iterator[str]:
    if not cls.__doc__ or cls.__doc__.startswith(f"{name}("):  # as dataclasses write it
        yield name
    if "__init__" in vars(cls) and not dataclasses.is_dataclass(cls) and _is_made_by_users(cls):
        yield from _arguments_left_out(name, cls, cls.__doc__ or "")
    members = OVERRIDDEN.get(name, tuple(methods(cls)))
    for member in members:
        value = inspect.getattr_static(cls, member, None)
        if _is_method(value):
            yield from _undescribed_function(f"{name}.{member}", getattr(cls, member))
        elif isinstance(value, property) and not value.__doc__:
            yield f"{name}.{member}"
    described = _described_fields(cls)
    yield from (f"{name}.{field}" for field in _declared(cls) if field not in described)


def _is_made_by_users(cls: type) -> bool:
    made_by_the_kit = {"Given", "Outcome", *OVERRIDDEN}
    return cls.__name__ not in made_by_the_kit and not _is_a_kind(cls)


def _undescribed_function(name: str, function: object) -> Iterator[str]:
    words = inspect.getdoc(function) or ""
    if not words:
        yield name
    yield from _arguments_left_out(name, function, words)


def _arguments_left_out(name: str, function: object, words: str) -> Iterator[str]:
    for argument in inspect.signature(function).parameters:  # type: ignore[arg-type]
        if argument != "self" and not re.search(rf"^ +{argument}: \S", words, re.MULTILINE):
            yield f"{name}({argument})"


def _declared(cls: type) -> list[str]:
    """The fields that a class declares itself, public ones."""
    return [
        node.target.id
        for node in _body(cls)
        if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name)
        if not node.target.id.startswith("_")
    ]


def _described_fields(cls: type) -> set[str]:
    """Those with a docstring of their own on the lines after them."""
    body = _body(cls)
    return {
        node.target.id
        for node, after in pairwise(body)
        if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name)
        if isinstance(after, ast.Expr) and isinstance(after.value, ast.Constant)
    }


def _body(cls: type) -> list[ast.stmt]:
    [definition] = ast.parse(textwrap.dedent(inspect.getsource(cls))).body
    assert isinstance(definition, ast.ClassDef)
    return definition.body


if __name__ == "__main__":
    FILE.write_text(surface(), encoding="utf-8")
    print(f"Wrote {FILE.name}; the diff is what changes for users.")  # noqa: T201  a command's answer
