"""The tombstone of a purged thread, as users get it."""

from __future__ import annotations

from datetime import datetime

from eventstore.conversation.store_events import ThreadPurged
from eventstore.core import ids
from eventstore.core.events import Event, instant
from eventstore.core.values import Value

__all__ = ["Tombstone", "tombstone_value"]


class Tombstone(Value):
    """A thread that was purged: version and hash of its last event, time and actor."""

    thread_id: str
    """Thread that was purged."""
    version: int
    """Version of its last event."""
    hash: str
    """Hash of its last event, 64 hex digits: it verifies a copy of the stream kept elsewhere."""
    forks: tuple[str, ...]
    """Its forks, and their forks, that were purged with it; each has a tombstone."""
    purged_at: datetime
    """Time at which it was purged."""
    actor: str | None
    """Opaque id of the actor that requested it."""
    reason: str | None
    """Reason that was given."""
    remains: tuple[str, ...] = ()
    """Places on disk that may still hold the bytes; empty if the database's files hold none."""
    pending: bool = False
    """Some of these clear with time; purge the same thread again to finish."""


def tombstone_value(event: Event) -> Tombstone:
    """Return the value of a ``ThreadPurged``."""
    data: ThreadPurged = event.data
    return Tombstone(
        thread_id=ids.show(ids.THREAD, data.thread_id),
        version=data.version,
        hash=data.hash.hex(),
        forks=tuple(ids.show(ids.THREAD, fork) for fork in data.forks),
        purged_at=instant(event.recorded_at_us),
        actor=event.actor,
        reason=None if event.content is None else event.content.reason,
    )
