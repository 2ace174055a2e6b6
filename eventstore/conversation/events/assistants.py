"""The events of assistants: their data and their content."""

from __future__ import annotations

from typing import Any, Final

from msgspec import UNSET, UnsetType

from eventstore.conversation.events.base import Note
from eventstore.conversation.events.declared_event import DeclaredEvent
from eventstore.conversation.events.erasures import ERASURE
from eventstore.conversation.facts import Facts, facts_of_stream, these, words
from eventstore.core import ids
from eventstore.core.events import Event, EventData

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


def _created_facts(_: Facts, data: AssistantCreated, event: Event, stream: bytes) -> Facts:
    fields = [name for name in AssistantContent.__struct_fields__ if name != "reason"]
    return {"deleted": False, "model": data.model, **words(stream, event, *fields)}


def _updated_facts(facts: Facts, data: AssistantUpdated, event: Event, stream: bytes) -> Facts:
    model = facts["model"] if data.model is UNSET else data.model
    return {"model": model, **words(stream, event, *data.fields)}


ASSISTANT_EVENTS: Final = (
    DeclaredEvent(
        AssistantCreated,
        AssistantContent,
        "created an assistant",
        (facts_of_stream(ids.ASSISTANT, _created_facts, begins=True),),
    ),
    DeclaredEvent(
        AssistantUpdated,
        AssistantContent,
        "changed an assistant",
        (facts_of_stream(ids.ASSISTANT, _updated_facts),),
    ),
    DeclaredEvent(
        AssistantDeleted,
        Note,
        "deleted an assistant",
        (facts_of_stream(ids.ASSISTANT, these(deleted=True)),),
    ),
    ERASURE,
)
"""Every type of event in an assistant's stream."""
