"""The text of a face, from a plan and the operations."""

from __future__ import annotations

import ast
import builtins
import re
import textwrap
from dataclasses import dataclass
from typing import Final

from scripts.faces.operations import (
    SHARED,
    Docstring,
    Operation,
    Parameter,
    defined_in,
    module_of,
    operation_of,
    shared_options,
)
from scripts.faces.plan import PLANNED, RESOURCES, Resource

LINE: Final = 100


@dataclass(frozen=True)
class Face:
    """The way to write methods on one face."""

    file: str
    about: str
    prefix: str
    base_module: str
    runner_module: str
    runner: str
    connection: str
    page: str
    iterator: str
    follower: str
    block: str
    coroutine: bool


SYNC: Final = Face(
    "sync.py",
    "The resources of the sync face, written from the operations by `python -m scripts.faces`.",
    "",
    "eventstore.api.faces.sync_base",
    "eventstore.api.faces.sync_runner",
    "SyncRunner",
    "Connection",
    "Page",
    "Iterator",
    "Following",
    "AbstractContextManager",
    coroutine=False,
)
ASYNC: Final = Face(
    "asynchronous.py",
    "The resources of the async face, written from the operations by `python -m scripts.faces`.",
    "Async",
    "eventstore.api.faces.async_base",
    "eventstore.api.faces.async_runner",
    "AsyncRunner",
    "AsyncConnection",
    "AsyncPage",
    "AsyncIterator",
    "AsyncIterator",
    "AbstractAsyncContextManager",
    coroutine=True,
)

_RETURNS: Final = re.compile(
    r"(Write|Read|Collected|Paged|Subscribe|Follow|Await)\[(.*)\]\Z", re.DOTALL
)
_ORIGINS: Final = {
    "Iterator": "from collections.abc import Iterator",
    "AsyncIterator": "from collections.abc import AsyncIterator",
    "AbstractContextManager": "from contextlib import AbstractContextManager",
    "AbstractAsyncContextManager": "from contextlib import AbstractAsyncContextManager",
    "Following": "from eventstore.api.faces.following import Following",
    "Page": "from eventstore.api.faces.pages import Page",
    "AsyncPage": "from eventstore.api.faces.pages import AsyncPage",
    "Handle": "from eventstore.api.faces.handles import Handle",
    "Batch": "from eventstore.api.batches import Batch",
    "RecordedRun": "from eventstore.api.faces.recorded import RecordedRun",
    "AsyncRecordedRun": "from eventstore.api.faces.recorded import AsyncRecordedRun",
    "Connection": "from sqlalchemy import Connection",
    "builtins": "import builtins",
}
_BLOCKS: Final = {"Batch": ("Batch", "_collecting"), "Recording": ("RecordedRun", "_recorded")}
"""By what an operation returns: what a ``with`` block gets, and the method that makes the block."""
_BUILTIN: Final = frozenset(dir(builtins))


class _File:
    """Collects the text of a file and the names that it needs."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        self.imports: set[str] = set()
        self.type_variables: set[str] = set()

    def needs(self, expression: str, module: str) -> None:
        """Import every name of an annotation or a default, as its own module does."""
        for node in ast.walk(ast.parse(expression, mode="eval")):
            if isinstance(node, ast.Name):
                self._need(node.id, module)

    def _need(self, name: str, module: str) -> None:
        if name == "AsyncConnection":
            return  # for type checkers alone: see `header`
        origin = _ORIGINS.get(name) or module_of(module)[1].get(name)
        if origin is not None and origin.endswith(f" import {name}") and _is_type_variable(origin):
            self.type_variables.add(name)
        elif origin is not None:
            self.imports.add(origin)
        elif name not in _BUILTIN:
            message = f"{module} uses {name}, and nobody knows where it comes from"
            raise SystemExit(message)


def _is_type_variable(origin: str) -> bool:
    words = origin.split()
    if words[0] != "from" or not words[1].startswith("eventstore"):
        return False
    tree, _ = module_of(words[1])
    return any(
        isinstance(node, ast.Assign)
        and isinstance(node.value, ast.Call)
        and isinstance(node.value.func, ast.Name)
        and node.value.func.id == "TypeVar"
        and words[-1] in list(defined_in(node))
        for node in tree.body
    )


def face_text(face: Face) -> str:
    """Return the text of one face's file."""
    file = _File()
    for resource in RESOURCES:
        file.lines += _class(file, resource, face)
    file.lines += _resources(file, face)
    names = [f"{face.prefix}{one}" for one in ("Resources", *[one.name for one in RESOURCES])]
    bases = sorted({f"{face.prefix}{one.base}" for one in RESOURCES})
    file.imports.update(f"from {face.base_module} import {base}" for base in bases)
    return _whole(file, face.about, names, with_async=face.coroutine)


