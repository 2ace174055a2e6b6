"""Fold a thread from the log: a fork's source up to its version, then its own events.

The cost of a state does not grow with its history: whoever folded many more events than the state
has rows keeps a snapshot of it, from which the next reader goes on
(:mod:`~eventstore.threads.resuming`).
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import chain
from typing import Final

from eventstore.conversation.draft import ThreadDraft
from eventstore.conversation.folded_view import FoldedView
from eventstore.conversation.rows import ForkPoint, Place
from eventstore.conversation.rules import evolve
from eventstore.conversation.snapshot import size_of
from eventstore.conversation.state import FoldedThread, fold
from eventstore.core import ids
from eventstore.core.events import Event, StreamKey
from eventstore.storage.folding_pages import decoded_events
from eventstore.storage.gaps import missing
from eventstore.storage.log import Log
from eventstore.storage.transaction import Transaction
from eventstore.threads.ancestral import AncestralEvents
from eventstore.threads.resuming import keep, resumed

__all__ = ["fold_thread", "folded_steps", "starting_state"]

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
            start = starting_state(tx, log, tenant, thread_id, event)
            folded = sum(ancestor.version for ancestor in start.ancestors)
            draft = ThreadDraft(start)
        draft.take(event)
        folded += 1
        if folded > EVENTS_MAX and folded > EVENTS_MAX + size_of(draft):
            keep(tx, log, stream, draft)
            folded = 0
    return FoldedThread(thread_id) if draft is None else draft


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


def starting_state(
    tx: Transaction, log: Log, tenant: str, thread_id: bytes, first: Event
) -> FoldedThread:
    """Return the state before a thread's first event: empty, or the source as a fork sees it.

    This folds the lives of all ancestors, up to the versions at which they were forked.
    """
    if first.type != "ThreadForked":
        return FoldedThread(thread_id)
    forks = [(thread_id, _fork_point(first))]
    source = StreamKey(tenant, ids.THREAD, first.data.source_id)
    ancestral = AncestralEvents(tx, log, source, first.data.source_version)
    lives: list[Iterator[Event]] = []
    while True:  # upwards, and then down again: ancestors may exceed the depth to which calls nest
        _, fork = forks[-1]
        events = iter(ancestral.of(fork.thread_id, fork.version))
        begun = next(events, None)
        lives.append(events if begun is None else chain([begun], events))
        if begun is None or begun.type != "ThreadForked":
            break
        forks.append((fork.thread_id, _fork_point(begun)))
    state = FoldedThread(forks[-1][1].thread_id)
    for (fork_id, fork), events in zip(reversed(forks), reversed(lives), strict=True):
        state = fold(state, events)
        if state.version < fork.version:
            raise missing(source._replace(id=fork.thread_id), state.version + 1)
        state = state.prefix_for(fork_id, fork)
    return state


def _fork_point(event: Event) -> ForkPoint:
    data = event.data
    place = Place(data.hop, data.segment, data.depth)
    return ForkPoint(data.source_id, data.message_id, place, data.source_version)
