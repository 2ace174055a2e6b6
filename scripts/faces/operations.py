"""Reading an operation from its source: parameters, result, and a docstring in parts."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).parents[2]

SHARED: Final = "eventstore.api.operations.write_options"
"""The module that declares the options that many operations share."""


@cache
def module_of(name: str) -> tuple[ast.Module, dict[str, str]]:
    """Return the tree of a module, and the import statement behind each name that it imports."""
    path = ROOT.joinpath(*name.split("."))
    file = path.with_suffix(".py")
    tree = ast.parse((file if file.exists() else path / "__init__.py").read_text(encoding="utf-8"))
    origins: dict[str, str] = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and not node.level:
            for alias in node.names:
                origins[alias.asname or alias.name] = f"from {node.module} import {alias.name}" + (
                    f" as {alias.asname}" if alias.asname else ""
                )
        elif isinstance(node, ast.Import):
            for alias in node.names:
                origins[alias.asname or alias.name] = f"import {alias.name}"
    for node in tree.body:
        for defined in defined_in(node):
            origins.setdefault(defined, f"from {name} import {defined}")
    return tree, origins


def defined_in(node: ast.stmt) -> Iterator[str]:
    if isinstance(node, (ast.ClassDef, ast.FunctionDef)):
        yield node.name
    elif isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
        yield node.target.id
    elif isinstance(node, ast.Assign):
        yield from (target.id for target in node.targets if isinstance(target, ast.Name))


@dataclass(frozen=True)
class Parameter:
    """A parameter as it is written: annotation and default are source text."""

    name: str
    annotation: str
    default: str | None
    described: str = ""


@dataclass(frozen=True)
class Docstring:
    """A docstring in parts: its text, its arguments, and the sections behind them."""

    text: str
    arguments: dict[str, str]
    sections: dict[str, str]


@dataclass(frozen=True)
class Operation:
    """The parts of an operation's source."""

    module: str
    function: str
    positional: tuple[Parameter, ...]
    variadic: Parameter | None
    keyword: tuple[Parameter, ...]
    options: str | None
    """The class of the shared options, None for an operation without."""
    returns: str
    doc: Docstring


def operation_of(target: str) -> Operation:
    module, _, function = target.rpartition(".")
    tree, _ = module_of(module)
    [found] = [
        node for node in tree.body if isinstance(node, ast.FunctionDef) and node.name == function
    ]
    taken = found.args
    defaults = [None] * (len(taken.args) - len(taken.defaults)) + list(taken.defaults)
    positional = [_parameter(a, d) for a, d in zip(taken.args, defaults, strict=True)]
    keyword = [_parameter(a, d) for a, d in zip(taken.kwonlyargs, taken.kw_defaults, strict=True)]
    everything = [*positional, *keyword]
    options = next((one.annotation for one in everything if one.name == "options"), None)
    doc = _docstring(ast.get_docstring(found) or "", target)
    named = {"scope", "options"}
    shown = [one for one in everything if one.name not in named]
    _check_described([one.name for one in shown], doc, target)
    assert found.returns is not None, f"{target} has no return annotation"
    return Operation(
        module,
        function,
        tuple(one for one in positional if one.name not in named),
        None if taken.vararg is None else _parameter(taken.vararg, None),
        tuple(one for one in keyword if one.name not in named),
        options,
        ast.unparse(found.returns),
        doc,
    )


def _parameter(argument: ast.arg, default: ast.expr | None) -> Parameter:
    assert argument.annotation is not None or argument.arg == "scope", argument.arg
    annotation = "" if argument.annotation is None else ast.unparse(argument.annotation)
    return Parameter(argument.arg, annotation, None if default is None else ast.unparse(default))


_SECTION: Final = re.compile(r"^(Args|Returns|Yields|Raises|Example):\n", re.MULTILINE)
_ARGUMENT: Final = re.compile(r"^    (\w+): ", re.MULTILINE)


def _docstring(text: str, target: str) -> Docstring:
    assert text, f"{target} has no docstring"
    said, *rest = _SECTION.split(f"{text}\n")
    sections = dict(zip(rest[::2], rest[1::2], strict=True))
    arguments = {}
    _, *described = _ARGUMENT.split(sections.pop("Args", ""))
    for name, words in zip(described[::2], described[1::2], strict=True):
        arguments[name] = " ".join(words.split())
    return Docstring(said.strip(), arguments, sections)


def _check_described(names: list[str], doc: Docstring, target: str) -> None:
    missing = [name for name in names if name not in doc.arguments]
    unknown = [name for name in doc.arguments if name not in names]
    if missing or unknown:
        message = f"{target}: Args lacks {missing}, and describes {unknown}, which it does not take"
        raise SystemExit(message)


@cache
def shared_options(options: str) -> tuple[Parameter, ...]:
    """Return the fields of a class of shared options, each with its docstring."""
    tree, _ = module_of(SHARED)
    [cls] = [node for node in tree.body if isinstance(node, ast.ClassDef) and node.name == options]
    fields = []
    for node, following in zip(cls.body, [*cls.body[1:], ast.Pass()], strict=True):
        if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
            assert isinstance(following, ast.Expr), f"{options}.{node.target.id} is not described"
            assert isinstance(following.value, ast.Constant)
            said = " ".join(str(following.value.value).split())
            default = None if node.value is None else ast.unparse(node.value)
            fields.append(Parameter(node.target.id, ast.unparse(node.annotation), default, said))
    return tuple(fields)
