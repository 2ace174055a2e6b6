"""``store.assistants``: models with instructions and tools, versioned."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from msgspec import UNSET, UnsetType

from eventstore.api.operations.inputs import (
    check_updates,
    checked_metadata,
    checked_tools,
    checked_version,
    optional_id,
    optional_text,
    unset_or,
)
from eventstore.api.operations.operation import NO_OPTIONS, Read, Scope, Write, WriteOptions, write
from eventstore.api.operations.place_cursors import cursor_of_place, place_behind, place_cursor
from eventstore.conversation import commands as c
from eventstore.conversation.run_values import Assistant
from eventstore.conversation.tool_definition import ToolGiven
from eventstore.core import ids
from eventstore.core.events import StreamKey
from eventstore.core.json_values import NAME_MAX, Limits
from eventstore.core.pages import (
    EVERYTHING,
    PageOf,
    check_limit,
    listing_key,
)
from eventstore.errors import AssistantNotFound, InvalidInput
from eventstore.storage.interning import find_tenant
from eventstore.storage.transaction import Transaction
from eventstore.write_path.assistant_streams import assistant_history

_NAME_MAX: Final = 256
_DESCRIPTION_MAX: Final = 4_096
_INSTRUCTIONS_MAX: Final = 256_000
_Assistants = PageOf[Assistant]  # once: pydantic looks for it each time

_PAGE: Final = (
    "SELECT assistant, created_position FROM {assistants}"
    " WHERE tenant = ? AND deleted = 0 AND created_position > ? ORDER BY created_position LIMIT ?"
)


def _stream(scope: Scope, assistant_id: str) -> StreamKey:
    key = ids.parse(ids.ASSISTANT, assistant_id, "assistant_id")
    return StreamKey(scope.tenant, ids.ASSISTANT, key)


def create(
    scope: Scope,
    *,
    model: str | None = None,
    name: str | None = None,
    description: str | None = None,
    instructions: str | None = None,
    tools: Sequence[ToolGiven] | None = None,
    settings: Mapping[str, Any] | None = None,
    metadata: Mapping[str, Any] | None = None,
    assistant_id: str | None = None,
    options: WriteOptions = NO_OPTIONS,
) -> Write[Assistant]:
    """Create an assistant at version 1.

    With an ``idempotency_key`` and no ``assistant_id`` the id is derived from tenant and key,
    so that a second try finds the first assistant.

    Args:
        model: Model that it answers with.
        name: Name, up to 255 characters; erasable.
        description: Description for people; erasable.
        instructions: System prompt; erasable.
        tools: Tool definitions as JSON objects, or tools of ``eventstore.engine``.
        settings: JSON object of whatever the model takes: temperature, limits.
        metadata: JSON object of your own; erasable.
        assistant_id: Id of your own: ``asst_`` and 32 lowercase hex digits.

    Raises:
        InvalidInput: a value is malformed, or the id is in use.
        WrongExpectedVersion, IdempotencyConflict: a guard does not hold.
    """
    limits = scope.log.limits
    command = c.CreateAssistant(
        model=optional_text(model, "model", _NAME_MAX),
        name=optional_text(name, "name", _NAME_MAX),
        description=optional_text(description, "description", _DESCRIPTION_MAX),
        instructions=optional_text(instructions, "instructions", _INSTRUCTIONS_MAX),
        tools=checked_tools(tools, limits),  # type: ignore[arg-type]
        settings=checked_metadata(settings, limits, "settings"),
        metadata=checked_metadata(metadata, limits),
    )
    given = optional_id(ids.ASSISTANT, assistant_id, "assistant_id")
    key = optional_text(options.idempotency_key, "idempotency_key", NAME_MAX)
    if given is None and key is not None:
        given = ids.derived(ids.ASSISTANT, scope.tenant, key)
    stream = StreamKey(scope.tenant, ids.ASSISTANT, given or scope.log.environment.new_id())
    return write(scope, stream, (command,), options)


def update(
    scope: Scope,
    assistant_id: str,
    *,
    model: str | UnsetType | None = UNSET,
    name: str | UnsetType | None = UNSET,
    description: str | UnsetType | None = UNSET,
    instructions: str | UnsetType | None = UNSET,
    tools: Sequence[ToolGiven] | UnsetType = UNSET,
    settings: Mapping[str, Any] | UnsetType = UNSET,
    metadata: Mapping[str, Any] | UnsetType = UNSET,
    options: WriteOptions = NO_OPTIONS,
) -> Write[Assistant]:
    """Change an assistant, which makes its next version.

    An argument that is left out changes nothing. Runs keep the version that they were created
    for.

    Args:
        assistant_id: The assistant.
        model: Model that it answers with; None takes it away.
        name: Name, up to 255 characters; None takes it away.
        description: Description for people; None takes it away.
        instructions: System prompt; None takes it away.
        tools: Tool definitions, or tools, that take the place of the old ones.
        settings: JSON object that takes the place of the old one.
        metadata: JSON object that takes the place of the old one.

    Raises:
        InvalidInput: a value is malformed, or none was given.
        AssistantNotFound: there is none.
        Refused: the assistant was deleted.
        WrongExpectedVersion, IdempotencyConflict: a guard does not hold.
    """
    limits = scope.log.limits
    check_updates(
        model=model,
        name=name,
        description=description,
        instructions=instructions,
        tools=tools,
        settings=settings,
        metadata=metadata,
    )

    def text(value: str | UnsetType | None, field: str, most: int) -> str | UnsetType | None:
        return unset_or(value, lambda given: optional_text(given, field, most))

    command = c.UpdateAssistant(
        model=text(model, "model", _NAME_MAX),
        name=text(name, "name", _NAME_MAX),
        description=text(description, "description", _DESCRIPTION_MAX),
        instructions=text(instructions, "instructions", _INSTRUCTIONS_MAX),
        tools=checked_tools(tools, limits) or [] if tools is not UNSET else UNSET,
        settings=unset_or(settings, lambda value: _object(value, limits, "settings")),
        metadata=unset_or(metadata, lambda value: _object(value, limits, "metadata")),
    )
    return write(scope, _stream(scope, assistant_id), (command,), options)


def _object(value: Mapping[str, Any] | None, limits: Limits, field: str) -> dict[str, Any]:
    return checked_metadata(value, limits, field) or {}


def delete(
    scope: Scope, assistant_id: str, *, options: WriteOptions = NO_OPTIONS
) -> Write[Assistant]:
    """Delete an assistant: it takes no new runs, and its versions stay readable.

    Args:
        assistant_id: The assistant.

    Raises:
        AssistantNotFound: there is none.
        Refused: it was deleted already.
        WrongExpectedVersion, IdempotencyConflict: a guard does not hold.
    """
    return write(scope, _stream(scope, assistant_id), (c.DeleteAssistant(),), options)


def get(scope: Scope, assistant_id: str, *, version: int | None = None) -> Read[Assistant]:
    """Return an assistant as it is, or as it was at a version.

    Args:
        assistant_id: The assistant.
        version: Version to read; the latest if left out.

    Raises:
        InvalidInput: it has no such version.
        AssistantNotFound: there is none, or it was deleted and no version was asked for.
    """
    stream = _stream(scope, assistant_id)
    if version is not None:
        checked_version(version, "version")

    def look(tx: Transaction) -> Assistant:
        known = assistant_history(tx, scope.log, scope.tenant, stream.id)
        if not known or (version is None and known[-1].deleted):
            raise AssistantNotFound(assistant_id)
        if version is None:
            return known[-1]
        if not 1 <= version <= len(known):
            raise InvalidInput(
                "version", f"there is no version {version}", f"Give 1 to {len(known)}."
            )
        return known[version - 1]

    return Read(look)


def versions(scope: Scope, assistant_id: str) -> Read[list[Assistant]]:
    """Return every version of an assistant, the first one first.

    Args:
        assistant_id: The assistant.

    Raises:
        AssistantNotFound: there is none.
    """
    stream = _stream(scope, assistant_id)

    def look(tx: Transaction) -> list[Assistant]:
        known = assistant_history(tx, scope.log, scope.tenant, stream.id)
        if not known:
            raise AssistantNotFound(assistant_id)
        return known

    return Read(look)


def list_(
    scope: Scope, *, after: str | None = None, limit: int | None = 100
) -> Read[PageOf[Assistant]]:
    """Return a page of assistants in the order they were created, without the deleted ones.

    Args:
        after: A page's ``next_cursor``, to begin behind it.
        limit: Most assistants on the page; None is all of them.

    Raises:
        InvalidInput: a value is malformed, or the cursor belongs to another listing.
    """
    size = check_limit(limit, scope.log.limits.page_size_max)
    listing = listing_key("assistants", scope.tenant)
    cursor = None if after is None else place_cursor(listing, after)

    def look(tx: Transaction) -> PageOf[Assistant]:
        tenant = find_tenant(tx, scope.tenant)
        most = EVERYTHING if size is None else size + 1
        start = 0 if cursor is None else place_behind(tx, listing, cursor)
        rows = [] if tenant is None else tx.all(_PAGE, (tenant, start, most))
        more = size is not None and len(rows) > size
        rows = rows[:size] if more else rows
        found = [assistant_history(tx, scope.log, scope.tenant, row[0])[-1] for row in rows]
        return _Assistants(
            data=tuple(found),
            next_cursor=cursor_of_place(tx, listing, rows[-1][1]) if more else None,
        )

    return Read(look)
