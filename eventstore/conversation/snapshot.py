"""A folded thread as bytes, without words: a place from which folding goes on.

The state of a thread with few messages and a long history is small, and so is its snapshot. It
holds rows, and of the events only versions: the words are read from the log again, so what was
erased since is gone from the state, too. Of the later events about a run, a step or the thread
itself it names the first and the last of each kind, which is all that a value needs; of messages
their rows name the events with the present wording. So a snapshot grows with the state and not with
its history, and a view that goes on from one shows the same values, but no earlier revisions.

The snapshot of a fork also holds the path that it inherits, and nothing else of its source.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Final, TypeVar

import msgspec
from msgspec.structs import replace
from rpds import HashTrieMap

from eventstore.conversation.draft import ThreadDraft
from eventstore.conversation.folded_view import FoldedView
from eventstore.conversation.inheritance import Inheritance, further
from eventstore.conversation.keeping import keep
from eventstore.conversation.rows import (
    ROW_KINDS,
    LabelRow,
    MessageRow,
    Range,
    Row,
    SegmentRow,
    ThreadRow,
    TouchRow,
)
from eventstore.conversation.state import FoldedThread
from eventstore.core.events import Event

__all__ = ["Snapshot", "decoded_snapshot", "encoded_snapshot", "size_of"]

R = TypeVar("R", bound=Row)

_Touches = dict[bytes, tuple[int, ...]]


class _Part(msgspec.Struct, frozen=True, array_like=True):
    """The rows of one thread: of the fork itself, or what it sees of a thread above it."""

    thread_id: bytes
    messages: Sequence[MessageRow]
    segments: Sequence[SegmentRow]
    touches: _Touches

    @classmethod
    def of(cls, view: FoldedView, messages: Iterable[MessageRow], told: Iterable[bytes]) -> _Part:
        """Take some messages of a view, and what tells of some other things."""
        return cls(
            view.thread_id,
            _ordered(messages),
            _ordered(view.rows[SegmentRow].values()),
            {one: kept for one in told if (kept := _telling(view, one))},
        )

    def versions(self) -> set[int]:
        """Return the versions of the events that hold the words of these rows."""
        found = {1, *(version for some in self.touches.values() for version in some)}
        for row in self.messages:
            if row.place is None or row.place.hop == 0:  # else another thread's event added it
                found.add(row.content_version)
            found.update(version for version in row.said or () if version is not None)
        return found


class Snapshot(msgspec.Struct, frozen=True, array_like=True):
    """The rows of a thread after one of its events."""

    thread: ThreadRow
    own: _Part
    others: dict[str, msgspec.Raw]
    """Rows of other kinds, by the name of the kind."""
    labels: dict[bytes, int]
    """Messages that were given a label, and the versions of the events that hold it, or held it
    until it was erased."""
    level: int
    path: Sequence[Range] | None
    """For a fork: the path that it inherits, the last range first."""
    ancestors: Sequence[_Part]
    changing: tuple[int, ...]

    @classmethod
    def of(cls, view: FoldedView) -> Snapshot:
        """Take the snapshot of a state, which has had an event."""
        assert view.thread is not None  # noqa: S101 (its first event made it)
        path = view.inherited
        return cls(
            view.thread,
            _Part.of(view, view.rows[MessageRow].values(), (view.thread_id, *_told_of(view))),
            {kind.__name__: _encoded(view.rows[kind].values()) for kind in _OTHERS},
            dict(_labels(view)),
            0 if path is None else path.level,
            None if path is None else list(path),
            [] if path is None else [*_seen(view.ancestors, path)],
            view.changing,
        )

    def _rows(self) -> Iterator[Row]:
        yield self.thread
        yield from self.own.segments
        yield from self.own.messages
        yield from self._others()

    def _others(self) -> Iterator[Row]:
        for kind, decoder in _OTHERS.items():
            yield from decoder.decode(self.others[kind.__name__])

    def wanted(self) -> Iterator[tuple[bytes, set[int]]]:
        """Yield the threads whose events hold the words of the state, and the versions."""
        began = {_version(row) for row in self._others()} - {0}
        yield self.own.thread_id, self.own.versions() | began | {*self.labels.values()}
        for part in self.ancestors:
            yield part.thread_id, part.versions()

    def resumed(self, events: Mapping[bytes, Mapping[int, Event]]) -> ThreadDraft:
        """Return the state, with the events of :meth:`wanted` by thread and version."""
        path = None if self.path is None else Inheritance.of_path(self.level, self.path)
        own = events[self.own.thread_id]
        start = FoldedThread(self.own.thread_id, inherited=path, changing=self.changing)
        draft = _filled(start, self._rows(), self.own.touches, own)
        draft.ancestors = tuple(_ancestor(part, events[part.thread_id]) for part in self.ancestors)
        for message_id, version in self.labels.items():
            said = own[version].content
            _keep(draft, LabelRow(message_id, None if said is None else said.label))
            _keep(draft, TouchRow(message_id, version))
        replaced = {row.message_id for row in self.own.messages if row.status == "replaced"}
        draft.waiting = tuple(one for one in draft.waiting if one not in replaced)
        return draft


def size_of(view: FoldedView) -> int:
    """Return how many rows the snapshot of a state has, to within those of a fork's path."""
    path = view.inherited
    inherited = 0 if path is None or not len(path) else path.end.depth
    return sum(map(len, view.rows.values())) + inherited


