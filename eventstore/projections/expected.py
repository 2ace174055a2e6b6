"""The rows that a thread's events leave: what its tables have to hold."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import groupby
from operator import itemgetter
from typing import Any, NamedTuple, TypeAlias

from eventstore.conversation.evolve import evolve
from eventstore.conversation.present import thread_details
from eventstore.conversation.state import FoldedThread
from eventstore.core.events import Event, StreamKey
from eventstore.projections.folding import starting_state
from eventstore.projections.indexes import ContentIndex
from eventstore.projections.kept_rows import ROW_TABLES
from eventstore.storage.folding_pages import decoded_in_streams
from eventstore.storage.requests import Log
from eventstore.storage.transaction import Transaction

__all__ = ["Expected", "expected_of_each", "expected_rows"]

Rows: TypeAlias = dict[tuple[type[Any], Any], Any]
"""Rows by their kind, and what identifies them within their thread."""


class Expected(NamedTuple):
    """What the events of one thread leave."""

    rows: Rows
    state: FoldedThread | None
    """The last state; None without events."""

    @property
    def version(self) -> int:
        """Version the thread is at, by its events."""
        return 0 if self.state is None else self.state.version

    @property
    def head(self) -> bytes | None:
        """The message at which the thread stands."""
        thread = None if self.state is None else self.state.thread
        return None if thread is None else thread.head


def expected_rows(
    tx: Transaction, log: Log, stream: StreamKey, events: Iterable[Event], index: ContentIndex
) -> Expected:
    """Fold a thread's events, all of them, and let ``index`` see them."""
    rows: Rows = {}
    state: FoldedThread | None = None
    for event in events:
        if state is None:
            state = starting_state(tx, log, stream.tenant, stream.id, event)
        changed = evolve(state, event)
        rows.update({(type(row), ROW_TABLES[type(row)][1](row)): row for row in changed})
        state = state.with_rows(changed, event)
        if event.content is not None:
            index.see(stream, event)
        if event.type == "ThreadForked" and state.thread is not None:
            index.inherit(stream, thread_details(state, state.thread)[1])
    return Expected(rows, state)


def expected_of_each(
    tx: Transaction, log: Log, first: StreamKey, last: StreamKey, index: ContentIndex
) -> Iterator[tuple[StreamKey, Expected]]:
    """Do the same for every thread of a tenant from one to another, by their ids."""
    events = decoded_in_streams(tx, log, first, last)
    for stream, told in groupby(events, itemgetter(0)):
        yield stream, expected_rows(tx, log, stream, (event for _, event in told), index)
