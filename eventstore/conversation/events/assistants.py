"""The events of assistants: their data and their content."""

from __future__ import annotations

from typing import Any, Final

from msgspec import UNSET, UnsetType

from eventstore.conversation.events.base import Note
from eventstore.conversation.events.erasures import ERASURE_KIND
from eventstore.core.catalogue import EventKind
from eventstore.core.events import EventData

__all__ = [
    "ASSISTANT_EVENTS",
    "AssistantContent",
    "AssistantCreated",
    "AssistantDeleted",
    "AssistantUpdated",
]

# ruff: noqa: D101 (each event is explained once, in the table of docs/format.md)


class AssistantContent(Note, frozen=True):
    name: str | UnsetType | None = UNSET
    description: str | UnsetType | None = UNSET
    instructions: str | UnsetType | None = UNSET
    tools: list[dict[str, Any]] | UnsetType = UNSET
    settings: dict[str, Any] | UnsetType = UNSET
    metadata: dict[str, Any] | UnsetType = UNSET


class AssistantCreated(EventData, frozen=True):
    model: str | None = None


class AssistantUpdated(EventData, frozen=True):
    model: str | UnsetType | None = UNSET
    fields: tuple[str, ...] = ()
    """Names of the parts of its content that are replaced; stays when they are erased."""


class AssistantDeleted(EventData, frozen=True):
    pass


ASSISTANT_EVENTS: Final = (
    EventKind(AssistantCreated, AssistantContent),
    EventKind(AssistantUpdated, AssistantContent),
    EventKind(AssistantDeleted, Note),
    ERASURE_KIND,
)
"""Every kind of event in an assistant's stream."""