def encoded_snapshot(view: FoldedView) -> bytes:
    """Return the snapshot of a state as bytes."""
    return zlib.compress(_ENCODER.encode(Snapshot.of(view)), 1)


def decoded_snapshot(stored: bytes) -> Snapshot:
    """Return a snapshot from its bytes."""
    return _DECODER.decode(zlib.decompress(stored))


def _version(row: Row) -> int:
    """Return the version of the event that began a thing; 0 for a row of no such thing."""
    return getattr(row, "version", 0)


def _told_of(view: FoldedView) -> Iterator[bytes]:
    """Yield the things, besides messages, that events tell of: those with an id."""
    for kind in _OTHERS:
        yield from (key for key in view.rows[kind] if isinstance(key, bytes))


def _encoded(rows: Iterable[Row]) -> msgspec.Raw:
    return msgspec.Raw(_ENCODER.encode(_ordered(rows)))


def _ordered(rows: Iterable[R]) -> list[R]:
    """Return rows in an order that does not depend on how the state was folded.

    Versions are not enough: a fork keeps rows of messages that it inherits, and these bear versions
    of another thread.
    """
    return sorted(rows, key=lambda row: (_version(row), type(row).key_of(row)))


def _telling(view: FoldedView, subject_id: bytes) -> tuple[int, ...]:
    """Return the first and the last of each kind of event about a thing, in order."""
    first: dict[Any, int] = {}
    last: dict[Any, int] = {}
    for version in view.touches_of(subject_id):
        event = view.event(version)
        kind = event.type, getattr(event.data, "fields", ())
        first.setdefault(kind, version)
        last[kind] = version
    return tuple(sorted({*first.values(), *last.values()}))


def _labels(view: FoldedView) -> Iterator[tuple[bytes, int]]:
    """Yield the messages that were given a label, each with its event."""
    for message_id in sorted(view.rows[LabelRow]):
        touches = map(view.event, reversed(view.touches_of(message_id)))
        event = next(event for event in touches if event.type == "BranchLabelled")
        if not event.data.cleared:
            yield message_id, event.version


def _seen(ancestors: Sequence[FoldedView], path: Inheritance) -> Iterator[_Part]:
    """Yield of each ancestor what a fork sees of it: the rows of messages on its path."""
    for hop, ancestor in enumerate(ancestors, 1):
        rows = [
            row
            for row in ancestor.rows[MessageRow].values()
            if row.place is not None and path.sees(further(row.place, hop))
        ]
        part = _Part.of(ancestor, rows, (ancestor.thread_id,))
        on_path = [row for row in part.segments if path.end_of(hop, row.segment)]
        yield replace(part, segments=on_path)


def _ancestor(part: _Part, events: Mapping[int, Event]) -> ThreadDraft:
    rows: list[Row] = [*part.segments, *part.messages]
    return _filled(FoldedThread(part.thread_id), rows, part.touches, events)


def _filled(
    start: FoldedThread, rows: Iterable[Row], touches: _Touches, events: Mapping[int, Event]
) -> ThreadDraft:
    draft = ThreadDraft(replace(start, events=HashTrieMap(events)))
    for row in rows:
        _keep(draft, row)
    for subject_id, versions in touches.items():
        for version in versions:
            _keep(draft, TouchRow(subject_id, version))
    return draft


def _keep(draft: ThreadDraft, row: Row) -> None:
    keep(draft, draft.__dict__, row)


_ENCODER: Final = msgspec.msgpack.Encoder()
_DECODER: Final = msgspec.msgpack.Decoder(Snapshot)
_OTHERS: Final[dict[type[Row], msgspec.msgpack.Decoder[list[Row]]]] = {
    kind: msgspec.msgpack.Decoder(list[kind])  # type: ignore[valid-type]
    for kind in ROW_KINDS
    if kind not in {ThreadRow, MessageRow, SegmentRow, LabelRow, TouchRow}
}
"""Kinds of rows that a snapshot holds as they are, and their decoders."""
