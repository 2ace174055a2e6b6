"""Mend the rows of threads while other transactions go on.

Reading a thread's events, folding them and comparing its rows is nearly all of a rebuild. It is
done on a snapshot, where it blocks no writer (:func:`look_over`). Only differences are written
under the lock of an append, a slice a transaction (:func:`mend_slice`). If the thread was appended
to meanwhile, the few new events are folded under the lock, and the thread is compared once more
afterwards, because those appends were decided on wrong rows.

No append may be decided on rows of which only some are mended. So a thread that takes more than one
slice is marked first, as if an older version of the library had written its rows: an append to it
rebuilds it whole in its own transaction, and the slices end, because its head has moved.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Final, NamedTuple, TypeAlias

from eventstore.conversation.rows import Row as StateRow
from eventstore.conversation.rows import RunRow
from eventstore.core import ids
from eventstore.core.events import StreamKey
from eventstore.storage import gaps
from eventstore.storage.folding_pages import decoded_events
from eventstore.storage.interning import find_category, find_tenant
from eventstore.storage.log import Log
from eventstore.storage.transaction import Transaction
from eventstore.threads.cached_rows import ROW_TABLES
from eventstore.threads.expected import Expected, expected_of_each
from eventstore.threads.leases import LEASES, lease_key
from eventstore.threads.thread_rows import THREADS, ends_of, mend_heads
from eventstore.threads.thread_table import (
    Difference,
    Row,
    ThreadKey,
    ThreadTable,
    differences,
    mend,
)

__all__ = ["Again", "Looked", "Mended", "Mending", "look_over", "mend_slice", "rows_by_table"]

Change: TypeAlias = tuple[ThreadTable, Row]

_SLICE: Final = 500
"""Rows that are dropped and written in one transaction: some milliseconds."""
_BEHIND_MAX: Final = 100
"""Events that are folded under the lock; with more, a thread is compared again."""
_UNFINISHED: Final = 0
"""Replaces the version of the rows' meaning while only some of them are right."""


class Again(NamedTuple):
    """A thread to compare again, because it was appended to."""

    stream: StreamKey
    tries: int
    """Number of times that it was compared."""


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


