"""The events of a tenant as a whole: its one stream of the category ``store``.

As in :mod:`~eventstore.conversation.events`, each class is an event's ``data``; the reason is
content.
"""

from __future__ import annotations

import msgspec

from eventstore.conversation.events import ERASURE_KIND, ContentErased, Note
from eventstore.core.catalogue import EventKind
from eventstore.core.events import Decided, EventData
from eventstore.core.expectations import ANY, Expectation

__all__ = [
    "STORE_EVENTS",
    "EraseSubject",
    "EraseVersions",
    "KeyRotated",
    "PurgeThread",
    "RotateKey",
    "SubjectErased",
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


class EraseSubject(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """Record that all content of a person was erased."""

    subject_id: bytes
    streams: int
    events: int


class EraseVersions(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """Erase content of a stream that has no tables of its own."""

    versions: tuple[int, ...]
    subject_id: bytes


def content_erased(command: EraseVersions) -> Decided:
    """Decide the event of such an erasure; what it says is the subject's, so it bears its name."""
    data = ContentErased(versions=command.versions, subject_id=command.subject_id)
    return Decided(ContentErased.__name__, data, subject=command.subject_id)


class PurgeThread(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """Remove a thread for good."""

    thread_id: bytes
    with_forks: bool = False
    """Purge its forks, and their forks, too; without this, forks refuse the purge."""
    expected_version: Expectation = ANY
    """Expected version of the thread."""


STORE_EVENTS: tuple[EventKind, ...] = (
    EventKind(ThreadPurged, Note),
    EventKind(SubjectErased, Note),
    EventKind(KeyRotated, Note),
    ERASURE_KIND,
)
"""Every kind of event in a tenant's stream of the category ``store``."""