def _resources(file: _File, face: Face) -> list[str]:
    """Return the class with an attribute for each resource, of which the store is one."""
    file.imports.add(f"from {face.runner_module} import {face.runner}")
    parts = {part for one in RESOURCES for part in one.parts.values()}
    made = [one for one in RESOURCES if one.name not in parts]
    lines = [f"class {face.prefix}Resources:", '    """The attributes of a store."""', ""]
    lines += [
        f"    def __init__(self, runner: {face.runner}) -> None:",
        "        self._runner = runner",
    ]
    lines += [f"        self._{one.name.lower()} = {face.prefix}{one.name}(runner)" for one in made]
    for one in made:
        lines += [
            "",
            "    @property",
            f"    def {one.name.lower()}(self) -> {face.prefix}{one.name}:",
        ]
        lines += [f'        """{one.purpose}"""', f"        return self._{one.name.lower()}"]
    return [*lines, ""]


def planned_text() -> str:
    """Return the text of the batch's file."""
    file = _File()
    for resource in PLANNED:
        file.lines += _planned_class(file, resource)
    file.imports.add("from eventstore.api.faces.batch_base import BatchPart")
    file.imports.add("from eventstore.api.faces.handles import Handle")
    about = "The methods of a batch, written from the operations by `python -m scripts.faces`."
    return _whole(file, about, [one.name for one in PLANNED], with_async=False)


def _whole(file: _File, about: str, names: list[str], *, with_async: bool) -> str:
    head = [f'"""{about}"""', "", "from __future__ import annotations", ""]
    head += sorted(file.imports)
    if with_async:
        head += ["from typing import TYPE_CHECKING", ""]
        head += ["if TYPE_CHECKING:", "    from sqlalchemy.ext.asyncio import AsyncConnection", ""]
    if file.type_variables:
        head.insert(4, "from typing import TypeVar")
    head += ["", f"__all__ = {sorted(names)!r}", ""]
    head += [f'{name} = TypeVar("{name}")' for name in sorted(file.type_variables)]
    return "\n".join([*head, "", *file.lines, ""])


def _class(file: _File, resource: Resource, face: Face) -> list[str]:
    lines = [f"class {face.prefix}{resource.name}({face.prefix}{resource.base}):"]
    lines += [f'    """{resource.purpose}"""', ""]
    for name, part in resource.parts.items():
        lines += ["    @property", f"    def {name}(self) -> {face.prefix}{part}:"]
        purpose = next(one.purpose for one in RESOURCES if one.name == part)
        lines += [f'        """{purpose}"""']
        lines += [f"        return {face.prefix}{part}(self._runner)", ""]
    hides_list = "list" in resource.methods
    for name, target in resource.methods.items():
        lines += _method(file, name, operation_of(target), face, hides_list=hides_list)
    return [*lines, ""]


def _method(
    file: _File, name: str, operation: Operation, face: Face, *, hides_list: bool
) -> list[str]:
    kind, result = _result(operation, face)
    shared = () if operation.options is None else shared_options(operation.options)
    parameters = _signature(file, operation, shared, face, hides_list=hides_list)
    for annotation in (result, *(one.annotation for one in operation.keyword)):
        file.needs(annotation, operation.module)
    shown = _unhidden(result) if hides_list else result
    if "builtins." in shown:
        file.imports.add("import builtins")
    awaits = face.coroutine and kind not in {"Paged", "Subscribe", "Follow", *_BLOCKS}
    lines = [f"    {'async ' if awaits else ''}def {name}({parameters}) -> {shown}:"]
    lines += _doc_lines(operation, shared)
    room, _, module = operation.module.rpartition(".")
    file.imports.add(f"from {room} import {module} as _{module}")
    if shared:
        file.imports.add(f"from {SHARED} import {operation.options}")
    return [*lines, *_body(name, kind, operation, face), ""]


def _result(operation: Operation, face: Face) -> tuple[str, str]:
    if operation.returns in _BLOCKS:
        prefix = "" if operation.returns == "Batch" else face.prefix
        return operation.returns, f"{face.block}[{prefix}{_BLOCKS[operation.returns][0]}]"
    matched = _RETURNS.match(operation.returns)
    assert matched is not None, f"{operation.function} returns {operation.returns}"
    kind, made = matched.groups()
    if kind in {"Paged", "Subscribe", "Follow"}:
        return kind, f"{face.iterator if kind == 'Paged' else face.follower}[{made}]"
    if kind == "Read" and made.startswith("PageOf["):
        return "Page", f"{face.page}[{made.removeprefix('PageOf[')}"
    return kind, made


def _unhidden(annotation: str) -> str:
    """Name the type `list` in a class that has a method of that name."""
    return re.sub(r"(?<![\w.])list\[", "builtins.list[", annotation)


def _signature(
    file: _File,
    operation: Operation,
    shared: tuple[Parameter, ...],
    face: Face | None,
    *,
    hides_list: bool,
) -> str:
    def written(one: Parameter) -> str:
        annotation = one.annotation
        if one.name == "connection" and face is not None:
            annotation = f"{face.connection} | None"
        file.needs(annotation, SHARED if one in shared else operation.module)
        if one.default is not None:
            file.needs(one.default, SHARED if one in shared else operation.module)
        if hides_list:
            annotation = _unhidden(annotation)
        return f"{one.name}: {annotation}" + (f" = {one.default}" if one.default else "")

    named = [*operation.keyword, *shared]
    words = ["self", *map(written, operation.positional)]
    if operation.variadic is not None:
        words.append("*" + written(operation.variadic))
    elif named:
        words.append("*")
    return ", ".join([*words, *map(written, named)])


