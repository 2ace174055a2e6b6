"""The entries of a trail, as users get them, and the filter that chooses among them."""

from __future__ import annotations

from datetime import datetime
from typing import NamedTuple

from eventstore.conversation.changes import Change
from eventstore.core.events import Position
from eventstore.core.unshown import Unshown
from eventstore.core.values import Value

__all__ = ["TrailEntry", "TrailFilter"]


class TrailEntry(Value):
    """One event: who did what, when and why, and each field before and after it."""

    stream_id: str
    """Stream that it belongs to: a thread, an assistant, or the tenant itself."""
    version: int
    """Version of the stream."""
    position: Position
    """Place in the whole store."""
    event_id: str
    """Id of the event; ``causation_id`` of another entry may name it."""
    type: str
    """Kind of event."""
    recorded_at: datetime
    """Time at which it was recorded."""
    actor: str | None
    """Opaque id of the actor, if one was given."""
    reason: Unshown[str | None]
    """Reason in the actor's own words; None also if it was erased."""
    correlation_id: str | None
    """Id that everything done for one request has in common."""
    causation_id: str | None
    """Id of the event or request that led to it."""
    about: str
    """Id of the message, run, step, thread, assistant or person that it is about."""
    changes: tuple[Change, ...]
    """Fields that it changed. A removal, a switch and the like change one or two."""
    erased: bool
    """Its own words are gone for good."""
    erases: tuple[int, ...] = ()
    """For an erasure: the versions of the events that lost their words."""


class TrailFilter(NamedTuple):
    """Wanted entries; None means all of them."""

    actor: str | None = None
    types: frozenset[str] | None = None
    since_us: int | None = None
    until_us: int | None = None
    correlation_id: str | None = None
    causation_id: str | None = None
    event_id: str | None = None
