"""The words of a transcript that Markdown and HTML share: times, notes, where branches leave."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime

from eventstore.conversation.part_text import part_text
from eventstore.conversation.parts import TextPart
from eventstore.conversation.values import Message, TreeNode
from eventstore.exporters.outline import Stretch

__all__ = ["leaves", "notes", "said", "spoken_at", "when"]


def when(moment: datetime) -> str:
    """Return a time in UTC."""
    return f"{moment.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC"


def spoken_at(message: Message) -> str:
    """Return the time at which a message was written."""
    return when(message.original_created_at or message.created_at)


def notes(node: TreeNode) -> Iterator[str]:
    """Yield the notes about a message."""
    message = node.message
    if message.revision:
        yield f"amended {message.revision}x"
    if message.status != "completed":
        yield message.status
    if message.origin is not None:
        yield "inherited"
    if node.label is not None:
        yield f"“{node.label}”"
    if node.head:
        yield "head"


def said(message: Message) -> Iterator[tuple[str, bool]]:
    """Yield the parts of a message in words, each with True if it is plain text."""
    if message.erased:
        yield "(erased)", False
    for part in message.content:
        yield part_text(part), isinstance(part, TextPart)


def leaves(branch: Stretch) -> str:
    """Return where a branch leaves the conversation."""
    place = f"after {branch.after}" if branch.after else "at the beginning"
    return f"{place}, in place of {branch.beside}" if branch.beside else place
