"""Walks the log as a trail: each event with the fields that it changed, before and after.

The facts of a thing before an event are those after the last event about it. The walk keeps them
for the things that events named last, a few thousand of them, and without their words; facts that
it dropped are read again from the events of that thing alone. So memory stays flat however long the
log is, a trail may begin anywhere, and its cost is linear in the events read.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping, Sequence
from typing import Any, Final, NamedTuple

from eventstore.audit.trail_values import TrailEntry, TrailFilter
from eventstore.conversation.changes import Change, changes, erased_content
from eventstore.conversation.fact_fold import after, begins, changed_by, erased_by, inherits
from eventstore.conversation.facts import Facts, Subject
from eventstore.core import codec, ids
from eventstore.core.events import Event, Position, StreamKey, instant
from eventstore.core.trusted import trusted
from eventstore.errors import BrokenChain
from eventstore.storage import read, stream_heads, whole_store
from eventstore.storage.log import Log
from eventstore.storage.read import StoredEvent
from eventstore.storage.transaction import Transaction
from eventstore.threads.subject_facts import SubjectReader

__all__ = ["StreamPlace", "TenantPlace", "stream_page", "tenant_page"]

_SUBJECTS_KEPT: Final = 4096
_CATEGORIES: Final = (ids.THREAD, ids.ASSISTANT, ids.STORE)

_ABOUT: Final = (("message_id", ids.MESSAGE), ("thread_id", ids.THREAD), ("subject_id", "subject"))
"""The thing that an event without changes is about, by the field that names it."""

_Kept = OrderedDict[tuple[bytes, Subject], Facts]


class StreamPlace(NamedTuple):
    """A place in the trail of one stream: behind a version."""

    version: int
    kept: Mapping[tuple[bytes, Subject], Facts]
    """Facts as of the version."""


class TenantPlace(NamedTuple):
    """A place in the trail of a tenant."""

    position: Position
    kept: Mapping[tuple[bytes, Subject], Facts]
    broken: BrokenChain | None = None
    """The error that the walk ends with here."""


def stream_page(
    tx: Transaction, log: Log, stream: StreamKey, place: StreamPlace, wanted: TrailFilter
) -> tuple[list[TrailEntry], StreamPlace | None]:
    """Return the entries of the next events of a stream, and the next place."""
    walk = _Walk(tx, log, place.kept, wanted)
    found = read.read_page(tx, stream, after=place.version)
    entries = walk.entries(found)
    last = found[-1] if found else None
    if last is None or last.version >= stream_heads.head_version(tx, stream) or walk.is_over(last):
        return entries, None
    return entries, StreamPlace(last.version, walk.kept)


def tenant_page(
    tx: Transaction, log: Log, tenant: str, place: TenantPlace, wanted: TrailFilter
) -> tuple[list[TrailEntry], TenantPlace | None]:
    """Return the entries of the next events of a tenant, and the next place.

    Raises:
        BrokenChain: an event is missing; at the place behind the entries before it.
        Refused: the schema is distributed over nodes, so there is no such order.
    """
    if place.broken is not None:
        raise place.broken
    only = whole_store.Filter(tenant, _CATEGORIES)
    walk = _Walk(tx, log, place.kept, wanted)
    page = whole_store.read_all(tx, only, after=place.position)
    entries = walk.entries(page.events)
    last = page.events[-1] if page.events else None
    position = place.position if last is None else last.position
    if page.broken is not None:
        return entries, TenantPlace(position, {}, page.broken)
    if not page.more:
        return entries, None
    return entries, TenantPlace(position, walk.kept)


class _Walk:
    """One page of a walk, in one transaction."""

    def __init__(
        self,
        tx: Transaction,
        log: Log,
        kept: Mapping[tuple[bytes, Subject], Facts],
        wanted: TrailFilter,
    ) -> None:
        self._tx: Final = tx
        self._log: Final = log
        self._wanted: Final = wanted
        self._readers: Final[dict[bytes, SubjectReader]] = {}
        self.kept: Final[_Kept] = OrderedDict(kept)  # a copy: a page may be read again

    def is_over(self, last: StoredEvent) -> bool:
        """Return whether no later event of the same stream can be wanted."""
        until = self._wanted.until_us
        return until is not None and last.recorded_at_us >= until

    def entries(self, page: Sequence[StoredEvent]) -> list[TrailEntry]:
        """Return the wanted entries of a page."""
        found = []
        for stored in page:
            reader = self._reader(stored.stream)
            event = reader.remember(stored)
            metadata = {} if stored.metadata is None else codec.decode_any(stored.metadata)
            wanted = self._is_wanted(stored, metadata)
            changed = self._fold(reader, stored.stream.id, event, wanted=wanted)
            if wanted:
                found.append(_entry(stored, event, metadata, changed))
        return found

    def _reader(self, stream: StreamKey) -> SubjectReader:
        reader = self._readers.get(stream.id)
        if reader is None:
            reader = self._readers[stream.id] = SubjectReader(self._tx, self._log, stream)
        return reader

    def _is_wanted(self, stored: StoredEvent, metadata: Mapping[str, Any]) -> bool:
        only, at = self._wanted, stored.recorded_at_us
        return (
            (only.actor is None or metadata.get("actor") == only.actor)
            and (only.types is None or stored.type in only.types)
            and (only.since_us is None or at >= only.since_us)
            and (only.until_us is None or at < only.until_us)
            and only.correlation_id in {None, metadata.get("correlation_id")}
            and only.causation_id in {None, metadata.get("causation_id")}
            and only.event_id in {None, ids.show(ids.EVENT, stored.event_id)}
        )

    def _fold(
        self, reader: SubjectReader, stream: bytes, event: Event, *, wanted: bool
    ) -> list[Change]:
        """Fold an event into the facts of what it names; return the changes if they are wanted."""
        found: list[Change] = []
        for n, subject in enumerate(changed_by(event, stream)):
            key = (stream, subject)
            begun = n == 0 and begins(event)
            if not begun and not wanted and key not in self.kept:
                continue
            before = {} if begun else self._before(reader, key, event)
            now = self._after(reader, subject, event, before, stream)
            self._keep(key, now)
            if wanted:
                found += changes(subject, before, now, reader.said)
        return found

    def _before(self, reader: SubjectReader, key: tuple[bytes, Subject], event: Event) -> Facts:
        known = self.kept.get(key)
        return reader.facts(key[1], event.version - 1) if known is None else known

    def _after(
        self, reader: SubjectReader, subject: Subject, event: Event, before: Facts, stream: bytes
    ) -> Facts:
        if inherits(event):
            return reader.facts(subject, event.version)
        return after(before, subject, event, stream)

    def _keep(self, key: tuple[bytes, Subject], facts: Facts) -> None:
        self.kept[key] = facts
        self.kept.move_to_end(key)
        if len(self.kept) > _SUBJECTS_KEPT:
            self.kept.popitem(last=False)


def _entry(
    stored: StoredEvent, event: Event, metadata: Mapping[str, Any], changed: list[Change]
) -> TrailEntry:
    messages, versions = erased_by(event)
    changed = [*changed, *map(erased_content, messages)]
    return trusted(
        TrailEntry,
        {
            "stream_id": stored.stream.text,
            "version": stored.version,
            "position": stored.position,
            "event_id": ids.show(ids.EVENT, stored.event_id),
            "type": stored.type,
            "recorded_at": instant(stored.recorded_at_us),
            "actor": metadata.get("actor"),
            "reason": getattr(event.content, "reason", None),
            "correlation_id": metadata.get("correlation_id"),
            "causation_id": metadata.get("causation_id"),
            "about": _about(event, stored.stream),
            "changes": tuple(changed),
            "erased": stored.erased,
            "erases": versions,
        },
    )


def _about(event: Event, stream: StreamKey) -> str:
    changed = changed_by(event, stream.id)
    if changed:
        return changed[0].text
    for field, prefix in _ABOUT:
        key = getattr(event.data, field, None)
        if key is not None:
            return ids.show(prefix, key)
    return stream.text
