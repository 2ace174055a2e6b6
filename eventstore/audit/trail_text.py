"""Puts the entries of a trail into words: what was done, and what a reader needs to see of it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final, Literal, NamedTuple

from eventstore.audit.trail_values import TrailEntry
from eventstore.conversation.change_text import ERASED_TEXT, side_text
from eventstore.conversation.changes import Change

__all__ = ["Shown", "deed", "shown"]


class Shown(NamedTuple):
    """One field in words; a side that had no value is None."""

    name: str
    before: str | None
    after: str | None


_DEEDS: Final[Mapping[str, str]] = {
    "ThreadCreated": "began the thread",
    "ThreadForked": "forked the thread from another",
    "ThreadUpdated": "changed the thread",
    "ThreadArchived": "archived the thread",
    "ThreadUnarchived": "took the thread out of the archive",
    "ThreadDeleted": "deleted the thread",
    "ThreadRestored": "restored the thread",
    "ThreadPurged": "purged a thread for good",
    "MessageAdded": "added a message",
    "MessageQueued": "sent a message, which waits",
    "MessageEdited": "edited a message: another beside it",
    "MessageRegenerated": "wrote another answer beside one",
    "MessageBegun": "began to write a message",
    "MessageAmended": "amended a message",
    "MessageUpdated": "changed name or metadata of a message",
    "MessageRemoved": "removed a message",
    "MessageRestored": "restored a message",
    "BranchSelected": "switched to another branch",
    "BranchLabelled": "labelled a message",
    "RunQueued": "queued a run",
    "RunStarted": "started a run",
    "RunTakenOver": "took a run over",
    "RunActionRequired": "asked for the outputs of tools",
    "ToolOutputsSubmitted": "handed in the outputs of tools",
    "RunCancelling": "asked a run to stop",
    "RunCancelled": "cancelled a run",
    "RunCompleted": "completed a run",
    "RunIncomplete": "ended a run before it was complete",
    "RunFailed": "failed a run",
    "RunExpired": "let a run expire",
    "RunUpdated": "changed metadata of a run",
    "RunStepStarted": "began a step",
    "RunStepCompleted": "completed a step",
    "RunStepFailed": "failed a step",
    "ContentErased": "erased content for good",
    "SubjectErased": "erased all content of a person for good",
    "KeyRotated": "had data keys wrapped by another master key",
    "StreamsPurged": "purged streams for good",
    "TenantErased": "erased all content of the tenant for good",
    "TenantVerified": "verified the tenant",
    "AssistantCreated": "created an assistant",
    "AssistantUpdated": "changed an assistant",
    "AssistantDeleted": "deleted an assistant",
}
_JOINED: Final = "let a waiting message join the conversation"
_UNLABELLED: Final = "took the label from a message"
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
    changes = {change.field: change for change in entry.changes}
    if entry.type == "MessageAdded" and "role" not in changes:
        return _JOINED
    if entry.type == "BranchLabelled" and "label" in changes and _is_none(changes["label"]):
        return _UNLABELLED
    return _DEEDS.get(entry.type, entry.type)


def _is_none(change: Change) -> bool:
    return change.after is None and "after" not in change.erased


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
