"""Runs the scenes of the story; prints the lines of each, and their result.

The lines come from the story's own source, between one ``yield`` and the next, so they cannot
differ from the executed code.
"""

from __future__ import annotations

import ast
import inspect
import os
import re
import shlex
import shutil
import sys
import tempfile
import textwrap
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Final

from pygments.token import (  # type: ignore[import-untyped]
    Comment,
    Keyword,
    Number,
    Operator,
    String,
)
from rich.console import Console
from rich.rule import Rule
from rich.style import Style
from rich.syntax import ANSISyntaxTheme, Syntax
from rich.text import Text

from eventstore import BranchTree, ConversationStore, ConversationStoreError
from eventstore.cli.demo.plotting import lacking, plotting
from eventstore.cli.demo.story import ACTS, Picture, Scene, story
from eventstore.cli.drawing import tree_lines
from eventstore.cli.messages import message_line
from eventstore.cli.opening import made, short
from eventstore.cli.output import error_text, print_indented
from eventstore.cli.replaying import step_lines

__all__ = ["scripts", "show_demo"]

_INDENT: Final = 3
_COLOURS: Final = ANSISyntaxTheme(
    {
        Comment: Style(dim=True),
        Keyword: Style(color="bright_blue"),
        Operator.Word: Style(color="bright_blue"),
        Number: Style(color="bright_blue"),
        String: Style(color="magenta"),
    }
)
"""Readable on dark and on light backgrounds; each of the usual themes suits only one."""


def show_demo(console: Console, database: str | None) -> None:
    """Play the story on the given database, or on a new temporary file.

    Files that it makes go to a temporary folder, and stay.
    """
    folder = Path(tempfile.mkdtemp(prefix="eventstore-"))
    place = database or f"sqlite:///{folder / 'demo.db'}"
    console.print(Text("A conversation is the history of what happened in it.", style="bold"))
    console.print(Text(f'store = ConversationStore.open("{place}")', style="dim"), soft_wrap=True)
    with made(place) as store:
        follow: list[str] = []
        missing = lacking()
        for number, (script, scene) in enumerate(_scenes(store, folder, missing), 1):
            _show(console, number, script, scene)
            follow += [scene.follow] if scene.follow else []
        if missing is not None:
            _print_left_out(console, missing)
        names = short(store, follow)
        _say_what_next(console, place, names[follow[0]], names[follow[1]])


def _scenes(
    store: ConversationStore, folder: Path, missing: str | None
) -> Iterator[tuple[str, Scene]]:
    yield from zip(scripts(*ACTS), story(store), strict=True)
    if missing is None:
        yield from zip(scripts(plotting), plotting(store, folder), strict=True)


def scripts(*acts: Callable[..., Iterable[Scene]]) -> Iterator[str]:
    """Yield the lines of each scene of some acts."""
    for act in acts:
        yield from _scripts(act)


def _scripts(act: Callable[..., Iterable[Scene]]) -> Iterator[str]:
    source = textwrap.dedent(re.sub(r"  # noqa.*", "", inspect.getsource(act)))
    lines = source.splitlines()
    function = next(node for node in ast.parse(source).body if isinstance(node, ast.FunctionDef))
    scene: list[ast.stmt] = []
    for statement in function.body[1:]:  # after the docstring
        if isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Yield):
            yield textwrap.dedent("\n".join(lines[scene[0].lineno - 1 : scene[-1].end_lineno]))
            scene = []
        else:
            scene.append(statement)


def _show(console: Console, number: int, script: str, scene: Scene) -> None:
    console.print()
    _print_title(console, f"{number:<2} {scene.title}")
    print_indented(console, Text(scene.says), _INDENT)
    console.print()
    code = Syntax("", "python", theme=_COLOURS, background_color="default").highlight(script)
    code.rstrip()
    print_indented(console, code, _INDENT)
    if scene.picture is not None:
        console.print()
        for line in _lines(console, scene.picture):
            print_indented(console, line, _INDENT)
    if scene.result:
        console.print()
        print_indented(console, Text(scene.result, style="green"), _INDENT)


def _print_left_out(console: Console, missing: str) -> None:
    console.print()
    _print_title(console, "Left out: a model writes code, and draws a plot")
    print_indented(console, Text(missing, style="yellow"), _INDENT)


def _print_title(console: Console, title: str) -> None:
    console.print(Rule(Text(title, style="bold"), align="left", style="dim"))


def _lines(console: Console, picture: Picture) -> Iterator[Text]:
    width = console.width - _INDENT
    if isinstance(picture, BranchTree):
        yield from tree_lines(picture, width, ascii_only=console.options.ascii_only)
    elif isinstance(picture, ConversationStoreError):
        yield error_text(picture)
    elif isinstance(picture, list):
        yield from step_lines(picture, width)
    else:
        yield from (message_line(message, width) for message in picture or ())


# -- what next -------------------------------------------------------------------------------------


def _say_what_next(console: Console, place: str, thread: str, answered: str) -> None:
    program = _program()
    console.print()
    _print_title(console, "Look around")
    print_indented(console, Text("Explore the database yourself:\n"), _INDENT)
    for line in (
        f"export EVENTSTORE_DB={shlex.quote(place)}",
        f"{program} threads",
        f"{program} tree {thread}",
        f"{program} replay {thread} --at-version 3",
        f"{program} log {thread} --json",
        f"{program} runs list {answered}",
        f"{program} runs follow {answered}",
        f"{program} check --rebuild",
    ):
        console.print(Text(" " * _INDENT + line, style="cyan"), soft_wrap=True)


def _program() -> str:
    """Return the command with which the reader can run this program."""
    called = Path(sys.argv[0])
    found = shutil.which("eventstore")
    if found is not None and Path(found).resolve() == called.resolve():
        return "eventstore"
    return shlex.quote(os.path.relpath(called)) if called.name == "eventstore" else "eventstore"
