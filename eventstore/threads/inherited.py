"""Read what a fork inherits: messages of other threads, as they were when it was forked.

A message stands in the table of the thread that it was created in. Each fork between that thread
and this one may have changed it: then the fork has its own row for the message with the complete
state there (a layer). So a message is its last layer on the way down, each as of the version at
which the next thread was forked. The fork's own rows lie over that; its own view reads them.

Ancestors are not queried one after another. A message's layers are found by its id; a page of the
path is one statement for the messages, and one for the layers if any ancestor has some.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator
from functools import cached_property
from typing import Any, Final

from msgspec.structs import replace

from eventstore.conversation.folded_view import FoldedView
from eventstore.conversation.history import changed_by, changes_message
from eventstore.conversation.inheritance import Inheritance, further
from eventstore.conversation.rows import ForkPoint, MessageRow, Named, Place, Said
from eventstore.conversation.view import SourcedEvent
from eventstore.core import ids
from eventstore.core.events import Event, StreamKey
from eventstore.storage import read
from eventstore.storage.among import among, in_few
from eventstore.storage.folding_pages import decoded_events_at
from eventstore.storage.log import Log
from eventstore.storage.transaction import Transaction
from eventstore.threads import folding
from eventstore.threads.ancestry import Ancestor, Ancestry, find_ancestry
from eventstore.threads.message_rows import MESSAGES
from eventstore.threads.past_moves import named_then
from eventstore.threads.stretches import read_climbing
from eventstore.threads.touches import TOUCHES

__all__ = ["Inherited"]

_ROWS_MAX: Final = 16
"""Rows of one message, in any thread, up to which they are read without naming the threads."""
_ROWS: Final = f"SELECT {', '.join(MESSAGES.columns)} FROM {{messages}} WHERE"
_BY_ID: Final = f"{_ROWS} message = ? AND +tenant = ? LIMIT {_ROWS_MAX + 1}"
_OF_THREADS: Final = (
    f"SELECT {', '.join(f'm.{column}' for column in MESSAGES.columns)} FROM {{threads}} t"
    " CROSS JOIN {messages} m WHERE m.message = ? AND t.tenant = ? AND m.tenant = t.tenant"
    " AND m.thread = t.thread AND t.thread"
)
_PAGE: Final = 1_000
_ALL: Final = 2**31 - 1
_UNSAID: Final = Said()


class Inherited:
    """The part of other threads that one fork sees."""

    def __init__(
        self,
        tx: Transaction,
        log: Log,
        tenant: tuple[int, str],
        fork: ForkPoint,
        ancestry: Ancestry | None = None,
    ) -> None:
        """Create it for a fork; pass ``ancestry`` if it is known already."""
        self._tx: Final = tx
        self._log: Final = log
        self._tenant, self._tenant_name = tenant
        self._fork: Final = fork
        self._rows: Final[dict[bytes, MessageRow | None]] = {}
        self._placed: Final[dict[Place, MessageRow | None]] = {}
        self._said: Final[dict[bytes, dict[str, tuple[bytes, int]]]] = {}
        """By message: the threads and versions of the events that hold its wordings."""
        self._books: Final[dict[bytes, dict[int, Event]]] = defaultdict(dict)
        """Events that were read, by thread and version."""
        self._folded: Final[dict[bytes, FoldedView]] = {}
        """Ancestors that were folded."""
        if ancestry is not None:
            self.ancestry = ancestry

    @cached_property
    def ancestry(self) -> Ancestry:
        """The ancestors of the fork."""
        return find_ancestry(self._tx, self._tenant, self._fork)

    @property
    def path(self) -> Inheritance:
        """The inherited path."""
        return self.ancestry.inherited

    def open_book(self, thread_id: bytes, events: dict[int, Event]) -> None:
        """Share the events that a thread's own view has read, and add to them."""
        self._books[thread_id] = events

    def close_books(self) -> None:
        """Drop the events that were read: they may have been erased since."""
        self._books.clear()
        self._folded.clear()

    # -- messages ------------------------------------------------------------------------------

    def message(self, message_id: bytes) -> MessageRow | None:
        """Return an inherited message by id, without this fork's own changes."""
        if message_id not in self._rows:
            layers = self._by_hop(self._layers(message_id))
            self._rows[message_id] = self._laid(layers)
        return self._rows[message_id]

    def _layers(self, message_id: bytes) -> list[MessageRow]:
        """Return the rows of a message in any thread if they are few, or in the ancestors."""
        key = (message_id, self._tenant)
        found = self._tx.all(_BY_ID, key)
        if len(found) > _ROWS_MAX:
            found = []
            for few in in_few([one.thread_id for one in self.ancestry.ancestors]):
                threads, names = among(few)
                found += self._tx.all(f"{_OF_THREADS} {threads}", (*key, *names))
        return found

    def _by_hop(self, found: Iterable[Any]) -> list[tuple[int, MessageRow]]:
        """Return the ancestors' rows of messages on the path, from the farthest downwards."""
        if not found:
            return []
        hops, path = self.ancestry.hops, self.path
        rows = [(hops.get(bytes(columns[0]), 0), MESSAGES.decode(columns)) for columns in found]
        layers = [
            (hop, row)
            for hop, row in rows
            if hop and row.place is not None and path.sees(further(row.place, hop))
        ]
        return sorted(layers, key=lambda layer: -layer[0])

    def _laid(self, layers: Iterable[tuple[int, MessageRow]]) -> MessageRow | None:
        """Return a message after all of its layers, the farthest one first."""
        seen: MessageRow | None = None
        said: dict[str, tuple[bytes, int]] = {}
        for hop, row in layers:
            ancestor = self.ancestry.at(hop)
            assert row.place is not None  # noqa: S101 (asked by the caller)
            then = self._as_it_was(ancestor, row, seen)
            for field, version in (then.said or _UNSAID)._asdict().items():
                if version is not None:
                    said[field] = ancestor.thread_id, version
            place = further(row.place, hop)
            seen = replace(then, place=place, removed=None, took_head=False, said=None)
            self._said[row.message_id] = said
        return seen

    def _as_it_was(
        self, ancestor: Ancestor, row: MessageRow, beneath: MessageRow | None
    ) -> MessageRow:
        """Undo in a row what happened in its thread after the visible version.

        For a message that was changed after the fork, this reads its earlier events, or folds the
        thread where these are too many.
        """
        if row.changed is None or row.changed <= ancestor.version:
            return row
        if beneath is None:
            beneath = replace(row, removed=None, changed=None, revision=0, said=None)
        few = self._few_touches(ancestor, row.message_id)
        then = replace(beneath, place=row.place)
        if few is None:  # it may have no row yet: labels touch it, too
            folded = self._as_forked(ancestor).row(MessageRow, row.message_id)
            return then if folded is None else replace(folded, place=row.place)
        for told in self._told(ancestor, few):
            if changes_message(told.event, row.message_id):
                then = changed_by(then, told.event)
        return then

    def message_at(self, place: Place) -> MessageRow | None:
        """Return an inherited message by its place."""
        if not self.path.sees(place):
            return None
        if place not in self._placed:
            owner = self.ancestry.at(place.hop).thread_id
            where = f"{_ROWS} tenant = ? AND thread = ? AND hop = 0 AND segment = ? AND depth = ?"
            found = self._tx.all(where, (self._tenant, owner, place.segment, place.depth))
            found += self._changes_between(place.depth, place.depth)
            self._placed[place] = self._laid(self._by_hop(found))
        return self._placed[place]

    def _changes_between(self, first: int, last: int) -> list[Any]:
        """Return the ancestors' rows of inherited messages at some depths.

        On an inherited path the depth alone names the message.
        """
        found: list[Any] = []
        for few in in_few(self.ancestry.changing):
            threads, names = among(few)
            where = f"+tenant = ? AND thread {threads} AND hop > 0 AND depth BETWEEN ? AND ?"
            found += self._tx.all(f"{_ROWS} {where}", (self._tenant, *names, first, last))
        return found

    def read(self, first: int, last: int) -> Iterator[MessageRow]:
        """Yield the messages of the path at some depths, and cache the events that created them."""
        for start in range(first, last + 1, _PAGE):
            yield from self._page(start, min(start + _PAGE - 1, last))

    def _page(self, first: int, last: int) -> list[MessageRow]:
        """Read a part of the path, upwards from the range that contains its end."""
        end = next(one for one in self.path if one.start <= last <= one.end)
        owner = self.ancestry.at(end.hop).thread_id
        layers: dict[bytes, list[tuple[int, MessageRow]]] = {}
        for up, born, event in read_climbing(
            self._tx,
            self._log,
            StreamKey(self._tenant_name, ids.THREAD, owner),
            (end.segment, first, last),
        ):
            hop = end.hop + up
            layers[born.message_id] = [(hop, born)]
            self._books[self.ancestry.at(hop).thread_id][event.version] = event
        for hop, layer in self._by_hop(self._changes_between(first, last)):
            layers[layer.message_id].append((hop, layer))
        seen = [row for one in layers.values() if (row := self._laid(one)) is not None]
        for row in seen:
            self._rows[row.message_id] = row
            assert row.place is not None  # noqa: S101 (it is on the path)
            self._placed[row.place] = row
        said = [self._said[row.message_id] for row in seen if row.changed is not None]
        self._read_events({key for one in said for key in one.values()})
        return seen

    # -- events ----------------------------------------------------------------------------------

    def _read_events(self, keys: Iterable[tuple[bytes, int]]) -> None:
        """Read events of ancestors, each named by thread and version."""
        unread = [key for key in keys if key[1] not in self._books[key[0]]]
        stream = StreamKey(self._tenant_name, ids.THREAD, b"")
        for thread_id, event in decoded_events_at(self._tx, self._log, stream, unread):
            self._books[thread_id][event.version] = event

    def event(self, thread_id: bytes, version: int) -> Event:
        """Return one event of an ancestor."""
        book = self._books[thread_id]
        event = book.get(version)
        if event is None:
            stream = StreamKey(self._tenant_name, ids.THREAD, thread_id)
            stored = read.event_at(self._tx, stream, version)
            event = book[version] = read.as_event(self._log, stored)
        return event

    def _few_touches(self, ancestor: Ancestor, subject_id: bytes) -> list[int] | None:
        """Return the same as :meth:`_touches`; None if there are too many to read each event."""
        found = self._touches(ancestor, subject_id, folding.EVENTS_MAX + 1)
        return found if len(found) <= folding.EVENTS_MAX else None

    def _touches(self, ancestor: Ancestor, subject_id: bytes, most: int = _ALL) -> list[int]:
        """Return the versions of later events about a subject, as far as they are visible."""
        where = "subject = ? AND version <= ? ORDER BY version LIMIT ?"
        key = (subject_id, ancestor.version, most)
        rows = TOUCHES.find(self._tx, self._tenant, ancestor.thread_id, where, key)
        return [row.version for row in rows]

    def _as_forked(self, ancestor: Ancestor) -> FoldedView:
        """Return the state of an ancestor as of the fork, which goes on from a snapshot."""
        key = ancestor.thread_id
        if key not in self._folded:
            self._folded[key] = folding.fold_thread(
                self._tx, self._log, self._tenant_name, key, until=ancestor.version
            )
        return self._folded[key]

    def wordings(self, message_id: bytes) -> list[SourcedEvent]:
        """Return the events with the wordings of an inherited message, except its first.

        They begin with the farthest ancestor's.
        """
        self.message(message_id)
        keys = dict.fromkeys(self._said.get(message_id, {}).values())
        told = [SourcedEvent(thread, self.event(thread, version)) for thread, version in keys]
        return sorted(told, key=lambda one: (-self.ancestry.hops[one.thread_id], one.event.version))

    def changes(self, row: MessageRow) -> list[SourcedEvent]:
        """Return the later events about an inherited message, the farthest ancestor's first."""
        told: list[SourcedEvent] = []
        for hop, layer in self._by_hop(self._layers(row.message_id)):
            if layer.changed is not None:
                ancestor = self.ancestry.at(hop)
                told += self._told(ancestor, self._touches(ancestor, row.message_id))
        return told

    def renamings(self) -> Iterator[SourcedEvent]:
        """Yield the events that set title and metadata of the ancestors, the last one first."""
        for ancestor in self.ancestry.ancestors:
            yield from self._told(ancestor, self._named(ancestor).back())
        root = self.ancestry.ancestors[-1]
        yield SourcedEvent(root.thread_id, self.event(root.thread_id, 1))

    def _named(self, ancestor: Ancestor) -> Named:
        """Return which events name an ancestor as the fork sees it."""
        if all((version or 0) <= ancestor.version for version in ancestor.named):
            return ancestor.named
        few = self._few_touches(ancestor, ancestor.thread_id)
        if few is None:
            thread = self._as_forked(ancestor).thread
            return ancestor.named if thread is None else thread.named
        events = (self.event(ancestor.thread_id, version) for version in reversed(few))
        return named_then(ancestor.named, ancestor.version, events)

    def _told(self, ancestor: Ancestor, versions: Iterable[int]) -> Iterator[SourcedEvent]:
        book = ancestor.thread_id
        return (SourcedEvent(book, self.event(book, version)) for version in versions)
