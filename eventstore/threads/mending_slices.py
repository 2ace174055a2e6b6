"""Find the threads whose rows differ from their events, and mend them slice by slice."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

from eventstore.conversation.rows import RunRow
from eventstore.core import ids
from eventstore.core.events import StreamKey
from eventstore.storage import gaps
from eventstore.storage.interning import find_category, find_tenant
from eventstore.storage.log import Log
from eventstore.storage.transaction import Transaction
from eventstore.threads.expected import Expected, expected_of_each
from eventstore.threads.leases import LEASES, lease_key
from eventstore.threads.mending import SLICE, Again, Change, Changes, Mending
from eventstore.threads.row_tables import ROW_TABLES
from eventstore.threads.snapshot_checks import SNAPSHOTS
from eventstore.threads.thread_rows import ends_of, mend_heads
from eventstore.threads.thread_table import (
    Difference,
    Row,
    ThreadKey,
    ThreadTable,
    differences,
    mend,
)

__all__ = ["Looked", "Mended", "look_over", "mend_slice", "rows_by_table"]


class Looked(NamedTuple):
    """The result of comparing some threads."""

    right: list[int]
    """The number of rows of each thread that has no differences."""
    wrong: list[Mending]


class Mended(NamedTuple):
    """The result of one transaction."""

    done: list[int]
    """The number of rows of each thread that is right now."""
    left: list[Mending]
    again: list[Again]


def look_over(tx: Transaction, log: Log, streams: Sequence[StreamKey], tries: int = 1) -> Looked:
    """Compare the rows of threads with their events; return which are right and which differ.

    The threads are of one tenant, one after the other in the order of their ids.

    Raises:
        BrokenChain: an event is missing, so the right rows are unknown.
    """
    if not streams:
        return Looked([], [])
    tenant = find_tenant(tx, streams[0].tenant) or 0
    wanted = {*streams}
    folded = expected_of_each(tx, log, streams[0], streams[-1])
    expected = {(tenant, one.stream.id): one for one in folded if one.stream in wanted}
    threads = [(tenant, stream.id) for stream in streams]
    versions, heads = ends_of(tx, threads)
    for stream, thread in zip(streams, threads, strict=True):
        last = expected[thread].version if thread in expected else 0
        if last < versions.get(thread, 0):
            raise gaps.missing(stream, last + 1)
    found = _by_thread(differences(tx, threads, rows_by_table(tenant, expected)))
    wrong = {*found}
    wrong |= {thread for thread, one in expected.items() if one.head != heads.get(thread)}
    wrong |= {thread for thread, one in expected.items() if one.wrong_snapshots}
    return Looked(
        [len(one.rows) for key, one in expected.items() if key not in wrong],
        [
            Mending(one, key, found[key], heads.get(key), tries, snapshots=one.wrong_snapshots)
            for key, one in expected.items()
            if key in wrong
        ],
    )


def _by_thread(found: Iterable[Difference]) -> defaultdict[ThreadKey, Changes]:
    changes: defaultdict[ThreadKey, Changes] = defaultdict(lambda: Changes([], []))
    for table, gone, missing in found:
        for row in gone:
            changes[row[0], row[1]].gone.append((table, row))
        for row in missing:
            changes[row[0], row[1]].missing.append((table, row))
    return changes


def rows_by_table(
    tenant: int, expected: dict[ThreadKey, Expected]
) -> list[tuple[ThreadTable, list[Row]]]:
    """Return the rows that threads of a tenant should have, by table; every table is included."""
    rows: dict[type[Any], list[Row]] = {kind: [] for kind in ROW_TABLES}
    indexed: dict[ThreadTable, list[Row]] = {LEASES: []}
    for thread, one in expected.items():
        for (kind, _), row in one.rows.items():
            rows[kind].append((*thread, *ROW_TABLES[kind].encode(row)))
            if kind is RunRow:
                key, held = lease_key(thread, row)
                indexed[LEASES] += [key] if held else []
        for table, found in one.index.rows(tenant):
            indexed.setdefault(table, []).extend(found)
    return [*((ROW_TABLES[kind], found) for kind, found in rows.items()), *indexed.items()]


def mend_slice(tx: Transaction, log: Log, waiting: Sequence[Mending]) -> Mended:
    """Write the next rows of threads that wait to be mended; ``waiting`` is in order.

    Their heads are locked first, as an append locks them.
    """
    taken, left = _first_few(waiting)
    category = find_category(tx, ids.THREAD) or 0
    places = {one: (one.thread[0], category, one.thread[1]) for one in taken}
    heads = tx.ordering.take(tx, list(places.values()), 1, patient=True).rows
    there = [one for one in taken if places[one] in heads]  # others were purged meanwhile
    ready = [one for one in there if one.still_holds(tx, log, heads[places[one]].version)]
    again = [one.again for one in there if one not in ready]
    slices = [one.next_slice() for one in ready]
    mend(tx, _joined(slices))
    done = [one for one in ready if one.done]
    if done:
        mend_heads(tx, [one.thread for one in done], {one.thread: one.head for one in done})
        SNAPSHOTS.clear(tx, [one.thread for one in done])
    tx.flush()
    return Mended(
        [one.rows for one in done if not one.followed],
        [*(one for one in ready if not one.done), *left],
        again + [one.again for one in done if one.followed],
    )


def _first_few(waiting: Sequence[Mending]) -> tuple[list[Mending], list[Mending]]:
    """Return as many threads as one transaction mends, or the first, and the others."""
    size, count = 0, 0
    for one in waiting:
        size += one.size
        if count and size > SLICE:
            break
        count += 1
    return [*waiting[:count]], [*waiting[count:]]


def _joined(slices: Sequence[tuple[list[Change], list[Change]]]) -> list[Difference]:
    gone: dict[ThreadTable, list[Row]] = {}
    missing: dict[ThreadTable, list[Row]] = {}
    for goes, comes in slices:
        for table, row in goes:
            gone.setdefault(table, []).append(row)
        for table, row in comes:
            missing.setdefault(table, []).append(row)
    return [
        Difference(table, gone.get(table, ()), missing.get(table, ()))
        for table in {**gone, **missing}
    ]
