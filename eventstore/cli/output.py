"""Prints the output of commands: text for people, JSON lines for programs.

Text of messages is untrusted. :func:`safe` makes control characters visible before text is printed,
and ``rich.text.Text`` keeps it from being read as markup.
"""

from __future__ import annotations

import io
import json
import re
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import UTC, datetime
from typing import Final

from rich.cells import cell_len
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.text import Text

from eventstore.core.steering import STEERING, without_steering
from eventstore.errors import ConversationStoreError

__all__ = [
    "clipped",
    "error_text",
    "errors",
    "goes_through_tenants",
    "harmless_json",
    "of_tenant",
    "one_line",
    "print_facts",
    "print_indented",
    "print_json",
    "progress",
    "safe",
    "screen",
    "tolerate_any_encoding",
    "when",
    "with_remark",
]

WIDTH_MAX: Final = 100
"""Lines longer than this are hard to read, however wide the window."""


def screen() -> Console:
    """Return the console for the requested output."""
    return _bounded(Console(highlight=False, emoji=False, markup=False))


def errors() -> Console:
    """Return the console for errors, remarks and progress."""
    return _bounded(Console(stderr=True, highlight=False, emoji=False, markup=False))


def _bounded(console: Console) -> Console:
    if console.width > WIDTH_MAX and not console.is_terminal:
        return console
    console.width = min(console.width, WIDTH_MAX)
    return console


def tolerate_any_encoding() -> None:
    """Print characters that the terminal's encoding lacks as question marks, instead of failing."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")


def safe(text: str) -> str:
    """Return text without characters that control a terminal."""
    return without_steering(text)


def one_line(text: str, characters_max: int = 400) -> str:
    """Return the beginning of a text as one line."""
    return " ".join(safe(text[: 2 * characters_max]).split())[:characters_max]


def clipped(text: Text, width: int) -> Text:
    """Return a line cut to a width, with an ellipsis if something is missing."""
    text.truncate(max(width, 1), overflow="ellipsis")
    return text


def with_remark(line: Text, remark: str, width: int, style: str = "dim") -> Text:
    """Return a line with a remark at its right end; the line is cut to leave room for it."""
    if not remark:
        return clipped(line, width)
    clipped(line, width - cell_len(remark) - 2)
    line.append(" " * (width - line.cell_len - cell_len(remark)))
    return line.append(remark, style=style)


def when(moment: datetime) -> str:
    """Return a time as the commands show it and ``--at-time`` takes it."""
    return f"{moment.astimezone(UTC):%Y-%m-%d %H:%M:%S}Z"


def print_indented(console: Console, text: Text, columns: int) -> None:
    """Print a text indented, its long lines wrapped, without blanks at their ends."""
    for line in text.wrap(console, max(console.width - columns, 1)):
        line.rstrip()
        console.print(Text(" " * columns if line else "").append_text(line))


def print_facts(console: Console, *facts: str) -> None:
    """Print short facts side by side; break lines only between facts."""
    lines = [facts[0]]
    for fact in facts[1:]:
        longer = f"{lines[-1]} · {fact}"
        if len(longer) <= console.width:
            lines[-1] = longer
        else:
            lines.append(fact)
    console.print(Text("\n".join(lines), style="dim"), soft_wrap=True)


def print_json(lines: Iterable[str]) -> None:
    """Print JSON texts, one per line; control characters are escaped, with the same meaning."""
    tenant = _TENANT.get()
    for line in lines:
        told = line
        if tenant is not None:
            told = json.dumps({"tenant": tenant, **json.loads(line)}, ensure_ascii=False)
        sys.stdout.write(harmless_json(told) + "\n")


def harmless_json(text: str) -> str:
    """Return JSON with its control characters escaped; the meaning is the same."""
    return STEERING.sub(_escaped, text)


_TENANT: Final[ContextVar[str | None]] = ContextVar("tenant", default=None)
"""The tenant that the output is about, if a command runs for several."""


def goes_through_tenants() -> bool:
    """Return whether the command runs once for each tenant."""
    return _TENANT.get() is not None


@contextmanager
def of_tenant(name: str, *, heading: bool) -> Iterator[None]:
    """Name a tenant in the output of a command that runs for several: in JSON, or above it."""
    if heading:
        said = f"tenant {one_line(name)!r}" if name else "the default tenant"
        screen().print(Text(said, style="bold underline"))
    token = _TENANT.set(name)
    try:
        yield
    finally:
        _TENANT.reset(token)


def _escaped(found: re.Match[str]) -> str:
    return f"\\u{ord(found[0]):04x}"


def error_text(error: ConversationStoreError, said: str | None = None) -> Text:
    """Return an error of the library in a line or two: problem and remedy."""
    text = Text(f"{type(error).__name__}: ", style="bold red")
    return text.append(safe(said or str(error)), style="not bold default")


def progress() -> Progress:
    """Return a progress bar: drawn on a terminal's stderr only, gone when done."""
    console = errors()
    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
        console=console,
        transient=True,
        disable=not console.is_terminal,
    )
