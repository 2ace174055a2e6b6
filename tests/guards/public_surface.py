"""Writes down what a user of the library can type, one line for each thing.

The lines are kept in `public_surface.txt`, so a change of the public surface is a visible diff in
the commit that makes it. Write them anew with

    python -m tests.guards.public_surface

The stores are opened in memory and looked at, rather than read: what counts is what a user finds on
them, however it came to be there.
"""

import asyncio
import dataclasses
import inspect
import re
from collections.abc import Callable, Iterator
from operator import attrgetter
from pathlib import Path
from types import ModuleType

import eventstore
from eventstore import encryption, read_models

FILE = Path(__file__).with_name("public_surface.txt")
FACES = ("ConversationStore", "AsyncConversationStore")
MADE_BY_THE_STORE = (*FACES, "Projection", "Tables", "WritableTables")


def surface() -> str:
    """The whole public surface as text."""
    lines = [line for name in sorted(eventstore.__all__) for line in _exported(eventstore, name)]
    lines += ["", "# eventstore.read_models"]
    for name in sorted(read_models.__all__):
        lines += [*_exported(read_models, name), *_methods_of_class(getattr(read_models, name))]
    lines += ["", "# eventstore.encryption"]
    for name in sorted(encryption.__all__):
        lines += [*_exported(encryption, name), *_methods_of_class(getattr(encryption, name))]
    for face in FACES:
        lines += ["", f"# {face}", *face_lines(face)]
    return "\n".join(["# eventstore", *lines, ""])


def face_lines(face: str) -> list[str]:
    """The methods of a store and of its resources, with their signatures."""
    return [f"{face}.{name}{signature(method)}" for name, method in face_methods(face).items()]


def face_methods(face: str) -> dict[str, Callable[..., object]]:
    """`{"messages.create": <method>, …}` of an open store."""
    cls = getattr(eventstore, face)
    return asyncio.run(_async_methods(cls)) if face.startswith("Async") else _sync_methods(cls)


def undocumented() -> list[str]:
    """Public classes, functions and methods of the stores that say nothing about themselves."""
    exported = (
        (name, getattr(module, name))
        for module in (eventstore, read_models, encryption)
        for name in sorted(module.__all__)
    )
    things = [(name, thing) for name, thing in exported if _is_definition(thing)]
    methods = [(f"{face}.{name}", m) for face in FACES for name, m in face_methods(face).items()]
    return [name for name, thing in (*things, *methods) if not inspect.getdoc(thing)]


def signature(function: Callable[..., object]) -> str:
    """A signature on one line, the same on every Python and in every process."""
    words = str(_unquoted(inspect.signature(function)))
    return f"{_stable(words)}{_manner(function)}"


def _stable(words: str) -> str:
    words = re.sub(
        r"\b(?:[a-z_]\w*\.)+(?=[A-Za-z_])", "", words
    )  # where a type lives is our affair
    return re.sub(r"<([\w.]+)[^<>]* at 0x[0-9a-f]+>", r"<\1>", words)


class _Bare(str):
    """An annotation that is still a string, shown without quotes."""

    __slots__ = ()
    __repr__ = str.__str__


def _unquoted(found: inspect.Signature) -> inspect.Signature:
    def bare(annotation: object) -> object:
        return _Bare(annotation) if isinstance(annotation, str) else annotation

    parameters = [p.replace(annotation=bare(p.annotation)) for p in found.parameters.values()]
    return found.replace(parameters=parameters, return_annotation=bare(found.return_annotation))


def _manner(function: Callable[..., object]) -> str:
    if inspect.iscoroutinefunction(function):
        return "  [await]"
    return "  [async for]" if inspect.isasyncgenfunction(function) else ""


async def _async_methods(cls: type) -> dict[str, Callable[..., object]]:
    async with cls.open("sqlite://") as store:  # type: ignore[attr-defined]
        return dict(_methods_of_store(store))


def _sync_methods(cls: type) -> dict[str, Callable[..., object]]:
    with cls.open("sqlite://") as store:  # type: ignore[attr-defined]
        return dict(_methods_of_store(store))


def _methods_of_store(store: object) -> Iterator[tuple[str, Callable[..., object]]]:
    for name in _public(store):
        value = getattr(store, name)
        if inspect.isroutine(value):
            yield name, value
        elif type(value).__module__.startswith("eventstore.api.faces"):
            methods = ((method, getattr(value, method)) for method in _public(value))
            yield from (
                (f"{name}.{m}", method) for m, method in methods if inspect.isroutine(method)
            )


def _exported(module: ModuleType, name: str) -> Iterator[str]:
    """The lines of one exported name: a class with its fields, a function with its signature."""
    thing = getattr(module, name)
    if inspect.isclass(thing):
        bases = ", ".join(base.__name__ for base in thing.__bases__)
        yield f"class {name}({bases.replace('[TypeVar]', '[~T]')})"  # as pydantic says on 3.13
        yield from (f"    {field}" for field in _fields(thing))
    elif inspect.isroutine(thing):
        yield f"def {name}{signature(thing)}"
    else:
        yield name


def _fields(cls: type) -> Iterator[str]:
    """What a value of this class holds, or how one is made where its fields are not declared."""
    if hasattr(cls, "model_fields"):
        for name, field in sorted(cls.model_fields.items()):
            yield f"{name}: {_type(field.annotation)}"
    elif dataclasses.is_dataclass(cls):
        for field in sorted(dataclasses.fields(cls), key=attrgetter("name")):
            yield f"{field.name}: {_type(field.type)}"
    elif hasattr(cls, "_fields"):  # of a named tuple
        for name in cls._fields:
            yield f"{name}: {_type(cls.__annotations__[name])}"
    elif "__init__" in vars(cls) and cls.__name__ not in MADE_BY_THE_STORE:
        yield f"__init__{signature(vars(cls)['__init__'])}"


def _methods_of_class(thing: object) -> Iterator[str]:
    """What is called on a read model, or on the tables that its rule is given."""
    if not inspect.isclass(thing) or hasattr(thing, "_fields") or hasattr(thing, "model_fields"):
        return
    for name in _public(thing):
        value = inspect.getattr_static(thing, name)
        value = value.__func__ if isinstance(value, classmethod) else value
        shown = signature(value) if inspect.isroutine(value) else ""
        yield f"    {name}{shown}"


def _type(annotation: object) -> str:
    annotation = getattr(annotation, "__forward_arg__", annotation)
    return _stable(
        annotation if isinstance(annotation, str) else inspect.formatannotation(annotation)
    )


def _is_definition(thing: object) -> bool:
    return inspect.isclass(thing) or inspect.isroutine(thing)


def _public(thing: object) -> list[str]:
    return [name for name in dir(thing) if not name.startswith("_")]


if __name__ == "__main__":
    FILE.write_text(surface(), encoding="utf-8")
    print(f"Wrote {FILE.name}; the diff is what changes for users.")  # noqa: T201  a command's answer
