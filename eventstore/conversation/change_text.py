"""Describes changes in words, for people: the two sides of a field, and a whole list of changes."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Final, Literal

from eventstore.conversation.changes import Change
from eventstore.conversation.content import from_stored
from eventstore.conversation.part_text import json_text, part_text

__all__ = ["ERASED_TEXT", "change_lines", "short_id", "side_text"]

ERASED_TEXT: Final = "(erased)"
_NOTHING: Final = "(none)"
_DIGITS: Final = 6
_NEW: Final = {"message": "role", "run": "status", "step": "status"}
"""By kind: a field that a thing has from its beginning, and always."""


def short_id(text: str) -> str:
    """Return an id in a short form: its prefix and its last digits, which are random."""
    kind, _, digits = text.partition("_")
    return f"{kind}…{digits[-_DIGITS:]}"


def side_text(change: Change, side: Literal["before", "after"]) -> str:
    """Return one side of a change in words."""
    if side in change.erased:
        return ERASED_TEXT
    value = change.before if side == "before" else change.after
    if value is None:
        return _NOTHING
    if change.field == "content":
        return "\n".join(part_text(part) for part in from_stored(value))
    if change.field.endswith("_id") or change.field == "replaces":
        return short_id(value)
    return value if isinstance(value, str) else json_text(value)


def change_lines(changes: Iterable[Change]) -> Iterator[str]:
    """Yield changes in lines, thing by thing: the new value, or ``-`` and ``+`` for old and new."""
    things: dict[tuple[str, str], list[Change]] = {}
    for change in changes:
        things.setdefault((change.kind, change.id), []).append(change)
    for (kind, key), found in things.items():
        yield f"{_mark(kind, found)} {kind} {short_id(key)}"
        for change in found:
            yield from _change_lines(change)


def _mark(kind: str, found: Iterable[Change]) -> str:
    """Return ``+`` for a thing that appeared, ``-`` for one that is not there any more."""
    for change in found:
        if change.field == _NEW.get(kind):
            return "+" if change.before is None else "-" if change.after is None else "~"
    return "~"


def _change_lines(change: Change) -> Iterator[str]:
    yield f"    {change.field}"
    for mark, side in (("-", "before"), ("+", "after")):
        said = side_text(change, "before" if side == "before" else "after")
        if said != _NOTHING:
            yield from (f"      {mark} {line}" for line in said.split("\n"))
