"""Reads the library's modules as text, for the guards; imports none of them.

A module is read with `ast` and not imported, so that a wrong import is found even where it would
fail, hide behind `TYPE_CHECKING`, or stand inside a function.
"""

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

PROJECT = Path(__file__).resolve().parents[2]
PACKAGE = "eventstore"


@dataclass(frozen=True)
class Module:
    """One file of the library under its dotted name."""

    name: str
    is_package: bool
    tree: ast.Module

    @classmethod
    def parse(cls, name: str, text: str, *, is_package: bool = False) -> "Module":
        return cls(name, is_package, ast.parse(text, filename=name))

    @property
    def package(self) -> str:
        """Where this module's relative imports start from."""
        return self.name if self.is_package else self.name.rpartition(".")[0]


@dataclass(frozen=True)
class Reference:
    """A dotted name that a module mentions, and the line where it does."""

    target: str
    line: int


@cache
def modules() -> tuple[Module, ...]:
    """Every module of the library."""
    return tuple(_read(file) for file in sorted((PROJECT / PACKAGE).rglob("*.py")))


def _read(file: Path) -> Module:
    *folders, last = file.relative_to(PROJECT).with_suffix("").parts
    is_package = last == "__init__"
    name = ".".join(folders if is_package else [*folders, last])
    return Module.parse(name, file.read_text(encoding="utf-8"), is_package=is_package)


def imports(module: Module) -> Iterator[Reference]:
    """What a module imports, `from a import b` as `a.b`, wherever in the file it stands."""
    for node in ast.walk(module.tree):
        match node:
            case ast.Import(names=names):
                yield from (Reference(alias.name, node.lineno) for alias in names)
            case ast.ImportFrom(names=names):
                base = _base(module, node)
                yield from (Reference(f"{base}.{alias.name}", node.lineno) for alias in names)
            case ast.Call(args=[ast.Constant(value=str(name)), *_]) if _imports_by_name(node):
                yield Reference(name, node.lineno)


def uses(module: Module) -> Iterator[Reference]:
    """What a module mentions of what it imported: `import time as t; t.time` is `time.time`.

    A mention counts and not only a call: `default_factory=uuid4` calls it later.
    """
    bound = dict(_bindings(module))
    for node in ast.walk(module.tree):
        if isinstance(node, ast.Name | ast.Attribute):
            first, dot, rest = ast.unparse(node).partition(".")
            if first in bound:
                yield Reference(bound[first] + dot + rest, node.lineno)


def _bindings(module: Module) -> Iterator[tuple[str, str]]:
    """The names that imports bind, each with the dotted name it stands for."""
    for node in ast.walk(module.tree):
        match node:
            case ast.Import(names=names):
                for alias in names:
                    first = alias.name.partition(".")[0]
                    yield (alias.asname, alias.name) if alias.asname else (first, first)
            case ast.ImportFrom(names=names):
                base = _base(module, node)
                yield from ((alias.asname or alias.name, f"{base}.{alias.name}") for alias in names)


def _base(module: Module, node: ast.ImportFrom) -> str:
    """The absolute name of the module that a `from … import` names."""
    if not node.level:
        return node.module or ""
    parents = module.package.split(".")
    above = parents[: len(parents) - (node.level - 1)]
    return ".".join([*above, node.module] if node.module else above)


def _imports_by_name(call: ast.Call) -> bool:
    return ast.unparse(call.func).rpartition(".")[2] in {"import_module", "__import__"}
