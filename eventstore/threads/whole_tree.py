"""Read a whole thread in a handful of statements, however large it is.

``StoredThread`` reads by key, a row on demand, which is enough for deciding. Drawing the tree needs
every row there is: own messages come as one statement a thousand, the shape of the tree as one, the
path that a fork inherits as one a thousand, and later wordings as one for some dozens. After that
only changes of inherited messages after the fork are read from the database.

Use it only for views that change nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from eventstore.conversation import tree
from eventstore.conversation.rows import MessageRow, Place
from eventstore.core import ids
from eventstore.core.events import StreamKey
from eventstore.threads.branch_ends import branch_ends
from eventstore.threads.removed import REMOVED, Removed
from eventstore.threads.shape import read_shape
from eventstore.threads.stored_thread import StoredThread
from eventstore.threads.stretches import read_everything

__all__ = ["WholeTree"]

_AT: Final = "(tenant = ? AND thread = ? AND hop = 0 AND segment = ? AND depth = ?)"
"""With the thread in it once more, or SQLite goes through all of its messages."""
_PLACES: Final = 32
"""Messages that are read by their places at a time."""


class WholeTree(StoredThread):
    """Answers queries on one thread's rows after all of them were read."""

    def prepare(self, stretches: Sequence[tree.Range]) -> None:
        """Do nothing: everything was read."""

    def prefetch(self, stretch: tree.Range) -> None:
        """Do nothing: everything was read."""

    def read_ends(self) -> list[MessageRow]:
        """Return the last visible message of every branch, in the order of the drawn tree."""
        self._shape = read_shape(self._tx, self.tenant, self.thread_id)
        thread = self.thread
        gone = thread is not None and thread.removed_messages
        removed = self._find(MessageRow, REMOVED, (), few=True) if gone else []
        ends = branch_ends(self._shape, Removed(removed), self.inherited)
        own = [place for place in ends if not place.hop]
        for start in range(0, len(own), _PLACES):
            some = own[start : start + _PLACES]
            asked = [*some, *[some[-1]] * ((1 << (len(some) - 1).bit_length()) - len(some))]
            where = f"({' OR '.join([_AT] * len(asked))})"
            key = self.tenant, self.thread_id
            values = [one for place in asked for one in (*key, place.segment, place.depth)]
            for row in self._find(MessageRow, where, values, few=True):
                self._keep(MessageRow, row.message_id, row)
        return [row for row in map(self.message_at, ends) if row is not None]

    def read_contents(self) -> None:
        """Read every message with the events that hold its words."""
        stream = StreamKey(self.tenant_name, ids.THREAD, self.thread_id)
        rows = self._rows_about_inherited()
        for row, born in read_everything(self._tx, self._log, stream):
            rows.append(row)
            self._events[born.version] = born
        for row in rows:
            self._keep(MessageRow, row.message_id, row)
        self.read_wordings(rows)
        self._read_inherited()
        self._end_reading()

    def _rows_about_inherited(self) -> list[MessageRow]:
        thread = self.thread
        if thread is None or thread.fork is None:
            return []
        return self._find(MessageRow, "hop > 0", (), few=True)

    def _read_inherited(self) -> None:
        inherited = self._inheritance()
        if inherited is None:
            return
        for row in inherited.read(1, inherited.path.end.depth):
            assert row.place is not None  # noqa: S101 (it is on the path)
            self._placed.setdefault(row.place, row)

    def _end_reading(self) -> None:
        """Note that all rows were read, and the shape of the tree, of any size."""
        for hop, segment, depth in list(self._placed):
            if hop:
                self._placed.setdefault(Place(hop, segment, depth + 1), None)
        self._shape = read_shape(self._tx, self.tenant, self.thread_id)
