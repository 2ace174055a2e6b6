"""Read in the events of a thread how its head and its rows moved."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from eventstore.conversation.events import MessageBorn
from eventstore.core.events import Trace

__all__ = ["BORN", "MOVED_OUT", "head_after", "last_of", "moves"]


BORN: Final = frozenset({"MessageAdded", "MessageEdited", "MessageRegenerated"})


MOVED_OUT: Final = frozenset({"MessageRemoved", "MessageRestored"})


def moves(data: MessageBorn, run_id: bytes) -> bool:
    """Return whether a run goes on behind a message."""
    return data.run_id == run_id and not getattr(data, "interrupted", False)


def last_of(touches: Sequence[str], sets: str, clears: str) -> bool:
    """Return whether the last of two kinds of events is the one that sets."""
    return next((kind == sets for kind in reversed(touches) if kind in {sets, clears}), False)


def head_after(trace: Trace) -> tuple[bool, bytes | None]:
    """Return whether an event moved the head, and its new place."""
    data = trace.data
    if trace.type in BORN:
        return data.select, data.message_id
    if trace.type in MOVED_OUT:
        return data.head_moved, data.head
    if trace.type == "ThreadForked":
        return True, data.message_id
    return trace.type == "BranchSelected", getattr(data, "head", None)
