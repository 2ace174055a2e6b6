"""Puts the entries of a trail into words: what was done, and what a reader needs to see of it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final, Literal, NamedTuple

from eventstore.audit.trail_values import TrailEntry
from eventstore.conversation.change_text import ERASED_TEXT, side_text
from eventstore.conversation.changes import ERASED, Change
from eventstore.conversation.every_event import EVERY_EVENT

__all__ = ["Shown", "deed", "shown"]


class Shown(NamedTuple):
    """One field in words; a side that had no value is None."""

    name: str
    before: str | None
    after: str | None


_FOLLOWS: Final = frozenset({"parent_id", "role", "run_id", "removed", "archived", "deleted"})
"""Fields that are left out: what was done says the same."""
_NAMES: Final[Mapping[str, str]] = {
    "head_id": "head",
    "forked_from": "from",
    "error_code": "error",
    "error_message": "message",
    "assistant_id": "assistant",
}


def deed(entry: TrailEntry) -> str:
    """Return the deed, as the rest of a sentence that begins with the actor."""
    declared = EVERY_EVENT.get(entry.type)
    if declared is None:
        return entry.type
    if isinstance(declared.deed, str):
        return declared.deed
    return declared.deed({change.field: _now(change) for change in entry.changes})


def _now(change: Change) -> object:
    return ERASED if "after" in change.erased else change.after


def shown(entry: TrailEntry) -> Iterator[Shown]:
    """Yield the fields that a reader needs to see; content is named by the role of its message."""
    role = next((change.after for change in entry.changes if change.field == "role"), None)
    for change in entry.changes:
        if not _is_shown(change, entry.about):
            continue
        name = _NAMES.get(change.field, change.field.replace("_", " "))
        if change.field == "content" and role is not None:
            name = str(role)
        yield Shown(name, _side(change, "before"), _side(change, "after"))
    if entry.erases:
        yield Shown("in versions", None, ", ".join(map(str, entry.erases)))
    if entry.reason is not None:
        yield Shown("reason", None, entry.reason)
    elif entry.erased and not any(change.erased for change in entry.changes):
        yield Shown("words", None, ERASED_TEXT)


def _is_shown(change: Change, about: str) -> bool:
    if change.field == "head_id":
        return bool(change.after != about)  # that a new message is the head goes without saying
    if change.field == "status":
        return change.before is not None or change.after not in {"completed", "queued"}
    return change.field not in _FOLLOWS and len(change.erased) != len(("before", "after"))


def _side(change: Change, side: Literal["before", "after"]) -> str | None:
    if side not in change.erased and getattr(change, side) is None:
        return None
    return side_text(change, side)
