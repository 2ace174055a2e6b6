"""A thread as its rows in the database say: the view that deciding reads inside a transaction.

Rows are read by key when they are asked for and kept; rows that events of this transaction changed lie
over them until :func:`write_rows` writes them, once, at the end of the batch. Every question that
spans several rows merges the two, so the tenth command of a batch sees what the first nine did.

A fork asks its source for what it inherits, one hop further, as of the version it was forked at.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, Final

from msgspec.structs import replace

from eventstore.conversation import tree
from eventstore.conversation.rows import (
    ROOT,
    BranchPointRow,
    LabelRow,
    MessageRow,
    Place,
    Row,
    RunRow,
    SegmentRow,
    StepRow,
    ThreadRow,
    TouchRow,
)
from eventstore.conversation.run_lifecycle import TERMINAL
from eventstore.core import ids
from eventstore.core.events import Event, StreamKey
from eventstore.errors import BrokenChain
from eventstore.projections.marks import LABELS, TOUCHES
from eventstore.projections.messages import MESSAGES, decode_message
from eventstore.projections.row_table import RowTable
from eventstore.projections.runs import OPEN_RUNS, RUNS, STEPS
from eventstore.projections.threads import THREADS
from eventstore.projections.tree_tables import BRANCH_POINTS, SEGMENTS
from eventstore.storage import read
from eventstore.storage.append import Log
from eventstore.storage.interning import find_category, find_tenant
from eventstore.storage.transaction import Transaction

__all__ = ["ROW_TABLES", "StoredThread", "write_rows"]

ROW_TABLES: Final[Mapping[type[Any], tuple[RowTable[Any], Callable[[Any], Any]]]] = {
    ThreadRow: (THREADS, lambda _: None),
    MessageRow: (MESSAGES, lambda row: row.message_id),
    SegmentRow: (SEGMENTS, lambda row: row.segment),
    BranchPointRow: (BRANCH_POINTS, lambda row: row.place),
    RunRow: (RUNS, lambda row: row.run_id),
    StepRow: (STEPS, lambda row: row.step_id),
    LabelRow: (LABELS, lambda row: row.message_id),
    TouchRow: (TOUCHES, lambda row: row),
}
"""By kind of row: its table, and what identifies it within its thread."""

_Changes = dict[Any, Any]

_RANGE: Final = (
    f"SELECT {', '.join(f'm.{column}' for column in MESSAGES.columns)},"  # noqa: S608 (names of our own)
    " e.position, e.version, e.event_id, e.type, e.schema_version, e.recorded_at, e.data, e.content,"
    " e.salt, e.commitment, e.subject, e.metadata, e.hash"
    " FROM {messages} m JOIN {events} e ON e.tenant = m.tenant AND e.category = ?"
    " AND e.stream = m.thread AND e.version = coalesce(m.queued_version, m.version)"
    " WHERE m.tenant = ? AND m.thread = ? AND m.hop = 0 AND m.segment = ?"
    " AND m.depth BETWEEN ? AND ?"
)


class StoredThread:
    """One thread's rows, by key; keeps the protocol ``ThreadView``."""

    def __init__(
        self,
        tx: Transaction,
        log: Log,
        tenant_name: str,
        thread_id: bytes,
        *,
        as_of: int | None = None,
    ) -> None:
        """``as_of``: look at the thread as it stood at that version; only for what forks inherit."""
        self._tx = tx
        self._log = log
        self._tenant_name = tenant_name
        self._tenant = find_tenant(tx, tenant_name)
        self._events: dict[int, Event] = {}
        self._as_of = as_of
        self.thread_id = thread_id
        self._read: dict[type[Any], _Changes] = {kind: {} for kind in ROW_TABLES}
        self._changed: dict[type[Any], _Changes] = {kind: {} for kind in ROW_TABLES}
        self._placed: dict[Place, MessageRow | None] = {}
        self._source: StoredThread | None = None
        self._inherited: dict[tuple[int, int], tree.Range] | None = None

    # -- rows by key ---------------------------------------------------------------------------

    @property
    def thread(self) -> ThreadRow | None:
        return self._row(ThreadRow, None, "1")

    def message(self, message_id: bytes) -> MessageRow | None:
        row: MessageRow | None = self._row(MessageRow, message_id, "message = ?", message_id)
        if row is None:
            return self._inherited_message(message_id) if self._fork_source() else None
        return row if self._as_of is None else self._as_it_was(row)

    def segment(self, hop: int, segment: int) -> SegmentRow | None:
        if hop == 0:
            row: SegmentRow | None = self._row(SegmentRow, segment, "segment = ?", segment)
            return row
        row = None if (source := self._fork_source()) is None else source.segment(hop - 1, segment)
        return None if row is None else replace(row, hop=hop, parent=_one_hop_further(row.parent))

    def run(self, run_id: bytes) -> RunRow | None:
        return self._row(RunRow, run_id, "run = ?", run_id)

    def step(self, step_id: bytes) -> StepRow | None:
        return self._row(StepRow, step_id, "step = ?", step_id)

    def _row(self, kind: type[Any], key: object, where: str, *parameters: object) -> Any:  # noqa: ANN401
        """Return a row that was changed here, was read before, or is read now."""
        changed = self._changed[kind]
        if key in changed:
            return changed[key]
        read = self._read[kind]
        if key in read:
            return read[key]
        row = None
        if self._tenant is not None:
            table = ROW_TABLES[kind][0]
            row = table.get(self._tx, self._tenant, self.thread_id, where, parameters)
        read[key] = row
        return row

    # -- places --------------------------------------------------------------------------------

    def message_at(self, place: Place) -> MessageRow | None:
        if place in self._placed:
            return self._placed[place]
        row = None
        if place.hop == 0 or self._sees(place):
            row = self._find_one(MessageRow, "hop = ? AND segment = ? AND depth = ?", place)
        if row is None and place.hop and self._sees(place):
            source = self._fork_source()
            found = None if source is None else source.message_at(_one_hop_nearer(place))
            row = None if found is None else self.message(found.message_id)
        self._placed[place] = row
        return row

    def end_of(self, hop: int, segment: int) -> int:
        if hop:
            return self._inherited_ranges()[hop, segment].end
        where = "hop = 0 AND segment = ? ORDER BY depth DESC"
        last = self._find_one(MessageRow, where, (segment,))
        placed = [row.place for row in self._changed[MessageRow].values() if row.place is not None]
        depths = [place.depth for place in placed if place[:2] == (hop, segment)]
        if last is not None and last.place is not None:
            depths.append(last.place.depth)
        return max(depths, default=0)

    def branch_point(self, place: Place) -> BranchPointRow | None:
        where = "hop = ? AND segment = ? AND depth = ?"
        row: BranchPointRow | None = self._row(BranchPointRow, place, where, *place)
        return row if row is not None or not place.hop else self._inherited_turn(place)

    def turns(self, hop: int, segment: int, start: int, end: int) -> Sequence[BranchPointRow]:
        where = "hop = ? AND segment = ? AND depth BETWEEN ? AND ?"
        found = self._find(BranchPointRow, where, (hop, segment, start, end))
        points = {row.place: row for row in found}
        for place, row in self._changed[BranchPointRow].items():
            if place[:2] == (hop, segment) and start <= place.depth <= end:
                points[place] = row
        if hop and (stretch := self._inherited_ranges().get((hop, segment))) is not None:
            turn = Place(hop, segment, stretch.end)
            if turn not in points and start <= turn.depth <= end:
                inherited = self._inherited_turn(turn)
                points.update({} if inherited is None else {turn: inherited})
        return [points[place] for place in sorted(points) if points[place].active is not None]

    def children(self, place: Place) -> Sequence[Place]:
        below = place.depth + 1
        first = []
        if place != ROOT:
            next_place = place._replace(depth=below)
            if self.message_at(next_place) is not None:
                first = [next_place]
            elif place.hop and (turn := self._inherited_turn(place)) is not None and turn.active:
                first = [Place(*turn.active, below)]
        where = "parent_hop = ? AND parent_segment = ? AND parent_depth = ? ORDER BY segment"
        begun = {row.segment for row in self._find(SegmentRow, where, place)}
        begun |= {row.segment for row in self._changed[SegmentRow].values() if row.parent == place}
        return first + [Place(0, segment, below) for segment in sorted(begun)]

    def first_removed(self, hop: int, segment: int, start: int, end: int) -> int | None:
        where = "hop = ? AND segment = ? AND depth BETWEEN ? AND ? AND removed IS NOT NULL"
        found = self._find(MessageRow, where, (hop, segment, start, end))
        rows = {row.message_id: row for row in found}
        rows.update(self._changed[MessageRow])
        depths = [
            row.place.depth
            for row in rows.values()
            if row.removed is not None and row.place is not None and row.place[:2] == (hop, segment)
        ]
        return min((depth for depth in depths if start <= depth <= end), default=None)

    # -- what waits, what runs, what has a name ------------------------------------------------

    def queued_messages(self) -> Sequence[MessageRow]:
        found = self._find(MessageRow, "status = 0 AND depth IS NULL", ())
        rows = {row.message_id: row for row in found}
        rows.update(self._changed[MessageRow])
        waiting = [row for row in rows.values() if row.place is None and row.removed is None]
        return sorted(waiting, key=lambda row: row.version)

    def open_runs(self) -> Sequence[RunRow]:
        rows = {row.run_id: row for row in self._find(RunRow, OPEN_RUNS, ())}
        rows.update(self._changed[RunRow])
        running = [row for row in rows.values() if row.status not in TERMINAL]
        return sorted(running, key=lambda row: row.version)

    def label(self, label: str) -> LabelRow | None:
        rows = {row.message_id: row for row in self._find(LabelRow, "label = ?", (label,))}
        rows.update(self._changed[LabelRow])
        return next((row for row in rows.values() if row.label == label), None)

    def labels(self) -> dict[bytes, str]:
        """Return every label by message."""
        rows = {row.message_id: row.label for row in self._find(LabelRow, "label IS NOT NULL", ())}
        rows.update({key: row.label for key, row in self._changed[LabelRow].items()})
        return {key: label for key, label in rows.items() if label is not None}

    # -- history: what presenting needs beyond deciding ------------------------------------------

    def touches_of(self, subject_id: bytes) -> Sequence[int]:
        """Return the versions of later events about a thread, message, run or step, in order."""
        found = self._find(TouchRow, "subject = ?", (subject_id,))
        changed = self._changed[TouchRow].values()
        versions = {row.version for row in [*found, *changed] if row.subject_id == subject_id}
        return sorted(
            version for version in versions if self._as_of is None or version <= self._as_of
        )

    def event(self, version: int) -> Event:
        """Return one event of this thread: of this transaction, read before, or read now."""
        event = self._events.get(version)
        if event is None:
            stream = StreamKey(self._tenant_name, ids.THREAD, self.thread_id)
            stored = read.event_at(self._tx, stream, version)
            if stored is None:
                raise BrokenChain(stream.text, version, "the event is missing")
            event = self._events[version] = read.as_event(self._log, stored)
        return event

    # -- what a fork inherits ------------------------------------------------------------------

    @property
    def source(self) -> StoredThread | None:
        """For a fork: its source, as of the version it was forked at."""
        return self._fork_source()

    def _fork_source(self) -> StoredThread | None:
        if self._source is None:
            thread = self.thread
            if thread is None or thread.fork is None:
                return None
            fork = thread.fork
            self._source = StoredThread(
                self._tx, self._log, self._tenant_name, fork.thread_id, as_of=fork.version
            )
        return self._source

    def _inherited_ranges(self) -> dict[tuple[int, int], tree.Range]:
        """Return the ranges of the inherited path by hop and segment, the last one first."""
        if self._inherited is None:
            thread, source = self.thread, self._fork_source()
            self._inherited = {}
            if thread is not None and thread.fork is not None and source is not None:
                for stretch in tree.ranges(source, thread.fork.place):
                    further = stretch._replace(hop=stretch.hop + 1)
                    self._inherited[further.hop, further.segment] = further
        return self._inherited

    def _sees(self, place: Place) -> bool:
        stretch = self._inherited_ranges().get((place.hop, place.segment))
        return stretch is not None and stretch.start <= place.depth <= stretch.end

    def _inherited_turn(self, place: Place) -> BranchPointRow | None:
        """Return the turn of the inherited path at ``place``, as a branch point with one child."""
        below: tree.Range | None = None
        for stretch in self._inherited_ranges().values():
            if (stretch.hop, stretch.segment, stretch.end) == place:
                if below is None:
                    return None
                return BranchPointRow(place, children=1, active=(below.hop, below.segment))
            below = stretch
        return None

    def _inherited_message(self, message_id: bytes) -> MessageRow | None:
        source = self._fork_source()
        found = None if source is None else source.message(message_id)
        if found is None or found.place is None:
            return None
        place = _one_hop_further(found.place)
        return replace(found, place=place, removed=None) if self._sees(place) else None

    def _as_it_was(self, row: MessageRow) -> MessageRow | None:
        """Take back from a row of this thread what happened to the message after :attr:`_as_of`."""
        if row.changed is None or row.changed <= (self._as_of or 0):
            return row
        versions = self.touches_of(row.message_id)
        beneath = self._inherited_message(row.message_id) if row.place and row.place.hop else None
        if beneath is not None and not versions:
            return beneath
        amended = sum(self.event(version).type == "MessageAmended" for version in versions)
        before = 0 if beneath is None else beneath.revision
        return replace(row, changed=max(versions, default=None), revision=before + amended)

    # -- reading and changing ------------------------------------------------------------------

    def _find(self, kind: type[Any], where: str, parameters: Sequence[Any]) -> list[Any]:
        if self._tenant is None:
            return []
        table = ROW_TABLES[kind][0]
        return table.find(self._tx, self._tenant, self.thread_id, where, parameters)

    def _find_one(self, kind: type[Any], where: str, parameters: Sequence[Any]) -> Any:  # noqa: ANN401
        if self._tenant is None:
            return None
        table = ROW_TABLES[kind][0]
        return table.get(self._tx, self._tenant, self.thread_id, where, parameters)

    def put(self, event: Event, rows: Iterable[Row]) -> None:
        """Lay the rows that an event changed over what was read."""
        self._events[event.version] = event
        for row in rows:
            kind = type(row)
            self._changed[kind][ROW_TABLES[kind][1](row)] = row
            if isinstance(row, MessageRow) and row.place is not None:
                self._placed[row.place] = row

    def mark(self) -> Any:  # noqa: ANN401 (opaque)
        """Remember what was changed so far."""
        return {kind: dict(rows) for kind, rows in self._changed.items()}

    def back_to(self, mark: Any) -> None:  # noqa: ANN401
        """Forget what was changed since a mark."""
        self._changed = {kind: dict(rows) for kind, rows in mark.items()}
        self._placed.clear()
        self._events.clear()

    def changed_rows(self) -> Iterator[tuple[int, bytes, Row]]:
        """Yield every row that differs from the database, with its tenant and thread."""
        tenant = find_tenant(self._tx, self._tenant_name)
        assert tenant is not None  # noqa: S101 (the event that changed a row interned it)
        for rows in self._changed.values():
            for row in rows.values():
                yield tenant, self.thread_id, row

    def prefetch(self, stretch: tree.Range) -> None:
        """Read the messages of a range, with the events that hold their content, in one statement."""
        if stretch.hop or self._tenant is None:
            return
        category = find_category(self._tx, ids.THREAD)
        where = (self._tenant, self.thread_id, stretch.segment, stretch.start, stretch.end)
        stream = StreamKey(self._tenant_name, ids.THREAD, self.thread_id)
        for columns in self._tx.all(_RANGE, (category, *where)):
            row = decode_message(columns)
            self._read[MessageRow][row.message_id] = row
            assert row.place is not None  # noqa: S101 (selected by it)
            self._placed[row.place] = row
            stored = read.StoredEvent(columns[16], stream, *columns[17:])
            self._events[stored.version] = read.as_event(self._log, stored)


def write_rows(tx: Transaction, tenant_rows: Iterable[tuple[int, bytes, Row]]) -> None:
    """Write rows of many threads, one statement a table."""
    by_kind: dict[type[Any], list[tuple[int, bytes, Row]]] = {}
    for entry in tenant_rows:
        by_kind.setdefault(type(entry[2]), []).append(entry)
    for kind, entries in by_kind.items():
        ROW_TABLES[kind][0].write(tx, entries)


def _one_hop_further(place: Place) -> Place:
    return place._replace(hop=place.hop + 1) if place != ROOT else place


def _one_hop_nearer(place: Place) -> Place:
    return place._replace(hop=place.hop - 1)
