"""The view that deciding and evolving read: a thread's rows, by key.

Two kinds of classes implement this protocol: ``state.FoldedThread`` and ``draft.ThreadDraft`` hold
rows folded from the whole history in memory; ``threads.stored_thread.StoredThread`` reads rows
by key in the append's own transaction. A test holds that both lead to the same events.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from typing import Protocol, TypeVar

import msgspec

from eventstore.conversation.inheritance import Inheritance
from eventstore.conversation.rows import (
    BranchPointRow,
    LabelRow,
    MessageRow,
    Place,
    Range,
    Row,
    RunRow,
    SegmentRow,
    ThreadRow,
)
from eventstore.core.events import Event, Trace

__all__ = ["SourcedEvent", "ThreadHistory", "ThreadView"]

R = TypeVar("R", bound=Row)


class ThreadView(Protocol):
    """Reads by key; each returns None (or nothing) for what does not exist."""

    @property
    def thread_id(self) -> bytes:
        """The thread's id, whether or not it exists."""

    @property
    def thread(self) -> ThreadRow | None:
        """The thread's own row."""

    def row(self, kind: type[R], key: object) -> R | None:
        """A row of this thread by its key, of a kind that forks do not inherit."""

    def message(self, message_id: bytes) -> MessageRow | None:
        """A message of this thread, queued, added or inherited by a fork."""

    def message_at(self, place: Place) -> MessageRow | None:
        """The message at a place."""

    def segment(self, hop: int, segment: int) -> SegmentRow | None:
        """A segment on which messages of this thread stand."""

    def end_of(self, hop: int, segment: int) -> int:
        """Depth of a segment's last message, as far as this thread sees it."""

    def branch_point(self, place: Place) -> BranchPointRow | None:
        """The branch point at a place, if segments hang from it."""

    def turns(self, hop: int, segment: int, start: int, end: int) -> Sequence[BranchPointRow]:
        """Branch points at depths start..end whose active child leaves the segment, in order."""

    def children(self, place: Place) -> Sequence[Place]:
        """Places of all children, removed ones included, in order of creation."""

    def first_removed(self, hop: int, segment: int, start: int, end: int) -> int | None:
        """Depth of the first removed message at depths start..end."""

    def removed_children(self, place: Place) -> Sequence[Place]:
        """Places of the children that are removed, in no order."""

    @property
    def inherited(self) -> Inheritance | None:
        """For a fork: the path that it inherits. Its depths alone name its messages."""

    def first_inherited_removed(self, start: int, end: int) -> int | None:
        """Depth of the first removed message of the inherited path at depths start..end."""

    def turns_off(self, start: int, end: int) -> Sequence[BranchPointRow]:
        """Branch points at depths start..end of the inherited path that turn off it, in order."""

    def queued_messages(self) -> Sequence[MessageRow]:
        """Messages waiting for a run to end, in the order they were sent; removed ones left out."""

    def open_runs(self) -> Sequence[RunRow]:
        """Runs that have not ended, in the order they were created."""

    def run(self, run_id: bytes) -> RunRow | None:
        """A run of this thread."""

    def shown_text(self, message_id: bytes) -> str:
        """The text of a message that a run is writing, as far as it was shown."""

    def shown_length(self, message_id: bytes) -> int:
        """The number of characters of that text."""

    def label(self, label: str) -> LabelRow | None:
        """The message that has a label."""

    def label_of(self, message_id: bytes) -> str | None:
        """The label of a message."""

    def owner(self, hop: int) -> bytes:
        """The id of the thread ``hop`` forks up: 0 is this one, 1 its source."""

    def traces(self, after: int = 0) -> Sequence[Trace]:
        """Every event of this thread after a version, in order, without content.

        Only erasing reads from the beginning: that reads the whole stream.
        """


class SourcedEvent(msgspec.Struct, frozen=True, gc=False):
    """An event, and the thread it was recorded in."""

    thread_id: bytes
    event: Event


class ThreadHistory(ThreadView, Protocol):
    """A view that also reads events. Presenting needs it, since content is in the log."""

    def touches_of(self, subject_id: bytes) -> Sequence[int]:
        """Versions of later events about a thread, message, run or step, in order."""

    def event(self, version: int) -> Event:
        """One event of this thread."""

    def lease_of(self, run_id: bytes) -> int | None:
        """When the lease on a run ends, in microseconds since 1970, if the view can know it."""

    def born(self, row: MessageRow) -> SourcedEvent:
        """The event that holds a message's first content."""

    def wordings(self, row: MessageRow) -> Sequence[SourcedEvent]:
        """The later events about a message that still have content, in order."""

    def changes(self, row: MessageRow) -> Sequence[SourcedEvent]:
        """The later events about a message, the source's before the fork's own."""

    def renamings(self) -> Iterable[SourcedEvent]:
        """The events that hold title and metadata, newest first, back through the sources.

        Some may be among them whose title and metadata were both replaced.
        """

    def prepare(self, stretches: Sequence[Range]) -> None:
        """Read stretches of one path, oldest first, ahead of their use."""

    def stretch(
        self, hop: int, segment: int, start: int, end: int
    ) -> Iterable[tuple[MessageRow, SourcedEvent]]:
        """The messages of a segment at depths start..end, each with the event that added it.

        ``message_at`` and ``born`` return the same, one by one.

        """

    def branched(self, hop: int, segment: int, start: int, end: int) -> Collection[int]:
        """Depths start..end of a segment from which other segments hang."""
