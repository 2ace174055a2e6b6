"""One type of event in a thread's stream, declared in one place."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from eventstore.conversation.events.declared_event import DeclaredEvent
from eventstore.conversation.rows import Row
from eventstore.conversation.view import ThreadView
from eventstore.core.events import Event

__all__ = ["Evolver", "ThreadEvent"]

Evolver: TypeAlias = Callable[[ThreadView, Any, Event], list[Row]]
"""Returns the rows that an event changes, from the view before it, its data and itself. It copies
the values that the event resolved (a head, a parent) and never decides again."""


@dataclass(frozen=True, slots=True)
class ThreadEvent(DeclaredEvent):
    """One type of event in a thread: also its effect on rows, and the thing that it is about."""

    evolve: Evolver = field(kw_only=True)
    subject: str | None = field(default=None, kw_only=True)
    """Field of ``data`` that names the message or run it is about; None for the thread itself.
    Erasing that message or run erases the content of the event."""
