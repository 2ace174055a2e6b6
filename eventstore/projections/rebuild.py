"""Rebuilding a thread's rows from its events, and comparing the two.

A few threads a transaction, under the same locks as their appends; other threads go on. Rows kept
live and rows rebuilt come from the same ``evolve``, so :func:`compare_thread` finding nothing is a
law, tested after every kind of write; finding something means the tables were changed by hand or a
rule changed.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, Final, NamedTuple

import msgspec

from eventstore.conversation.evolve import evolve
from eventstore.conversation.present import thread_details
from eventstore.conversation.rows import PROJECTION_VERSION, Row, ThreadRow
from eventstore.conversation.state import FoldedThread
from eventstore.core import ids
from eventstore.core.events import StreamKey
from eventstore.errors import SchemaTooNew
from eventstore.projections.folding import starting_state
from eventstore.projections.indexes import (
    ContentIndex,
    IndexEntry,
    clear_indexes,
    stored_entries,
)
from eventstore.projections.kept_rows import ROW_TABLES, write_rows
from eventstore.projections.threads import move_heads
from eventstore.storage.folding_pages import decoded_events
from eventstore.storage.interning import find_category, find_tenant
from eventstore.storage.requests import Log
from eventstore.storage.transaction import Transaction

__all__ = [
    "Finding",
    "bring_up_to_date",
    "compare_thread",
    "next_thread",
    "next_threads",
    "rebuild_threads",
]


class Finding(NamedTuple):
    """One row that is not what the events say, or a large content that is not where they say."""

    stream_id: str
    version: int
    """Version the thread is at, by its events; of a blob, the version of its event."""
    kind: str
    """``"missing_row"``, ``"extra_row"`` or ``"different_row"``, which a rebuild mends;
    ``"missing_blob"`` or ``"extra_blob"``, which it does not."""
    message: str


def _expected_rows(
    tx: Transaction, log: Log, stream: StreamKey, index: ContentIndex
) -> tuple[dict[tuple[type[Any], Any], Any], FoldedThread | None]:
    """Fold a thread's events; return the rows they leave, by kind and key, and the last state."""
    rows: dict[tuple[type[Any], Any], Any] = {}
    state: FoldedThread | None = None
    for event in decoded_events(tx, log, stream):
        if state is None:
            state = starting_state(tx, log, stream.tenant, stream.id, event)
        changed = evolve(state, event)
        rows.update({(type(row), ROW_TABLES[type(row)][1](row)): row for row in changed})
        state = state.with_rows(changed, event)
        if event.content is not None:
            index.see(stream, event)
        if event.type == "ThreadForked" and state.thread is not None:
            index.inherit(stream, thread_details(state, state.thread)[1])
    return rows, state


def rebuild_threads(tx: Transaction, log: Log, streams: Sequence[StreamKey]) -> list[int]:
    """Drop the rows of threads and fold their events again; return how many rows each has.

    Their heads are taken first, as an append takes them: on PostgreSQL somebody might otherwise add
    to a thread between reading its events and dropping its rows.
    """
    threads = [(find_tenant(tx, stream.tenant) or 0, stream.id) for stream in streams]
    category = find_category(tx, ids.THREAD) or 0
    tx.ordering.take(tx, [(tenant, category, key) for tenant, key in threads], 1, patient=True)
    index = ContentIndex()
    folded = [_expected_rows(tx, log, stream, index) for stream in streams]
    kept: list[tuple[int, bytes, Row]] = []
    for table, _ in ROW_TABLES.values():
        table.clear(tx, threads)
    clear_indexes(tx, threads)
    tx.flush()  # what is written below must not meet in one statement what goes
    for thread, (rows, _) in zip(threads, folded, strict=True):
        kept += [(*thread, row) for row in rows.values()]
    write_rows(tx, kept)
    standing = [state.thread for _, state in folded if state is not None]
    move_heads(tx, threads[0][0], [row for row in standing if row is not None])
    index.write(tx)
    tx.flush()  # nor must an append meet it that goes on in this transaction
    return [len(rows) for rows, _ in folded]


