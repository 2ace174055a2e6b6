"""What can happen to a tenant as a whole: events of its one stream of the category ``store``.

As in :mod:`~eventstore.conversation.events`, a class is an event's ``data``; the reason is content.
"""

from __future__ import annotations

import msgspec

from eventstore.conversation.events import Note
from eventstore.core.catalogue import EventKind
from eventstore.core.events import EventData
from eventstore.core.expectations import ANY, Expectation

__all__ = ["STORE_EVENTS", "PurgeThread", "ThreadPurged"]


class ThreadPurged(EventData, frozen=True):
    """The tombstone of a thread: where its stream ended."""

    thread_id: bytes
    version: int
    hash: bytes
    forks: tuple[bytes, ...] = ()
    """The forks of it, and forks of those, that went with it; each has a tombstone."""


class PurgeThread(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """Remove a thread for good."""

    thread_id: bytes
    with_forks: bool = False
    """Its forks, and their forks, go with it; else they are in the way."""
    expected_version: Expectation = ANY
    """Of the thread."""


STORE_EVENTS: tuple[EventKind, ...] = (EventKind(ThreadPurged, Note),)
"""Everything that can be in a tenant's stream of the category ``store``."""
