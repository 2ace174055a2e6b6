"""Read in the events of a thread how its head and its rows moved."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final

from eventstore.conversation.events import MessageBorn
from eventstore.conversation.rows import Named
from eventstore.core.events import Event, Trace

__all__ = ["BORN", "MOVED_OUT", "head_after", "last_of", "moves", "named_then"]


BORN: Final = frozenset({"MessageAdded", "MessageEdited", "MessageRegenerated"})


MOVED_OUT: Final = frozenset({"MessageRemoved", "MessageRestored"})


def moves(data: MessageBorn, run_id: bytes) -> bool:
    """Return whether a run goes on behind a message."""
    return data.run_id == run_id and not getattr(data, "interrupted", False)


def last_of(touches: Sequence[str], sets: str, clears: str) -> bool:
    """Return whether the last of two kinds of events is the one that sets."""
    return next((kind == sets for kind in reversed(touches) if kind in {sets, clears}), False)


def named_then(now: Named, until: int, back: Iterable[Event]) -> Named:
    """Return which events had set title and metadata of a thread at an earlier version.

    ``back`` are the events about the thread until then, the last one first. Only as many are taken
    as it needs for names that were replaced later.
    """
    replaced = {field for field, version in now._asdict().items() if (version or 0) > until}
    then = now._replace(**dict.fromkeys(replaced))
    for event in back if replaced else ():
        if event.type == "ThreadUpdated":
            last = replaced.intersection(event.data.fields)
            then = then._replace(**dict.fromkeys(last, event.version))
            replaced -= last
        if not replaced:
            break
    return then


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
