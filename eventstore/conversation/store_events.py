"""The events of a tenant as a whole: its one stream of the category ``store``.

As in :mod:`~eventstore.conversation.events`, each class is an event's ``data``; the reason is
content.
"""

from __future__ import annotations

import msgspec

from eventstore.conversation.events import ERASURE, ContentErased, Note
from eventstore.conversation.events.declared_event import DeclaredEvent
from eventstore.core.events import Decided, EventData
from eventstore.core.expectations import ANY, Expectation

__all__ = [
    "STORE_EVENTS",
    "EraseSubject",
    "EraseTenant",
    "EraseVersions",
    "KeyRotated",
    "MarkVerified",
    "PurgeStreams",
    "PurgeThread",
    "RotateKey",
    "StreamsPurged",
    "SubjectErased",
    "TenantErased",
    "TenantVerified",
    "ThreadPurged",
    "content_erased",
]


class ThreadPurged(EventData, frozen=True):
    """The tombstone of a thread: version and hash of its last event."""

    thread_id: bytes
    version: int
    hash: bytes
    forks: tuple[bytes, ...] = ()
    """Its forks, and their forks, that were purged with it; each has a tombstone."""


class SubjectErased(EventData, frozen=True):
    """All content of a person was erased from this tenant, as of this event."""

    subject_id: bytes
    streams: int
    """Streams that held some."""
    events: int
    """Events that lost their content, in all erasures of the person."""


class KeyRotated(EventData, frozen=True):
    """Data keys of encryption were wrapped again, by another master key."""

    master: str
    """Id of the master key that wraps them now."""
    formers: tuple[str, ...]
    """Ids of those that wrapped some of them before."""
    keys: int


class RotateKey(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """Record that data keys were wrapped again."""

    master: str
    formers: tuple[str, ...]
    keys: int


class TenantErased(EventData, frozen=True):
    """All content of this tenant was erased, or all of its streams purged, as of this event."""

    streams: int
    """Streams that were erased or purged."""
    purged: bool = False


class StreamsPurged(EventData, frozen=True):
    """Streams that are no threads' are gone for good."""

    streams: tuple[tuple[str, bytes, int, bytes], ...]
    """Category and id of each, with version and hash of its last event."""


class TenantVerified(EventData, frozen=True):
    """This tenant was verified up to a position, and nothing was found."""

    position: tuple[int, int, int]
    streams: int
    digest: bytes
    """Sum of the digests of the ends of all streams as of the position."""


class MarkVerified(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """Record that the tenant was verified."""

    position: tuple[int, int, int]
    streams: int
    digest: bytes


class PurgeStreams(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """Remove streams that are no threads' for good."""

    streams: tuple[tuple[str, bytes], ...]
    """Category and id of each."""


class EraseTenant(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """Record that a whole tenant was erased or purged."""

    streams: int
    purged: bool


class EraseSubject(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """Record that all content of a person was erased."""

    subject_id: bytes
    streams: int
    events: int


class EraseVersions(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """Erase content of a stream that has no tables of its own."""

    versions: tuple[int, ...]
    subject_id: bytes | None = None
    """The person; None if all content of the stream is erased."""


def content_erased(command: EraseVersions) -> Decided:
    """Decide the event of such an erasure: that of a person bears the person's subject."""
    person = command.subject_id
    data = ContentErased(versions=command.versions, subject_id=person, whole=person is None)
    return Decided(ContentErased.__name__, data, subject=person)


class PurgeThread(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """Remove a thread for good."""

    thread_id: bytes
    busy: bool = False
    """Purge it although a run of it has not ended, as the whole tenant goes."""
    with_forks: bool = False
    """Purge its forks, and their forks, too; without this, forks refuse the purge."""
    expected_version: Expectation = ANY
    """Expected version of the thread."""


STORE_EVENTS: tuple[DeclaredEvent, ...] = (
    DeclaredEvent(ThreadPurged, Note, "purged a thread for good"),
    DeclaredEvent(SubjectErased, Note, "erased all content of a person for good"),
    DeclaredEvent(KeyRotated, Note, "had data keys wrapped by another master key"),
    DeclaredEvent(StreamsPurged, Note, "purged streams for good"),
    DeclaredEvent(TenantErased, Note, "erased all content of the tenant for good"),
    DeclaredEvent(TenantVerified, Note, "verified the tenant"),
    ERASURE,
)
"""Every type of event in a tenant's stream of the category ``store``."""
