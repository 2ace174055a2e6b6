"""The events of a tenant as a whole: its one stream of the category ``store``.

As in :mod:`~eventstore.conversation.events`, each class is an event's ``data``; the reason is
content.
"""

from __future__ import annotations

import msgspec

from eventstore.conversation.events import Note
from eventstore.core.catalogue import EventKind
from eventstore.core.events import EventData
from eventstore.core.expectations import ANY, Expectation

__all__ = ["STORE_EVENTS", "PurgeThread", "ThreadPurged"]


class ThreadPurged(EventData, frozen=True):
    """The tombstone of a thread: version and hash of its last event."""

    thread_id: bytes
    version: int
    hash: bytes
    forks: tuple[bytes, ...] = ()
    """Its forks, and their forks, that were purged with it; each has a tombstone."""


class PurgeThread(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """Remove a thread for good."""

    thread_id: bytes
    with_forks: bool = False
    """Purge its forks, and their forks, too; without this, forks refuse the purge."""
    expected_version: Expectation = ANY
    """Expected version of the thread."""


STORE_EVENTS: tuple[EventKind, ...] = (EventKind(ThreadPurged, Note),)
"""Every kind of event in a tenant's stream of the category ``store``."""
