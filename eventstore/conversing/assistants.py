"""Deciding and projecting for assistants: short streams, so reading one is folding it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Final

from msgspec import UNSET
from msgspec.structs import replace

from eventstore.conversation import commands as c
from eventstore.conversation import events as e
from eventstore.conversation.values import Assistant
from eventstore.core import ids
from eventstore.core.events import Decided, Event, StreamKey, instant
from eventstore.errors import AssistantNotFound, InvalidInput, Refused
from eventstore.storage import read
from eventstore.storage.append import AppendRequest, Log
from eventstore.storage.interning import find_tenant
from eventstore.storage.transaction import Transaction

__all__ = ["AssistantDeciding", "assistant_for_run", "assistant_history", "fold_assistant"]

_UPSERT: Final = (
    "INSERT INTO {assistants}"
    " (tenant, assistant, version, created_position, created_at, updated_at, deleted)"
    " VALUES (?, ?, ?, ?, ?, ?, ?)"
    " ON CONFLICT (tenant, assistant) DO UPDATE SET version = excluded.version,"
    " updated_at = excluded.updated_at, deleted = excluded.deleted"
)


def fold_assistant(assistant_id: bytes, events: Iterable[Event]) -> Iterable[Assistant]:
    """Yield the assistant after each of its events."""
    fields: dict[str, Any] = {
        "id": ids.show(ids.ASSISTANT, assistant_id),
        "model": None,
        "name": None,
        "description": None,
        "instructions": None,
        "tools": (),
        "settings": {},
        "metadata": {},
        "deleted": False,
    }
    for event in events:
        now = instant(event.recorded_at_us)
        fields.setdefault("created_at", now)
        fields["updated_at"], fields["version"] = now, event.version
        fields["deleted"] = event.type == "AssistantDeleted"
        if getattr(event.data, "model", UNSET) is not UNSET:
            fields["model"] = event.data.model
        if isinstance(event.content, e.AssistantContent):
            for name in ("name", "description", "instructions", "tools", "settings", "metadata"):
                value = getattr(event.content, name)
                fields[name] = fields[name] if value is UNSET else value
        yield Assistant.model_validate(fields)


def assistant_history(
    tx: Transaction, log: Log, tenant: str, assistant_id: bytes
) -> list[Assistant]:
    """Return an assistant's versions, the first one first; none if it does not exist."""
    stream = StreamKey(tenant, ids.ASSISTANT, assistant_id)
    events = (read.as_event(log, stored) for stored in read.iterate_stream(tx, stream))
    return list(fold_assistant(assistant_id, events))


def assistant_for_run(tx: Transaction, log: Log, tenant: str, command: c.CreateRun) -> c.CreateRun:
    """Pin the version of the assistant that a run is for, and its model unless the run has its own.

    Raises:
        AssistantNotFound: there is none, or it was deleted.
    """
    assert command.assistant_id is not None  # noqa: S101 (asked by the caller)
    versions = assistant_history(tx, log, tenant, command.assistant_id)
    if not versions or versions[-1].deleted:
        raise AssistantNotFound(ids.show(ids.ASSISTANT, command.assistant_id))
    current = versions[-1]
    return replace(command, assistant_version=current.version, model=command.model or current.model)


# -- deciding --------------------------------------------------------------------------------------


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
    return Decided("AssistantUpdated", e.AssistantUpdated(model=command.model), content)


def _delete(current: Assistant | None, _: c.DeleteAssistant, assistant_id: str) -> Decided:
    _existing(current, assistant_id)
    return Decided("AssistantDeleted", e.AssistantDeleted())


_DECIDERS: Final[Mapping[type[c.Command], Callable[[Assistant | None, Any, str], Decided]]] = {
    c.CreateAssistant: _create,
    c.UpdateAssistant: _update,
    c.DeleteAssistant: _delete,
}


class AssistantDeciding:
    """Keeps ``storage.append.Deciding`` for the category ``asst``."""

    def __init__(self, tx: Transaction, log: Log) -> None:
        self._tx = tx
        self._log = log
        self._events: dict[StreamKey, list[Event]] = {}
        self._changed: set[StreamKey] = set()

    def _history(self, stream: StreamKey) -> list[Event]:
        if stream not in self._events:
            stored = read.iterate_stream(self._tx, stream)
            self._events[stream] = [read.as_event(self._log, one) for one in stored]
        return self._events[stream]

    def _current(self, stream: StreamKey) -> Assistant | None:
        last = None
        for last in fold_assistant(stream.id, self._history(stream)):
            pass
        return last

    def decide(self, request: AppendRequest, command: c.Command) -> Sequence[Decided]:
        stream = request.stream
        decided = _DECIDERS[type(command)](self._current(stream), command, stream.text)
        reason = getattr(request.options, "reason", None)
        if reason is not None:
            content = replace(decided.content or e.Note(), reason=reason)  # type: ignore[type-var]
            decided = decided._replace(content=content)
        return [decided]

    def looks_elsewhere(self, _: AppendRequest) -> bool:
        """Only the assistant's own stream is read, and its new events are known here."""
        return False

    def evolve(self, request: AppendRequest, event: Event) -> None:
        self._history(request.stream).append(event)
        self._changed.add(request.stream)

    def result(self, request: AppendRequest, _: object, __: object) -> Assistant | None:
        return self._current(request.stream)

    def repeated(self, request: AppendRequest, _: object, __: int, last: int) -> Assistant:
        stream = request.stream
        return list(fold_assistant(stream.id, self._history(stream)))[last - 1]

    def mark(self, request: AppendRequest) -> int:
        return len(self._history(request.stream))

    def back_to(self, request: AppendRequest, mark: int) -> None:
        del self._history(request.stream)[mark:]

    def write(self) -> None:
        for stream in self._changed:
            history = self._events[stream]
            if not history:
                continue
            first, last = history[0], history[-1]
            self._tx.run(
                _UPSERT,
                (
                    find_tenant(self._tx, stream.tenant),
                    stream.id,
                    last.version,
                    first.position,
                    first.recorded_at_us,
                    last.recorded_at_us,
                    last.type == "AssistantDeleted",
                ),
            )
