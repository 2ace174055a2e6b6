"""Reads the facts of one thing as of a version, from its own events, by key.

The rows of a thing name its events: the one that began it, and those that touched it. So the facts
of a message cost as many reads as there are events about it, however long its thread is. Where
these are too many, the thread is folded, which goes on from a snapshot.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator, Mapping, Sequence
from itertools import islice
from typing import Any, Final

from eventstore.conversation.changes import ERASED, value_of
from eventstore.conversation.fact_fold import after
from eventstore.conversation.facts import Facts, Subject, Words
from eventstore.conversation.folded_view import FoldedView
from eventstore.conversation.rows import MessageRow, RunRow, StepRow
from eventstore.core import ids
from eventstore.core.events import Event, StreamKey
from eventstore.storage import read
from eventstore.storage.folding_pages import decoded_events, decoded_events_at
from eventstore.storage.gaps import missing
from eventstore.storage.log import Log
from eventstore.storage.read import StoredEvent
from eventstore.storage.traces import traces_back
from eventstore.storage.transaction import Transaction
from eventstore.threads import folding
from eventstore.threads.folded_facts import facts_told, versions_telling
from eventstore.threads.past_moves import head_after
from eventstore.threads.past_thread import PastThread
from eventstore.threads.stored_thread import StoredThread

__all__ = ["SubjectReader"]

_CONTENTS_KEPT: Final = 64
_AT_ONCE: Final = 32
_NAMES: Final = ("title", "metadata")


class SubjectReader:
    """Reads facts and words of one stream, in one transaction."""

    def __init__(self, tx: Transaction, log: Log, stream: StreamKey) -> None:
        self._tx: Final = tx
        self._log: Final = log
        self._stream: Final = stream
        self._contents: OrderedDict[tuple[bytes, int], tuple[Any, bool]] = OrderedDict()
        self._view: Final = StoredThread(tx, log, stream.tenant, stream.id)
        self._then: tuple[int, PastThread] | None = None

    # -- facts -----------------------------------------------------------------------------------

    def facts(self, subject: Subject, until: int) -> Facts:
        """Return the facts of a thing after a version; nothing if it did not exist."""
        if until < 1:
            return {}
        if subject.prefix == ids.ASSISTANT:
            events = decoded_events(self._tx, self._log, self._stream, until=until)
            return self._folded({}, subject, events)
        past = self._past(until)
        few = past.few_touches(subject.key)
        if few is None:
            facts = self._from_state(past.folded, subject)
        else:
            begun, versions = self._told(subject, few)
            wanted = sorted(version for version in versions if version <= until)
            facts = self._folded(begun, subject, self._events(wanted))
        if subject.prefix == ids.THREAD:
            return {**facts, "head_id": self._head(past, until)}
        return facts

    def _past(self, until: int) -> PastThread:
        """Return the view as of a version, which may fold the thread, once for many things."""
        if self._then is None or self._then[0] != until:
            tenant, _, thread_id = self._stream
            past = PastThread(self._tx, self._log, tenant, thread_id, as_of=until)
            self._then = until, past
        return self._then[1]

    def _from_state(self, state: FoldedView, subject: Subject) -> Facts:
        """Return the facts of a thing of which too many events tell to read them one by one."""
        events = self._events(versions_telling(state, subject))
        return facts_told(state, subject, self._begun(subject), events, self._stream.id)

    def _folded(self, facts: Facts, subject: Subject, events: Iterator[Event]) -> Facts:
        for event in events:
            facts = after(facts, subject, event, self._stream.id)
        return facts

    def _told(self, subject: Subject, touches: Sequence[int]) -> tuple[Facts, set[int]]:
        """Return the facts that a thing inherits, and the versions of its own events."""
        view, key = self._view, subject.key
        if subject.prefix == ids.THREAD:
            return self._begun(subject), {1, *touches}
        row = (
            view.message(key)
            if subject.prefix == ids.MESSAGE
            else view.row(_ROW[subject.prefix], key)
        )
        if row is None:
            return {}, set()
        if not isinstance(row, MessageRow):
            return {}, {row.version, *touches}
        if row.place is not None and row.place.hop:
            return self._begun(subject), {*touches}
        return {}, {row.version, row.content_version, *touches}

    def _begun(self, subject: Subject) -> Facts:
        """Return the facts that a thing has before the events of this thread about it."""
        thread = self._view.thread
        if thread is None or thread.fork is None:
            return {}
        if subject.prefix == ids.THREAD:
            return self._inherited_names()
        row = self._view.message(subject.key) if subject.prefix == ids.MESSAGE else None
        if row is None or row.place is None or not row.place.hop:
            return {}
        return self._inherited_message(row)

    def _events(self, versions: list[int]) -> Iterator[Event]:
        for start in range(0, len(versions), _AT_ONCE):
            some = versions[start : start + _AT_ONCE]
            keys = [(self._stream.id, version) for version in some]
            found = decoded_events_at(self._tx, self._log, self._stream, keys)
            by_version = {event.version: event for _, event in found}
            for version in some:
                if version not in by_version:
                    raise missing(self._stream, version)
                yield by_version[version]

    def _inherited_names(self) -> Facts:
        """Return title and metadata of a fork before its own events."""
        found: dict[str, Any] = {}
        for told in self._view.renamings():
            if told.thread_id == self._stream.id:
                continue
            created = told.event.type == "ThreadCreated"
            fields = _NAMES if created else getattr(told.event.data, "fields", ())
            for field in fields:
                place = Words(told.thread_id, (told.event.version,), field)
                found.setdefault(field, place)
        return found

    def _inherited_message(self, row: MessageRow) -> Facts:
        """Return the facts of a message before the events of this fork about it."""
        view, subject = self._view, Subject(ids.MESSAGE, row.message_id)
        owner = view.owner(0 if row.place is None else row.place.hop)
        fields = ("content", "name", "metadata", "external_id", "provider")
        facts: Facts = {
            "role": row.role,
            **{field: Words(owner, (row.content_version,), field) for field in fields},
            "status": row.status,
            "parent_id": ids.show_or_none(ids.MESSAGE, row.parent_id),
            "run_id": ids.show_or_none(ids.RUN, row.run_id),
            "replaces": ids.show_or_none(ids.MESSAGE, row.replaces),
            "removed": False,
            "label": None,
        }
        for told in view.wordings(row):
            if told.thread_id != self._stream.id:
                facts = after(facts, subject, told.event, told.thread_id)
        return facts

    def _head(self, past: PastThread, until: int) -> str | None:
        back = traces_back(self._tx, self._log, self._stream, until=until)
        for trace in islice(back, folding.EVENTS_MAX):
            moved, head = head_after(trace)
            if moved:
                return ids.show_or_none(ids.MESSAGE, head)
        row = past.folded.thread
        return None if row is None else ids.show_or_none(ids.MESSAGE, row.head)

    # -- words -----------------------------------------------------------------------------------

    def remember(self, stored: StoredEvent) -> Event:
        """Decode an event of the stream, and keep its content for a while."""
        event = read.as_event(self._log, stored)
        self._keep((stored.stream.id, stored.version), event, stored)
        return event

    def said(self, words: Words) -> object:
        """Return words as JSON; ``ERASED`` if they are gone."""
        found: object = None
        for version in words.versions:
            content, erased = self._content(words.stream, version)
            if erased:
                return ERASED
            value = value_of(content, words.field)
            if isinstance(found, dict) and isinstance(value, dict):
                found = {**found, **value}
            else:
                found = value or found
        return found

    def _content(self, stream: bytes, version: int) -> tuple[Any, bool]:
        key = (stream, version)
        if key not in self._contents:
            stored = read.event_at(self._tx, self._stream._replace(id=stream), version)
            self._keep(key, read.as_event(self._log, stored), stored)
        self._contents.move_to_end(key)
        return self._contents[key]

    def _keep(self, key: tuple[bytes, int], event: Event, stored: StoredEvent) -> None:
        self._contents[key] = (event.content, stored.erased)
        if len(self._contents) > _CONTENTS_KEPT:
            self._contents.popitem(last=False)


_ROW: Final[Mapping[str, type[RunRow | StepRow]]] = {ids.RUN: RunRow, ids.STEP: StepRow}
