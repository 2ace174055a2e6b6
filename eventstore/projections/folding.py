"""A thread folded from the log: the source's prefix first, if it is a fork, then its own events."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator

from eventstore.conversation.evolve import evolve
from eventstore.conversation.rows import ForkPoint, Place
from eventstore.conversation.state import FoldedThread
from eventstore.core import ids
from eventstore.core.events import Event, StreamKey
from eventstore.storage.folding_pages import decoded_events
from eventstore.storage.gaps import missing
from eventstore.storage.requests import Log
from eventstore.storage.transaction import Transaction

__all__ = ["fold_thread", "folded_steps", "starting_state"]

_LAST = 2**62


def fold_thread(
    tx: Transaction, log: Log, tenant: str, thread_id: bytes, *, until: int = _LAST
) -> FoldedThread:
    """Return a thread's state at a version, from its events alone."""
    steps = folded_steps(tx, log, tenant, thread_id, until=until)
    last = deque(steps, maxlen=1)
    return last[0][1] if last else FoldedThread(thread_id)


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
    """Return the state before a thread's first event: empty, or what a fork sees of its source.

    A source may be a fork itself. Its sources are looked up first, and then folded one after the
    other from the first of them down, so that no depth is too much.
    """
    forks: list[tuple[bytes, ForkPoint]] = []
    while first.type == "ThreadForked":
        data = first.data
        place = Place(data.hop, data.segment, data.depth)
        forks.append(
            (thread_id, ForkPoint(data.source_id, data.message_id, place, data.source_version))
        )
        thread_id = data.source_id
        source = StreamKey(tenant, ids.THREAD, thread_id)
        begun = next(decoded_events(tx, log, source, until=1), None)
        if begun is None:
            raise missing(source, 1)
        first = begun
    state = FoldedThread(thread_id)
    for fork_id, fork in reversed(forks):
        source = StreamKey(tenant, ids.THREAD, fork.thread_id)
        for event in decoded_events(tx, log, source, until=fork.version):
            state = state.with_rows(evolve(state, event), event)
        if state.version < fork.version:
            raise missing(source, state.version + 1)
        state = state.prefix_for(fork_id, fork)
    return state
