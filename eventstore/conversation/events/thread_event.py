"""One type of event in a thread's stream, declared in one place."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from eventstore.conversation.events.declared_event import DeclaredEvent
from eventstore.conversation.rows import MessageRow, Row
from eventstore.conversation.view import ThreadView
from eventstore.core.events import Event

__all__ = ["Evolver", "Rewriter", "ThreadEvent"]

Evolver: TypeAlias = Callable[[ThreadView, Any, Event], list[Row]]
"""Returns the rows that an event changes, from the view before it, its data and itself. It copies
the values that the event resolved (a head, a parent) and never decides again."""


Rewriter: TypeAlias = Callable[[MessageRow, Any, int], MessageRow]
"""Returns the row of a message after an event, from the row before, its data and its version."""


@dataclass(frozen=True, slots=True)
class ThreadEvent(DeclaredEvent):
    """One type of event in a thread: also its effect on rows, and the thing that it is about."""

    evolve: Evolver = field(kw_only=True)
    subject: str | None = field(default=None, kw_only=True)
    """Field of ``data`` that names the message or run it is about; None for the thread itself.
    Erasing that message or run erases the content of the event."""
    rewrites: Rewriter | None = field(default=None, kw_only=True)
    """Its effect on a message that was there before: the one that it is about, or replaces in the
    queue."""
