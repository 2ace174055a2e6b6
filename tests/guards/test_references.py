"""Docstrings refer to functions, classes and modules that exist.

A reference to something that was renamed or moved sends its reader on a search.
"""

import ast
import re
from functools import cache

from eventstore.api.faces import sync
from tests.guards.source import PROJECT
from tests.guards.test_words import exists

ROLE = re.compile(r":(?:func|class|meth|data|attr|exc):`~?([\w.]+)`")
PLACE = re.compile(r"``((?:[a-z]\w*\.)+\w+)``")
"""Something in a room of the library, or a call of a store."""
BEFORE = frozenset({"conversing", "projections", "runtime", "reading"})
"""Rooms that are gone."""


def test_docstrings_refer_to_what_exists():
    found = [
        f"{file}: {name}"
        for file, text in _files()
        for name in [*ROLE.findall(text), *filter(_is_place, PLACE.findall(text))]
        if not _stands(name, file)
    ]
    assert not found, "\n".join(["These do not exist:", *found])


def _files():
    for path in sorted((PROJECT / "eventstore").rglob("*.py")):
        yield path.relative_to(PROJECT).as_posix(), path.read_text(encoding="utf-8")


@cache
def _rooms():
    return BEFORE | {one.name for one in (PROJECT / "eventstore").iterdir() if one.is_dir()}


def _is_place(name):
    room, *rest = name.split(".")
    resource = getattr(sync, room.capitalize(), None)  # some are named as rooms are
    return room in _rooms() and not hasattr(resource, rest[0])


def _stands(name, file):
    """Whether a name is one of its file, or leads to one of another file."""
    if "." not in name:
        return name in _names(file)
    whole = name if name.startswith("eventstore.") else f"eventstore.{name}"
    module, rest = whole, list[str]()
    while not exists(module, PROJECT) and "." in module:
        module, _, last = module.rpartition(".")
        rest.insert(0, last)
    if module == "eventstore" and not name.startswith("eventstore."):
        return rest[0] in _names(file)  # such as Class.method
    path = module.replace(".", "/")
    within = f"{path}.py" if (PROJECT / f"{path}.py").exists() else f"{path}/__init__.py"
    return not rest or rest[0] in _names(within)


@cache
def _names(file):
    """Every name that a module binds."""
    names = set()
    for node in ast.walk(ast.parse((PROJECT / file).read_text(encoding="utf-8"))):
        match node:
            case ast.FunctionDef(name) | ast.AsyncFunctionDef(name) | ast.ClassDef(name):
                names.add(name)
            case ast.Name(name) | ast.arg(name) | ast.Attribute(attr=name):
                names.add(name)
            case ast.alias(name, other):
                names.add(other or name)
    return names
