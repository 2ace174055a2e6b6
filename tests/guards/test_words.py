"""Docstrings begin with a subject or a verb, and prose names only files that exist.

A docstring that opens with a question word ("What is left of …") makes its reader guess the
subject. A path that leads nowhere sends its reader looking for a file that was renamed.
"""

import ast
import io
import re
import tokenize
from collections.abc import Iterator
from functools import cache
from pathlib import Path, PurePosixPath

from tests.guards.source import PROJECT
from tests.guards.test_manners import project_files

RIDDLE = re.compile(r"\s*(What|Who|Whom|Whose|How|Hear|Tell|Return what)\b")

ROOMS = "eventstore|tests|docs|scripts|benchmarks|examples"
PATH = re.compile(
    rf"(?<![\w./:@*<>{{}}~…-])(?:(?:{ROOMS})/[\w./-]*\w|[\w-][\w./-]*\.(?:py|md))(?![\w*<>{{}}…/-])"
)
MODULE = re.compile(r":mod:`~?(eventstore[\w.]*)`")
VERSION_TAG = re.compile(r"/\d+$")
"""Ends a tag that the store hashes, such as ``eventstore/event/1``, which is no path."""
FENCED = re.compile(r"^( *)(`{3,}|~{3,}).*?^\1\2", re.MULTILINE | re.DOTALL)

OTHERS = {"env.py"}
"""Files of other projects: Alembic's."""


def test_docstrings_open_with_a_subject_or_a_verb():
    found = [
        f"{name}:{line}: {text.splitlines()[0]}"
        for name, tree in _library()
        for line, text in docstrings(tree)
        if RIDDLE.match(text)
    ]
    assert not found, "\n".join(["Say the subject or the verb first:", *found])


def test_prose_names_only_files_that_exist():
    found = [
        f"{file.relative_to(PROJECT)}:{line}: {name}"
        for file in project_files()
        if file.suffix in {".py", ".md"}
        for line, name in references(file)
        if not exists(name, file)
    ]
    assert not found, "\n".join(["These files do not exist:", *found])


def docstrings(tree: ast.Module) -> Iterator[tuple[int, str]]:
    """Yield line and text of each docstring, those of attributes included."""
    for node in ast.walk(tree):
        body = getattr(node, "body", None)
        for statement in body if isinstance(body, list) else []:
            match statement:
                case ast.Expr(value=ast.Constant(value=str(text))):
                    yield statement.lineno, text


def references(file: Path) -> Iterator[tuple[int, str]]:
    """Yield line and name of each file that a file's prose names; code is not prose."""
    text = file.read_text(encoding="utf-8")
    if all(exists(name, file) for _, name in _named(1, text)):
        return  # the usual case; parsing every module would take seconds
    for first, prose in _page(text) if file.suffix == ".md" else _prose(text):
        yield from _named(first, prose)


def _named(first: int, prose: str) -> Iterator[tuple[int, str]]:
    """Yield line and name of each path and each module in a text."""
    for found in [*PATH.finditer(prose), *MODULE.finditer(prose)]:
        name = found[1] if found.re is MODULE else found[0]
        if not VERSION_TAG.search(name):
            yield first + prose.count("\n", 0, found.start()), name


def exists(name: str, beside: Path) -> bool:
    """Return whether a path leads somewhere, from the project, a folder of it, or the file."""
    if name.startswith("eventstore.") or name == "eventstore":
        module = name.replace(".", "/")
        return module in _places() or f"{module}.py" in _places()
    here = beside.parent / name
    return PurePosixPath(name).name in OTHERS or name in _places() or here.exists()


@cache
def _places() -> frozenset[str]:
    """Return every end of the path of every file and folder of the project."""
    places = set()
    for file in project_files():
        path = file.relative_to(PROJECT)
        for place in [path, *path.parents]:
            places |= {"/".join(place.parts[start:]) for start in range(len(place.parts))}
    return frozenset(places)


def _library() -> Iterator[tuple[str, ast.Module]]:
    for file in sorted((PROJECT / "eventstore").rglob("*.py")):
        yield file.relative_to(PROJECT).as_posix(), ast.parse(file.read_text(encoding="utf-8"))


def _page(text: str) -> Iterator[tuple[int, str]]:
    """Yield a page without its code blocks, whose lines become blank so that numbers stay."""
    yield 1, FENCED.sub(lambda block: "\n" * block[0].count("\n"), text)


def _prose(text: str) -> Iterator[tuple[int, str]]:
    """Yield the docstrings and comments of a module, each with its first line."""
    yield from docstrings(ast.parse(text))
    for token in tokenize.generate_tokens(io.StringIO(text).readline):
        if token.type == tokenize.COMMENT:
            yield token.start[0], token.string
