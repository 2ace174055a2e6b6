"""Compares two moments of a thread: where the active paths part, which messages were amended."""

from __future__ import annotations

from collections.abc import Iterable

from eventstore.conversation import tree
from eventstore.conversation.present import message_value
from eventstore.conversation.rows import ROOT, Place
from eventstore.conversation.values import BranchDiff
from eventstore.core import ids
from eventstore.core.events import Event
from eventstore.threads import paths
from eventstore.threads.stored_thread import StoredThread

__all__ = ["compare_moments"]


def compare_moments(a: StoredThread, b: StoredThread, between: Iterable[Event]) -> BranchDiff:
    """Compare the active paths at two moments.

    ``between`` holds the events from one moment to the other, in either direction. Only messages
    that these events touch are read, and messages on only one of the paths.
    """
    end_a, end_b = _end(a), _end(b)
    parting = tree.meeting(b, end_a, end_b)
    last = None if parting == ROOT else b.message_at(parting)
    amended = {event.data.message_id for event in between if event.type == "MessageAmended"}
    return BranchDiff(
        common=parting.depth,
        parted_at=None if last is None else ids.show(ids.MESSAGE, last.message_id),
        only_a=paths.messages(a, end_a, paths.Window(parting.depth + 1, end_a.depth)),
        only_b=paths.messages(b, end_b, paths.Window(parting.depth + 1, end_b.depth)),
        amended=_reworded(a, b, parting, amended),
    )


def _end(view: StoredThread) -> Place:
    thread = view.thread
    head = None if thread is None or thread.head is None else view.message(thread.head)
    return ROOT if head is None or head.place is None else head.place


def _reworded(
    a: StoredThread, b: StoredThread, parting: Place, amended: Iterable[bytes]
) -> tuple[str, ...]:
    """Return the common messages whose wording differs, in order."""
    found: list[tuple[int, str]] = []
    for message_id in amended:
        old, new = a.message(message_id), b.message(message_id)
        if old is None or new is None or new.place is None:
            continue
        if not tree.on_path(b, new.place, parting):
            continue
        if message_value(a, old).content != message_value(b, new).content:
            found.append((new.place.depth, ids.show(ids.MESSAGE, message_id)))
    return tuple([text for _, text in sorted(found)])