def compare_thread(tx: Transaction, log: Log, stream: StreamKey) -> list[Finding]:
    """Return every row of a thread that differs from what its events say."""
    tenant = find_tenant(tx, stream.tenant) or 0
    index = ContentIndex()
    expected, state = _expected_rows(tx, log, stream, index)
    version = 0 if state is None else state.version
    actual = {
        (kind, key(row)): row
        for kind, (table, key) in ROW_TABLES.items()
        for row in table.all(tx, tenant, stream.id)
    }
    differences = [
        *_differences(expected, actual),
        *_index_differences(index.entries(stream), stored_entries(tx, tenant, stream.id)),
    ]
    return [Finding(stream.text, version, kind, message) for kind, message in differences]


def _index_differences(
    expected: set[IndexEntry], actual: set[IndexEntry]
) -> Iterator[tuple[str, str]]:
    """Compare what threads and messages are found by, without showing it: it may be personal."""
    for table, _, __ in sorted(expected - actual):
        yield "missing_row", f"{table}: a row is missing, or has another value"
    for table, _, __ in sorted(actual - expected):
        yield "extra_row", f"{table}: a row that no event made"


def _differences(
    expected: dict[tuple[type[Any], Any], Any], actual: dict[tuple[type[Any], Any], Any]
) -> Iterator[tuple[str, str]]:
    for place in expected.keys() | actual.keys():
        name = ROW_TABLES[place[0]][0].name
        wanted, found = expected.get(place), actual.get(place)
        if found is None:
            yield "missing_row", f"{name}: no row for {_shown(place[1])}"
        elif wanted is None:
            yield "extra_row", f"{name}: a row for {_shown(place[1])} that no event made"
        elif wanted != found:
            fields = [
                f"{field}: {_shown(getattr(found, field))}, not {_shown(getattr(wanted, field))}"
                for field in wanted.__struct_fields__
                if getattr(wanted, field) != getattr(found, field)
            ]
            yield "different_row", f"{name} {_shown(place[1])}: {'; '.join(fields)}"


def _shown(value: object) -> str:
    if isinstance(value, bytes):
        return value.hex()
    return str(msgspec.to_builtins(value)) if isinstance(value, msgspec.Struct) else str(value)


def next_thread(tx: Transaction, tenant_name: str, after: bytes) -> bytes | None:
    """Return the thread whose id follows ``after``, by its stream, so lost rows are found too."""
    row = tx.one(_NEXT, (find_tenant(tx, tenant_name), ids.THREAD, after, 1))
    return None if row is None else bytes(row[0])


def next_threads(tx: Transaction, tenant_name: str, after: bytes) -> list[StreamKey]:
    """Return threads whose ids follow ``after``: as many as have few events together, or one."""
    tenant = find_tenant(tx, tenant_name)
    found: list[StreamKey] = []
    events = 0
    for stream, version in tx.all(_NEXT, (tenant, ids.THREAD, after, _THREADS_MAX)):
        events += version
        if found and events > _EVENTS_MAX:
            break
        found.append(StreamKey(tenant_name, ids.THREAD, bytes(stream)))
    return found


_THREADS_MAX: Final = 50
_EVENTS_MAX: Final = 2_000
"""What is done in one transaction: enough to share its commit, too little to hold up an append."""

_NEXT: Final = (
    "SELECT stream, version FROM {streams} WHERE tenant = ?"
    " AND category = (SELECT id FROM {categories} WHERE name = ?) AND stream > ?"
    " ORDER BY stream LIMIT ?"
)


def bring_up_to_date(tx: Transaction, log: Log, stream: StreamKey, row: ThreadRow) -> bool:
    """Rebuild a thread whose rows were written by an older version of the rules, before it is used.

    Returns whether it did. ``row`` is the thread's row as read in this transaction.

    Raises:
        SchemaTooNew: a newer version of the library keeps this thread's rows.
    """
    if row.projection_version > PROJECTION_VERSION:
        raise SchemaTooNew(f"rows {row.projection_version}", f"rows {PROJECTION_VERSION}")
    if row.projection_version == PROJECTION_VERSION:
        return False
    rebuild_threads(tx, log, [stream])
    return True
