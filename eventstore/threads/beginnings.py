"""The state in which a thread begins: empty, or that of its source as far as a fork sees it.

The lives of all ancestors are folded, up to the versions at which they were forked. Where snapshots
are trusted, the nearest ancestor that has one goes on from there, and nothing above it is read; and
long lives leave some, so that other forks of the same threads need not fold them again.
"""

from __future__ import annotations

from collections.abc import Iterable
from itertools import chain
from typing import NamedTuple

from eventstore.conversation.draft import ThreadDraft
from eventstore.conversation.folded_view import FoldedView
from eventstore.conversation.rows import ForkPoint, Place
from eventstore.conversation.snapshot import size_of
from eventstore.conversation.state import FoldedThread, fold, prefix_of
from eventstore.core import ids
from eventstore.core.events import Event, StreamKey
from eventstore.storage.folding_pages import decoded_events
from eventstore.storage.gaps import missing
from eventstore.storage.log import Log
from eventstore.storage.transaction import Transaction
from eventstore.threads.ancestral import AncestralEvents
from eventstore.threads.resuming import keep, resumed

__all__ = ["begun", "starting_state"]


class _Life(NamedTuple):
    """The events of an ancestor that are still to be folded, and the fork that ends them."""

    fork_id: bytes
    fork: ForkPoint
    events: Iterable[Event]


def starting_state(
    tx: Transaction, log: Log, tenant: str, thread_id: bytes, first: Event
) -> FoldedThread:
    """Return the state before a thread's first event, without snapshots: these are held against it.

    Raises:
        BrokenChain: an event of an ancestor is missing.
    """
    return begun(tx, log, StreamKey(tenant, ids.THREAD, thread_id), first, most=None)[0]


def begun(
    tx: Transaction, log: Log, stream: StreamKey, first: Event, *, most: int | None
) -> tuple[FoldedThread, int]:
    """Return the state before a thread's first event, and how many events no snapshot spares.

    ``most``: go on from a snapshot of an ancestor, and keep one where more events were folded than
    that, and than the state has rows. None does neither.

    Raises:
        BrokenChain: an event of an ancestor is missing.
    """
    start, folded = FoldedThread(stream.id), 0
    if first.type != "ThreadForked":
        return start, folded
    state, lives = _climbed(tx, log, stream, first, goes_on=most is not None)
    for fork_id, fork, events in reversed(lives):
        before, source = state.version, stream._replace(id=fork.thread_id)
        state = _after(state, events)
        if state.version < fork.version:
            raise missing(source, state.version + 1)
        folded += state.version - before
        if most is not None and folded > most and folded > most + size_of(state):
            keep(tx, log, source, state)
            folded = 0
        state = start = prefix_of(state, fork_id, fork)
    return start, folded


def _climbed(
    tx: Transaction, log: Log, stream: StreamKey, first: Event, *, goes_on: bool
) -> tuple[FoldedView, list[_Life]]:
    """Return the state with which folding begins, and the lives to fold, the nearest first.

    They are folded downwards afterwards: there may be more ancestors than calls can nest.
    """
    source = stream._replace(id=first.data.source_id)
    ancestral = AncestralEvents(tx, log, source, first.data.source_version, goes_on=goes_on)
    lives: list[_Life] = []
    fork_id, event = stream.id, first
    while True:
        fork = _fork_point(event)
        above = stream._replace(id=fork.thread_id)
        if above.id == ancestral.patched:
            draft = resumed(tx, log, above, fork.version)
            if draft is not None:
                rest = decoded_events(tx, log, above, after=draft.version, until=fork.version)
                return draft, [*lives, _Life(fork_id, fork, rest)]
        events = iter(ancestral.of(above.id, fork.version))
        begins = next(events, None)
        lives.append(_Life(fork_id, fork, () if begins is None else chain([begins], events)))
        if begins is None or begins.type != "ThreadForked":
            return FoldedThread(above.id), lives
        fork_id, event = above.id, begins


def _after(state: FoldedView, events: Iterable[Event]) -> FoldedView:
    if isinstance(state, FoldedThread):
        return fold(state, events)
    assert isinstance(state, ThreadDraft)  # noqa: S101 (it was resumed)
    for event in events:
        state.take(event)
    return state


def _fork_point(event: Event) -> ForkPoint:
    data = event.data
    place = Place(data.hop, data.segment, data.depth)
    return ForkPoint(data.source_id, data.message_id, place, data.source_version)
