"""Read a thread at one of its earlier versions, from its rows and the events that touched them.

A row holds the present state, and the event that set it; touches name the later events about it. So
the row of a message, run or step as of a version follows from a few events, found by key, and costs
the same however long the thread is. The last event that moved the head defines it: the walk back to
that event is short, unless many later events moved no head.

Rows do not record which child of a branch point was active, which message bore a label, or which
messages waited in the queue. For these the thread is folded, and so it is where more events than a
fold takes from one snapshot to the next would have to be read one by one.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import islice
from typing import Any, Final, TypeVar

from msgspec.structs import replace

from eventstore.conversation.history import changed_by, changes_message
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
)
from eventstore.core.events import StreamKey
from eventstore.storage.log import Log
from eventstore.storage.transaction import Transaction
from eventstore.threads import folding
from eventstore.threads.past_moves import MOVED_OUT, head_after, last_of, named_then
from eventstore.threads.past_runs import PastRuns
from eventstore.threads.removed import REMOVED
from eventstore.threads.stored_thread import StoredThread

__all__ = ["PastThread", "thread_at"]

R = TypeVar("R", bound=Row)


def thread_at(tx: Transaction, log: Log, stream: StreamKey, version: int) -> StoredThread:
    """Return the view of a thread at its present or an earlier version."""
    now = StoredThread(tx, log, stream.tenant, stream.id)
    if now.thread is not None and now.thread.version == version:
        return now
    return PastThread(tx, log, stream.tenant, stream.id, as_of=version)


class PastThread(PastRuns):
    """Reads one thread's rows as of a version that is not its last.

    In its own row ``open_runs`` and ``removed_messages`` only show whether there may be any, and
    ``queued_messages`` shows nothing.
    """

    _as_of: int

    def _read_thread(self) -> ThreadRow | None:
        now = self.thread = super()._read_thread()
        if now is None:
            return None
        few = self.few_touches(self.thread_id)
        if few is None:
            row = self.folded.thread
            return None if row is None else replace(row, queued_messages=0, removed_messages=1)
        events = [self.event(version) for version in few]
        touches = [event.type for event in events]
        return replace(
            now,
            version=self._as_of,
            updated_at_us=self.event(self._as_of).recorded_at_us,
            head=self._head(),
            archived=last_of(touches, "ThreadArchived", "ThreadUnarchived"),
            deleted=last_of(touches, "ThreadDeleted", "ThreadRestored"),
            named=named_then(now.named, self._as_of, reversed(events)),
            open_runs=int(self._was_busy()),
            queued_messages=0,
            removed_messages=1,
        )

    def _head(self) -> bytes | None:
        for trace in islice(self._back(), folding.EVENTS_MAX):
            moved, head = head_after(trace)
            if moved:
                return head
        row = self.folded.thread
        return None if row is None else row.head

    def row(self, kind: type[R], key: object) -> R | None:
        rule = _THEN.get(kind)
        if rule is None:
            return self.folded.row(kind, key)
        row = super().row(kind, key)
        return row and rule(self, row)

    # -- messages ------------------------------------------------------------------------------

    def message_at(self, place: Place) -> MessageRow | None:
        row = super().message_at(place)
        return None if row is None or row.place is None else row  # it may have waited then

    def _as_it_was(self, row: MessageRow) -> MessageRow | None:
        if (row.place is None or row.place.hop == 0) and row.version > self._as_of:
            if row.queued_version is None or row.queued_version > self._as_of:
                return None
            row = self._waiting(row)
        if row.changed is None or row.changed <= self._as_of:
            return row
        few = self.few_touches(row.message_id)
        if few is None:
            return self.folded.message(row.message_id)
        before = self._beneath(row.message_id) if row.place is not None and row.place.hop else None
        if before is None:
            before = row if row.place is not None else self._waiting(row)
            before = replace(before, removed=None, took_head=False, changed=None, said=None)
            before = replace(before, revision=0)
        for event in map(self.event, few):
            if changes_message(event, row.message_id):
                before = changed_by(before, event)
        return before

    def _waiting(self, row: MessageRow) -> MessageRow:
        """Return the row of a message as it was while it waited in the queue."""
        queued = row.queued_version or row.version
        return replace(
            row,
            version=queued,
            place=None,
            parent_id=None,
            status="queued",
            sent=self.event(queued).data.sent,
            run_id=None,
            open_calls=(),
        )

    # -- the tree ------------------------------------------------------------------------------

    def branch_point(self, place: Place) -> BranchPointRow | None:
        """Return the number of children then. Only :meth:`turns` knows which one was active."""
        where = (
            "hop = 0 AND parent_hop = ? AND parent_segment = ? AND parent_depth = ?"
            " AND segment <= ? ORDER BY segment DESC LIMIT 1"
        )
        last: SegmentRow | None = self._find_one(SegmentRow, where, (*place, self._as_of))
        point = self._inherited_turn(place)
        if last is not None:
            point = BranchPointRow(place, children=last.ordinal + 1)
        return None if point is None else replace(point, removed=len(self._removed_below(place)))

    def _removed_below(self, place: Place) -> set[bytes]:
        above = None if place == ROOT else self.message_at(place)
        subject = self.thread_id if above is None else above.message_id
        few = self.few_touches(subject)
        if few is None:
            gone = map(self.folded.message_at, self.folded.removed_children(place))
            return {row.message_id for row in gone if row is not None}
        removed: set[bytes] = set()
        for event in map(self.event, few):
            if event.type in MOVED_OUT and event.data.message_id != subject:
                removed ^= {event.data.message_id}
        return removed

    def removed_children(self, place: Place) -> Sequence[Place]:
        rows = map(self.message, self._removed_below(place))
        return [row.place for row in rows if row is not None and row.place is not None]

    def _hanging_from(self, place: Place) -> Iterable[tuple[int, int]]:
        return [one for one in super()._hanging_from(place) if one[1] <= self._as_of]

    def first_removed(self, hop: int, segment: int, start: int, end: int) -> int | None:
        here = "hop = ? AND segment = ? AND depth BETWEEN ? AND ?"
        return self._first_removed_then(here, (hop, segment, start, end))

    def first_inherited_removed(self, start: int, end: int) -> int | None:
        return self._first_removed_then("hop > 0 AND depth BETWEEN ? AND ?", (start, end))

    def _first_removed_then(self, here: str, place: Sequence[int]) -> int | None:
        """Return the first depth at which one was removed: it still is, or it changed since.

        Each of the two has an index of its own, so the length of the path does not count.
        """
        changed = "changed IS NOT NULL AND changed > ?"
        rows = self._find(MessageRow, f"{REMOVED} AND {here}", place, few=True)
        rows += self._find(MessageRow, f"{changed} AND {here}", (self._as_of, *place), few=True)
        then = [was for was in map(self._as_it_was, rows) if was is not None]
        depths = [was.place.depth for was in then if was.place and was.removed is not None]
        return min(depths, default=None)

    # -- names ---------------------------------------------------------------------------------

    def label_then(self, row: LabelRow) -> LabelRow:
        """Return a label as it was."""
        few = self.few_touches(row.message_id)
        if few is None:
            return replace(row, label=self.folded.label_of(row.message_id))
        for version in reversed(few):
            event = self.event(version)
            if event.type == "BranchLabelled":
                said = None if event.data.cleared else event.content
                return replace(row, label=None if said is None else said.label)
        return replace(row, label=None)

    # -- facts that rows do not record ---------------------------------------------------------

    def end_of(self, hop: int, segment: int) -> int:
        return super().end_of(hop, segment) if hop else self.folded.end_of(hop, segment)

    def turns(self, hop: int, segment: int, start: int, end: int) -> Sequence[BranchPointRow]:
        return self.folded.turns(hop, segment, start, end)

    def turns_off(self, start: int, end: int) -> Sequence[BranchPointRow]:
        return self.folded.turns_off(start, end)

    def queued_messages(self) -> Sequence[MessageRow]:
        return self.folded.queued_messages()

    def open_runs(self) -> Sequence[RunRow]:
        return self.folded.open_runs()

    def label(self, label: str) -> LabelRow | None:
        return self.folded.label(label)

    def labels(self) -> dict[bytes, str]:
        return {message_id: label for label, message_id in self.folded.labelled.items()}


_THEN: Final[Mapping[type[Any], Callable[[PastThread, Any], Any]]] = {
    RunRow: PastRuns.run_then,
    StepRow: PastRuns.step_then,
    LabelRow: PastThread.label_then,
}
"""Rules for rows as they stood earlier, by kind; others are folded from the beginning."""