def _doc_lines(operation: Operation, shared: tuple[Parameter, ...]) -> list[str]:
    doc = operation.doc
    described = {**doc.arguments, **{one.name: one.described for one in shared}}
    lines = _wrapped(doc.text)
    if described:
        lines += ["", "Args:"]
        for name, said in described.items():
            lines += textwrap.wrap(
                f"{name}: {said}", LINE - 8, initial_indent=" " * 4, subsequent_indent=" " * 8
            )
    for section, words in doc.sections.items():
        lines += ["", f"{section}:", *words.rstrip().splitlines()]
    indented = [f"        {line}".rstrip() for line in lines]
    if len(lines) == 1:
        return [f'        """{lines[0]}"""']
    return [f'        """{lines[0]}', *indented[1:], '        """']


def _wrapped(text: str) -> list[str]:
    """Wrap paragraphs for their new indentation; indented lines are code, and stay."""
    lines: list[str] = []
    for paragraph in text.split("\n\n"):
        lines += [] if not lines else [""]
        if paragraph.startswith(" "):
            lines += paragraph.splitlines()
        else:
            lines += textwrap.wrap(" ".join(paragraph.split()), LINE - 8)
    return lines


def _call(operation: Operation, shared: tuple[Parameter, ...], first: str, *skip: str) -> str:
    words = [first]
    words += [one.name for one in operation.positional if one.name not in skip]
    if operation.variadic is not None:
        words.append(f"*{operation.variadic.name}")
    words += [f"{one.name}={one.name}" for one in operation.keyword]
    if shared:
        named = ", ".join(f"{one.name}={one.name}" for one in shared)
        words.append(f"options={operation.options}({named})")
    module = operation.module.rpartition(".")[2]
    return f"_{module}.{operation.function}({', '.join(words)})"  # an argument may bear its name


def _body(name: str, kind: str, operation: Operation, face: Face) -> list[str]:
    shared = () if operation.options is None else shared_options(operation.options)
    call = _call(operation, shared, "self._scope")
    awaits = "await " if face.coroutine else ""
    if kind in _BLOCKS:
        return [f"        return self.{_BLOCKS[kind][1]}({call})"]
    if kind in {"Paged", "Subscribe", "Follow"}:
        how = "_each" if kind == "Paged" else "_following"
        return [f"        return self.{how}({call})"]
    if kind == "Page":
        again = ", ".join(
            [one.name for one in operation.positional]
            + [
                "after=cursor" if one.name == "after" else f"{one.name}={one.name}"
                for one in operation.keyword
            ]
        )
        page = f"{awaits}self._perform({call})"
        return [f"        return {face.page}.of({page}, lambda cursor: self.{name}({again}))"]
    how = {"Write": "_write", "Await": "_awaited"}.get(kind, "_perform")
    return [f"        return {awaits}self.{how}({call})"]


def _planned_class(file: _File, resource: Resource) -> list[str]:
    lines = [f"class {resource.name}(BatchPart):", f'    """{resource.purpose}"""', ""]
    for name, part in resource.parts.items():
        purpose = next(one.purpose for one in PLANNED if one.name == part)
        lines += ["    @property", f"    def {name}(self) -> {part}:"]
        lines += [f'        """{purpose}"""', f"        return {part}(self._batch)", ""]
    for name, target in resource.methods.items():
        lines += _planned_method(file, name, operation_of(target))
    return [*lines, ""]


def _planned_method(file: _File, name: str, operation: Operation) -> list[str]:
    matched = _RETURNS.match(operation.returns)
    assert matched is not None
    made = matched[2]
    file.needs(made, operation.module)
    rest = Operation(
        operation.module,
        operation.function,
        tuple(one for one in operation.positional if one.name != "thread_id"),
        operation.variadic,
        operation.keyword,
        None,
        operation.returns,
        Docstring(
            operation.doc.text,
            {key: said for key, said in operation.doc.arguments.items() if key != "thread_id"},
            operation.doc.sections,
        ),
    )
    parameters = _signature(file, rest, (), None, hides_list=False)
    room, _, module = operation.module.rpartition(".")
    file.imports.add(f"from {room} import {module} as _{module}")
    words = ["self._batch.scope", "self._batch.thread_id"]
    words += [one.name for one in rest.positional]
    words += [f"{one.name}={one.name}" for one in rest.keyword]
    call = f"_{module}.{operation.function}({', '.join(words)})"
    return [
        f"    def {name}({parameters}) -> Handle[{made}]:",
        *_doc_lines(rest, ()),
        f"        return self._batch.collect({call})",
        "",
    ]
