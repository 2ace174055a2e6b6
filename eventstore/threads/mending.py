"""Mend the rows of threads while other transactions go on.

Reading a thread's events, folding them and comparing its rows is nearly all of a rebuild. It is
done on a snapshot, where it blocks no writer (``look_over`` in ``mending_slices.py``). Only
differences are written under the lock of an append, a slice a transaction (``mend_slice``). If the
thread was appended to meanwhile, the few new events are folded under the lock, and the thread is
compared once more afterwards, because those appends were decided on wrong rows.

No append may be decided on rows of which only some are mended. So a thread that takes more than one
slice is marked first, as if an older version of the library had written its rows: an append to it
rebuilds it whole in its own transaction, and the slices end, because its head has moved.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final, NamedTuple, TypeAlias

from eventstore.conversation.rows import Row as StateRow
from eventstore.conversation.rows import RunRow
from eventstore.core.events import StreamKey
from eventstore.storage.folding_pages import decoded_events
from eventstore.storage.log import Log
from eventstore.storage.transaction import Transaction
from eventstore.threads.expected import Expected
from eventstore.threads.hidden_words import rows_as_stored
from eventstore.threads.leases import LEASES, lease_key
from eventstore.threads.row_tables import ROW_TABLES
from eventstore.threads.thread_rows import THREADS
from eventstore.threads.thread_table import Row, ThreadKey, ThreadTable

__all__ = [
    "Again",
    "Changes",
    "Mending",
]

Change: TypeAlias = tuple[ThreadTable, Row]

SLICE: Final = 500
"""Rows that are dropped and written in one transaction: some milliseconds."""
_BEHIND_MAX: Final = 100
"""Events that are folded under the lock; with more, a thread is compared again."""
_UNFINISHED: Final = 0
"""Replaces the version of the rows' meaning while only some of them are right."""


class Changes(NamedTuple):
    """The rows of one thread that differ from its events."""

    gone: list[Change]
    missing: list[Change]


class Again(NamedTuple):
    """A thread to compare again, because it was appended to."""

    stream: StreamKey
    tries: int
    """Number of times that it was compared."""


class Mending:
    """One thread whose rows differ from its events, while they are mended."""

    def __init__(
        self,
        expected: Expected,
        thread: ThreadKey,
        found: Changes,
        head: bytes | None,
        tries: int,
        *,
        snapshots: Sequence[int] = (),
    ) -> None:
        """Create it from the differences and the head found, after so many comparisons.

        ``snapshots`` are the versions of those that differ; all of the thread's go at the end.
        """
        self.again: Final = Again(expected.stream, tries)
        self.stream: Final = expected.stream
        self.thread: Final = thread
        self.done: bool = False
        self.followed: bool = False
        """True if it was appended to before it was right."""
        self._expected = expected
        self._head_found = head
        self._snapshots = snapshots
        self._marked = False
        self._seen = expected.version
        self._gone, self._missing = found

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
        for version in self._snapshots:
            yield f"snapshots: the state after event {version} differs"

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
            if event.data.erases:
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
        differing = [
            one for one in found if _hidden(tx, one[0], one[1]) != _hidden(tx, one[0], one[2])
        ]
        self._gone = [(table, row) for table, row, _ in differing if row is not None]
        self._missing = [(table, row) for table, _, row in differing if row is not None]
        return True

    def next_slice(self) -> tuple[list[Change], list[Change]]:
        """Return the rows to drop and to write now; at the end :attr:`done` is true.

        Rows to write are dropped first: another transaction may have written them meanwhile.
        """
        if not self._marked and self.size > SLICE:
            self._marked = True
            self._gone = [one for one in self._gone if one[0] is not THREADS]
            self._missing = [one for one in self._missing if one[0] is not THREADS]
            own = self._own_row()
            return [own], [(THREADS, (*own[1][:-1], _UNFINISHED))]
        gone, self._gone = self._gone[:SLICE], self._gone[SLICE:]
        room = SLICE - len(gone)
        missing, self._missing = self._missing[:room], self._missing[room:]
        self.done = not self._gone and not self._missing
        if self.done and self._marked:
            missing.append(self._own_row())
        return gone + missing, missing

    def _own_row(self) -> Change:
        assert self._expected.thread is not None  # noqa: S101 (there is an event)
        return _in_table(self.thread, self._expected.thread)


_ROW_TABLES: Final = frozenset(ROW_TABLES.values())


def _shown(value: object) -> str:
    return value.hex() if isinstance(value, bytes) else str(value)


def _hidden(tx: Transaction, table: ThreadTable, row: Row | None) -> Row | None:
    return None if row is None else rows_as_stored(tx, table.name, [row])[0]


def _in_table(thread: ThreadKey, row: StateRow) -> Change:
    table = ROW_TABLES[type(row)]
    return table, (*thread, *table.encode(row))
