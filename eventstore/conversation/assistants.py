"""The rules of assistants: decides a command's events, and folds events into versions. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, Final

from msgspec import UNSET

from eventstore.conversation import commands as c
from eventstore.conversation import events as e
from eventstore.conversation.run_values import Assistant
from eventstore.core import ids
from eventstore.core.events import Decided, Event, instant
from eventstore.errors import AssistantNotFound, InvalidInput, Refused

__all__ = ["decide_assistant", "fold_assistant"]


_UNSAID: Final[Mapping[str, Any]] = {
    "name": None,
    "description": None,
    "instructions": None,
    "tools": (),
    "settings": {},
    "metadata": {},
}
"""Everything that is content, as it is where nothing was said of it."""


def fold_assistant(assistant_id: bytes, events: Iterable[Event]) -> Iterator[Assistant]:
    """Yield the assistant after each of its events."""
    fields: dict[str, Any] = {
        "id": ids.show(ids.ASSISTANT, assistant_id),
        "model": None,
        **_UNSAID,
        "deleted": False,
    }
    for event in events:
        now = instant(event.recorded_at_us)
        fields.setdefault("created_at", now)
        fields["updated_at"], fields["version"] = now, event.version
        fields["deleted"] = fields["deleted"] or event.type == "AssistantDeleted"
        if getattr(event.data, "model", UNSET) is not UNSET:
            fields["model"] = event.data.model
        if isinstance(event.content, e.AssistantContent):
            for name in _UNSAID:
                value = getattr(event.content, name)
                fields[name] = fields[name] if value is UNSET else value
        elif isinstance(event.data, e.AssistantUpdated):  # erased: what was there before stays gone
            fields |= {name: _UNSAID[name] for name in event.data.fields}
        yield Assistant.model_validate(fields)


def _create(current: Assistant | None, command: c.CreateAssistant, assistant_id: str) -> Decided:
    if current is not None:
        raise InvalidInput("assistant_id", f"{assistant_id} is in use", "Leave it out.")
    content = e.AssistantContent(
        name=command.name,
        description=command.description,
        instructions=command.instructions,
        tools=command.tools or [],
        settings=command.settings or {},
        metadata=command.metadata or {},
    )
    return Decided("AssistantCreated", e.AssistantCreated(model=command.model), content)


def _existing(current: Assistant | None, assistant_id: str) -> Assistant:
    if current is None:
        raise AssistantNotFound(assistant_id)
    if current.deleted:
        raise Refused("assistant_deleted", f"{assistant_id} is deleted", "Create a new one.")
    return current


def _update(current: Assistant | None, command: c.UpdateAssistant, assistant_id: str) -> Decided:
    _existing(current, assistant_id)
    content = e.AssistantContent(
        name=command.name,
        description=command.description,
        instructions=command.instructions,
        tools=command.tools,
        settings=command.settings,
        metadata=command.metadata,
    )
    given = tuple(name for name in _UNSAID if getattr(content, name) is not UNSET)
    data = e.AssistantUpdated(model=command.model, fields=given)
    return Decided("AssistantUpdated", data, content)


def _delete(current: Assistant | None, _: c.DeleteAssistant, assistant_id: str) -> Decided:
    _existing(current, assistant_id)
    return Decided("AssistantDeleted", e.AssistantDeleted())


_DECIDERS: Final[Mapping[type[c.Command], Callable[[Assistant | None, Any, str], Decided]]] = {
    c.CreateAssistant: _create,
    c.UpdateAssistant: _update,
    c.DeleteAssistant: _delete,
}


def decide_assistant(current: Assistant | None, command: c.Command, assistant_id: str) -> Decided:
    """Return the event that a command leads to, None if it changes nothing.

    Raises:
        AssistantNotFound, InvalidInput, Refused.
    """
    return _DECIDERS[type(command)](current, command, assistant_id)