class Mending:
    """One thread whose rows differ from its events, while they are mended."""

    def __init__(
        self,
        expected: Expected,
        thread: ThreadKey,
        found: Iterable[Difference],
        head: bytes | None,
        tries: int,
    ) -> None:
        """Create it from the differences and the head found, after so many comparisons."""
        self.again: Final = Again(expected.stream, tries)
        self.stream: Final = expected.stream
        self.thread: Final = thread
        self.done = False
        self.followed = False
        """True if it was appended to before it was right."""
        self._expected = expected
        self._head_found = head
        self._marked = False
        self._seen = expected.version
        self._gone: list[Change] = []
        self._missing: list[Change] = []
        for table, gone, missing in found:
            self._gone += [(table, row) for row in gone if row[:2] == thread]
            self._missing += [(table, row) for row in missing if row[:2] == thread]

    @property
    def size(self) -> int:
        """The number of rows to drop or write."""
        return len(self._gone) + len(self._missing)

    @property
    def head(self) -> bytes | None:
        """The head after the events."""
        return self._expected.head

    @property
    def rows(self) -> int:
        """The number of rows that the thread should have."""
        return len(self._expected.rows)

    @property
    def version(self) -> int:
        """The version of the last event."""
        return self._expected.version

    def told(self) -> Iterator[str]:
        """Yield a sentence about each row that differs; rows of indexes, which hold words, alone.

        Rows are compared as the tables hold them, so a row that cannot be decoded is no obstacle.
        """
        gone = {(table, row[: table.key]): row for table, row in self._gone}
        missing = {(table, row[: table.key]): row for table, row in self._missing}
        for table, key in sorted({**gone, **missing}, key=lambda one: (one[0].name, repr(one[1]))):
            found, wanted = gone.get((table, key)), missing.get((table, key))
            named = "a row"
            if table in _ROW_TABLES:
                named = f"the row {' '.join(map(_shown, key[2:]))}".rstrip()
            if found is None:
                yield f"{table.name}: {named} is missing"
            elif wanted is None:
                yield f"{table.name}: {named} was made by no event"
            else:
                columns = zip(table.every, found, wanted, strict=True)
                names = [name for name, there, should in columns if there != should]
                yield f"{table.name}: {named} differs in {', '.join(names)}"
        if self.head != self._head_found:
            yield "streams: the thread has another head"

    def still_holds(self, tx: Transaction, log: Log, version: int) -> bool:
        """Return whether the differences hold at the version that the thread has under the lock."""
        if self._marked:
            row = THREADS.row(tx, self.thread)
            return version == self._seen and row is not None and row[-1] == _UNFINISHED
        return version == self._seen or self._follow(tx, log, version)

    def _follow(self, tx: Transaction, log: Log, version: int) -> bool:
        """Fold the events appended since, and compare the affected rows again."""
        if not self._seen < version <= self._seen + _BEHIND_MAX:
            return False
        index = self._expected.index
        savepoint, changed = index.savepoint(), list[StateRow]()
        for event in decoded_events(tx, log, self.stream, after=self._seen, until=version):
            if event.type == "ContentErased":
                return False  # it erases words of events that were folded already
            changed += self._expected.take(tx, log, event)
        if index.savepoint() != savepoint:
            return False
        self._seen, self.followed = version, True
        wanted: dict[tuple[ThreadTable, Row], Row | None] = {}
        wanted.update({(table, row[: table.key]): None for table, row in self._gone})
        wanted.update({(table, row[: table.key]): row for table, row in self._missing})
        for one in changed:
            table, row = _in_table(self.thread, one)
            wanted[table, row[: table.key]] = row
            if isinstance(one, RunRow):
                key, held = lease_key(self.thread, one)
                wanted[LEASES, key] = key if held else None
        found = [(table, table.row(tx, key), row) for (table, key), row in wanted.items()]
        differing = [one for one in found if one[1] != one[2]]
        self._gone = [(table, row) for table, row, _ in differing if row is not None]
        self._missing = [(table, row) for table, _, row in differing if row is not None]
        return True

    def next_slice(self) -> tuple[list[Change], list[Change]]:
        """Return the rows to drop and to write now; at the end :attr:`done` is true.

        Rows to write are dropped first: another transaction may have written them meanwhile.
        """
        if not self._marked and self.size > _SLICE:
            self._marked = True
            self._gone = [one for one in self._gone if one[0] is not THREADS]
            self._missing = [one for one in self._missing if one[0] is not THREADS]
            own = self._own_row()
            return [own], [(THREADS, (*own[1][:-1], _UNFINISHED))]
        gone, self._gone = self._gone[:_SLICE], self._gone[_SLICE:]
        room = _SLICE - len(gone)
        missing, self._missing = self._missing[:room], self._missing[room:]
        self.done = not self._gone and not self._missing
        if self.done and self._marked:
            missing.append(self._own_row())
        return gone + missing, missing

    def _own_row(self) -> Change:
        assert self._expected.thread is not None  # noqa: S101 (there is an event)
        return _in_table(self.thread, self._expected.thread)


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
    found = differences(tx, threads, rows_by_table(tenant, expected))
    wrong = {row[:2] for _, goes, comes in found for row in (*goes, *comes)}
    wrong |= {thread for thread, one in expected.items() if one.head != heads.get(thread)}
    return Looked(
        [len(one.rows) for key, one in expected.items() if key not in wrong],
        [
            Mending(one, key, found, heads.get(key), tries)
            for key, one in expected.items()
            if key in wrong
        ],
    )


def rows_by_table(
    tenant: int, expected: dict[ThreadKey, Expected]
) -> list[tuple[ThreadTable, list[Row]]]:
    """Return the rows that threads of a tenant should have, by table; every table is included."""
    rows: dict[type[Any], list[Row]] = {kind: [] for kind in ROW_TABLES}
    indexed: dict[ThreadTable, list[Row]] = {LEASES: []}
    for thread, one in expected.items():
        for (kind, _), row in one.rows.items():
            rows[kind].append((*thread, *ROW_TABLES[kind][0].encode(row)))
            if kind is RunRow:
                key, held = lease_key(thread, row)
                indexed[LEASES] += [key] if held else []
        for table, found in one.index.rows(tenant):
            indexed.setdefault(table, []).extend(found)
    return [*((ROW_TABLES[kind][0], found) for kind, found in rows.items()), *indexed.items()]


_ROW_TABLES: Final = frozenset(table for table, _ in ROW_TABLES.values())


def _shown(value: object) -> str:
    return value.hex() if isinstance(value, bytes) else str(value)


def _in_table(thread: ThreadKey, row: StateRow) -> Change:
    table = ROW_TABLES[type(row)][0]
    return table, (*thread, *table.encode(row))


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
        if count and size > _SLICE:
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
