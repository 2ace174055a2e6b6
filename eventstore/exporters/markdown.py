"""A conversation as Markdown.

The words of users are hostile, or full of Markdown themselves. They stand in block quotes, with
every character escaped that means something, so a renderer shows what was written, and nothing
breaks out of its message.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from eventstore.conversation.thread_state import ThreadState
from eventstore.conversation.values import Message
from eventstore.core.steering import without_steering
from eventstore.exporters.outline import Entry, Stretch, outline
from eventstore.exporters.wording import leaves, notes, said, spoken_at, when

__all__ = ["escaped", "markdown"]

_ACTIVE: Final = re.compile(r"[\\`*_\[\]<>&~|$]")
"""Characters that mean something anywhere."""
_BEGINNING: Final = re.compile(r"^([ \t]*)(?:([#+=:-])|(\d+)([.)]))")
"""Characters that mean something at the beginning of a line: headings, lists, rules."""
_BLANKS: Final = re.compile(r"^[ \t]+|(?<= ) +")
_SPACE: Final = "&nbsp;"


def markdown(state: ThreadState) -> Iterator[str]:
    """Yield the lines of a conversation: the active path, then the branches."""
    layout = outline(state)
    thread = state.thread
    yield f"# {escaped(thread.title or 'Conversation')}\n\n"
    yield f"{thread.id} · version {state.version} · {when(thread.updated_at)}\n\n"
    if thread.forked_from is not None:
        yield f"Fork of {thread.forked_from.thread_id}\n\n"
    if not state.tree.nodes and not state.queued:
        yield "*No messages.*\n"
    yield from _entries(layout.path)
    for branch in layout.branches:
        yield f"---\n\n## Branch {branch.name}\n\n*Leaves {leaves(branch)}.*\n\n"
        yield from _entries(branch)
    if state.queued:
        yield "---\n\n## Waiting until the run ends\n\n"
        for message in state.queued:
            yield from _message("", message, [])


def _entries(stretch: Stretch) -> Iterator[str]:
    for entry in stretch.entries:
        yield from _message(entry.number, entry.node.message, list(notes(entry.node)))
        if entry.others:
            yield f"*Instead of {entry.number}: {_branches(entry)}.*\n\n"


def _branches(entry: Entry) -> str:
    return ", ".join(f"[branch {name}](#branch-{name.lower()})" for name in entry.others)


def _message(number: str, message: Message, remarks: list[str]) -> Iterator[str]:
    name = f" {message.name}" if message.name else ""
    head = f"{message.role}{name}"
    lead = f"{number}. " if number else ""
    remarks = [spoken_at(message), *remarks]
    yield f"**{lead}{escaped(head)}** · {' · '.join(map(escaped, remarks))}\n\n"
    for text, plain in said(message):
        lines = without_steering(text).split("\n")
        if plain:
            yield from _quoted([escaped(line) for line in lines])
        else:
            yield from _quoted(
                [f"*{escaped(line.strip())}*" if line.strip() else "" for line in lines]
            )
        yield "\n"


def _quoted(lines: list[str]) -> Iterator[str]:
    """Yield a block quote; a line break is kept between two lines that are not empty."""
    for n, line in enumerate(lines):
        goes_on = line and n + 1 < len(lines) and lines[n + 1]
        yield f"> {line}\\\n" if goes_on else f"> {line}".rstrip() + "\n"


def escaped(text: str) -> str:
    """Return one line of text as Markdown that shows it as it is."""
    line = " ".join(without_steering(text).split("\n"))
    body = _BEGINNING.sub(_harmless, _ACTIVE.sub(r"\\\g<0>", line))
    return _BLANKS.sub(lambda blanks: _SPACE * len(blanks[0].expandtabs(4)), body)


def _harmless(found: re.Match[str]) -> str:
    blanks, mark, number, end = found.groups()
    return f"{blanks}\\{mark}" if mark else f"{blanks}{number}\\{end}"
