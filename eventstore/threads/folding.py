"""Fold a thread from the log: a fork's source up to its version, then its own events.

The cost of a state does not grow with its history: whoever folded many more events than the state
has rows keeps a snapshot of it, from which the next reader goes on
(:mod:`~eventstore.threads.resuming`).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from eventstore.conversation.draft import ThreadDraft
from eventstore.conversation.folded_view import FoldedView
from eventstore.conversation.rules import evolve
from eventstore.conversation.snapshot import size_of
from eventstore.conversation.state import FoldedThread
from eventstore.core import ids
from eventstore.core.events import Event, StreamKey
from eventstore.storage.folding_pages import decoded_events
from eventstore.storage.log import Log
from eventstore.storage.stream_heads import place_of
from eventstore.storage.transaction import Transaction
from eventstore.threads.beginnings import begun, starting_state
from eventstore.threads.resuming import keep, resumed

__all__ = ["fold_thread", "folded_steps", "keep_if_due", "settled_state"]

_LAST = 2**62
EVENTS_MAX: Final = 1_000
"""Events that are folded before a snapshot is taken, besides as many as the state has rows.

So a thread whose events are nearly all messages has none: reading its snapshot would cost as much.
"""


def fold_thread(
    tx: Transaction, log: Log, tenant: str, thread_id: bytes, *, until: int = _LAST
) -> FoldedView:
    """Return a thread's state at a version, from its events alone.

    Only the last state is wanted, so it is folded in place, in less than half the time. It goes on
    from a snapshot if there is one, and may then have no events but those that hold present words.
    """
    stream = StreamKey(tenant, ids.THREAD, thread_id)
    draft = resumed(tx, log, stream, until)
    folded = 0
    after = 0 if draft is None else draft.version
    for event in decoded_events(tx, log, stream, after=after, until=until):
        if draft is None:
            start, folded = begun(tx, log, stream, event, most=EVENTS_MAX)
            draft = ThreadDraft(start)
        draft.take(event)
        folded += 1
        if folded > EVENTS_MAX and folded > EVENTS_MAX + size_of(draft):
            keep(tx, log, stream, draft)
            folded = 0
    return FoldedThread(thread_id) if draft is None else draft


def settled_state(
    tx: Transaction, log: Log, tenant: str, thread_id: bytes, *, until: int
) -> FoldedThread:
    """Return the same as a value from which folding can go on, every state by itself."""
    state = fold_thread(tx, log, tenant, thread_id, until=until)
    return state.settled() if isinstance(state, ThreadDraft) else FoldedThread(thread_id)


def keep_if_due(tx: Transaction, log: Log, stream: StreamKey, state: FoldedThread) -> None:
    """Keep a snapshot of a state that was folded step by step, unless one is near."""
    place = place_of(tx, stream)
    if place is not None and state.version > EVENTS_MAX:
        folded = state.version - log.snapshots.last(tx, place, state.version)
        if folded > EVENTS_MAX + size_of(state):
            keep(tx, log, stream, state)


def folded_steps(
    tx: Transaction, log: Log, tenant: str, thread_id: bytes, *, until: int = _LAST
) -> Iterator[tuple[Event, FoldedThread]]:
    """Yield each event with the state after it. States share what did not change."""
    state: FoldedThread | None = None
    for event in decoded_events(tx, log, StreamKey(tenant, ids.THREAD, thread_id), until=until):
        if state is None:
            state = starting_state(tx, log, tenant, thread_id, event)
        state = state.with_rows(evolve(state, event), event)
        yield event, state
