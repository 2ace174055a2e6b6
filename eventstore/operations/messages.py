"""``store.messages``, writing: saying things, and changing them without losing any."""

from __future__ import annotations

import inspect
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Final, Unpack

from msgspec import UNSET, UnsetType
from msgspec.structs import replace

from eventstore.conversation import commands as c
from eventstore.conversation.values import Message
from eventstore.core import ids
from eventstore.errors import InvalidInput
from eventstore.operations.inputs import (
    check_updates,
    checked_draft,
    checked_flag,
    checked_metadata,
    checked_on_busy,
    checked_role,
    checked_sequence,
    checked_status,
    message_key,
    optional_id,
    optional_text,
    unset_or,
)
from eventstore.operations.lookups import (
    thread_key,
)
from eventstore.operations.operation import Scope, Write, WriteOptions, to_thread, write

_NAME_MAX: Final = 255


def create(
    scope: Scope,
    thread_id: str,
    *,
    role: str,
    content: object,
    parent_id: str | UnsetType | None = UNSET,
    select: bool = True,
    name: str | None = None,
    run_id: str | None = None,
    on_busy: str | None = None,
    message_id: str | None = None,
    external_id: str | None = None,
    original_created_at: datetime | None = None,
    status: str = "completed",
    metadata: Mapping[str, Any] | None = None,
    **options: Unpack[WriteOptions],
) -> Write[Message]:
    """Add a message under ``parent_id``: the head if left out, a new root if None.

    ``content`` is text, a part, or a list of parts. ``select=False`` leaves the head where it is.
    With ``run_id`` it is a run's own message and attaches to the run's last one. On a busy thread
    ``on_busy`` decides: ``"enqueue"`` (the default) waits for the run to end, ``"reject"`` refuses,
    ``"interrupt"`` cancels the run, ``"rollback"`` cancels it and goes back to where it started.

    Raises:
        InvalidInput: a malformed value, or an id in use.
        ThreadNotFound, MessageNotFound, RunNotFound: what it names is not there.
        Refused: the thread is busy, archived or deleted; a tool result without its call.
        WrongExpectedHead, WrongExpectedVersion, IdempotencyConflict: a guard does not hold.
    """
    command = _create_command(
        scope,
        role=role,
        content=content,
        parent_id=parent_id,
        select=select,
        name=name,
        run_id=run_id,
        on_busy=on_busy,
        message_id=message_id,
        external_id=external_id,
        original_created_at=original_created_at,
        status=status,
        metadata=metadata,
    )
    return to_thread(scope, thread_id, command, options)


def _create_command(
    scope: Scope,
    *,
    role: str,
    content: object,
    parent_id: str | UnsetType | None = UNSET,
    select: bool = True,
    name: str | None = None,
    run_id: str | None = None,
    on_busy: str | None = None,
    message_id: str | None = None,
    external_id: str | None = None,
    original_created_at: datetime | None = None,
    status: str = "completed",
    metadata: Mapping[str, Any] | None = None,
) -> c.CreateMessage:
    known_role = checked_role(role)
    return c.CreateMessage(
        draft=checked_draft(
            known_role,
            content,
            scope.log.limits,
            name=name,
            external_id=external_id,
            original_created_at=original_created_at,
            metadata=metadata,
        ),
        role=known_role,
        message_id=optional_id(ids.MESSAGE, message_id, "message_id"),
        parent_id=parent_id
        if parent_id is UNSET
        else optional_id(ids.MESSAGE, parent_id, "parent_id"),
        select=checked_flag(select, "select"),
        status=checked_status(status),
        run_id=optional_id(ids.RUN, run_id, "run_id"),
        on_busy=checked_on_busy(on_busy),
    )


_ARGUMENTS: Final = frozenset(inspect.signature(_create_command).parameters) - {"scope"}


def create_many(
    scope: Scope,
    thread_id: str,
    messages: Sequence[Mapping[str, Any]],
    **options: Unpack[WriteOptions],
) -> Write[list[Message]]:
    """Add several messages, all or none; each is a dict of the arguments of :func:`create`.

    A message without ``parent_id`` goes under the head, as in :func:`create`: it follows the one
    before it, unless that one has ``select=False``. Messages with a ``message_id`` of their own can
    be the parent of later ones, so a whole tree goes in at once.

    Raises:
        InvalidInput: naming the message by its index; and whatever :func:`create` raises.
    """
    commands = commands_of(scope, messages)
    made = write(scope, thread_key(scope, thread_id), commands, options)
    return made if len(commands) > 1 else _as_list(made)


def commands_of(
    scope: Scope, messages: Sequence[Mapping[str, Any]], least: int = 1
) -> list[c.CreateMessage]:
    """Return the commands of several messages, each a dict of the arguments of :func:`create`.

    Raises:
        InvalidInput: naming the message by its index.
    """
    most = scope.log.limits.batch_size_max
    remedy = "Give dicts of the arguments of messages.create()."
    listed = checked_sequence(messages, "messages", remedy)
    if not least <= len(listed) <= most:
        raise InvalidInput("messages", f"has {len(listed)} items", f"Give {least} to {most}.")
    return [_nth_command(scope, index, given) for index, given in enumerate(listed)]


def _as_list(made: Write[Any]) -> Write[list[Any]]:
    """Let a list of one come back as a list."""
    return replace(made, alone_in_list=True)


def _nth_command(scope: Scope, index: int, given: Any) -> c.CreateMessage:  # noqa: ANN401 (checked)
    if not isinstance(given, Mapping) or not {"role", "content"} <= set(given) <= _ARGUMENTS:
        raise InvalidInput(
            f"messages[{index}]",
            "does not have the arguments of create()",
            "Give a dict with role and content, and what else create() takes for one message.",
        )
    try:
        return _create_command(scope, **given)
    except InvalidInput as error:
        raise InvalidInput(
            f"messages[{index}].{error.field}", error.problem, error.remedy
        ) from None


def edit(
    scope: Scope,
    thread_id: str,
    message_id: str,
    *,
    content: object,
    select: bool = True,
    name: str | None = None,
    new_message_id: str | None = None,
    external_id: str | None = None,
    metadata: Mapping[str, Any] | None = None,
    **options: Unpack[WriteOptions],
) -> Write[Message]:
    """Change the prompt and ask again: a **new** message, sibling of the one it replaces.

    The old message and everything below it stay as they are; select it to go back. A message that
    still waits in the queue leaves it, and the new one takes its place there.

    Raises:
        MessageNotFound, Refused: it is not there, removed, or replaced; see :func:`create`.
    """
    command = c.EditMessage(
        target=message_key(message_id),
        draft=checked_draft(
            None, content, scope.log.limits, name=name, external_id=external_id, metadata=metadata
        ),
        message_id=optional_id(ids.MESSAGE, new_message_id, "new_message_id"),
        select=checked_flag(select, "select"),
    )
    return to_thread(scope, thread_id, command, options)


def regenerate(
    scope: Scope,
    thread_id: str,
    message_id: str,
    *,
    content: object,
    select: bool = True,
    name: str | None = None,
    run_id: str | None = None,
    new_message_id: str | None = None,
    external_id: str | None = None,
    status: str = "completed",
    metadata: Mapping[str, Any] | None = None,
    **options: Unpack[WriteOptions],
) -> Write[Message]:
    """Add another answer: a **new** message, sibling of the assistant's message it replaces.

    Raises:
        MessageNotFound, Refused: it is not there, or not an assistant's; see :func:`create`.
    """
    command = c.RegenerateMessage(
        target=message_key(message_id),
        draft=checked_draft(
            "assistant",
            content,
            scope.log.limits,
            name=name,
            external_id=external_id,
            metadata=metadata,
        ),
        message_id=optional_id(ids.MESSAGE, new_message_id, "new_message_id"),
        select=checked_flag(select, "select"),
        status=checked_status(status),
        run_id=optional_id(ids.RUN, run_id, "run_id"),
    )
    return to_thread(scope, thread_id, command, options)


def amend(
    scope: Scope,
    thread_id: str,
    message_id: str,
    *,
    content: object,
    **options: Unpack[WriteOptions],
) -> Write[Message]:
    """Correct the content of the same message; :func:`revisions` keeps every earlier wording.

    Raises:
        MessageNotFound, Refused: it is not there, removed, or its tool calls would change.
    """
    command = c.AmendMessage(
        target=message_key(message_id), draft=checked_draft(None, content, scope.log.limits)
    )
    return to_thread(scope, thread_id, command, options)


def update(
    scope: Scope,
    thread_id: str,
    message_id: str,
    *,
    metadata: Mapping[str, Any] | UnsetType | None = UNSET,
    name: str | UnsetType | None = UNSET,
    **options: Unpack[WriteOptions],
) -> Write[Message]:
    """Replace a message's metadata or name; what is left out stays.

    Raises:
        InvalidInput: a malformed value, or none was given.
        MessageNotFound, Refused: it is not there, or removed.
    """
    check_updates(metadata=metadata, name=name)
    command = c.UpdateMessage(
        target=message_key(message_id),
        metadata=unset_or(metadata, lambda value: checked_metadata(value, scope.log.limits)),
        name=unset_or(name, lambda value: optional_text(value, "name", _NAME_MAX)),
    )
    return to_thread(scope, thread_id, command, options)


def remove(
    scope: Scope, thread_id: str, message_id: str, **options: Unpack[WriteOptions]
) -> Write[Message]:
    """Hide a message and what follows it; its parent becomes the head if it was on the active path.

    Raises:
        MessageNotFound, Refused: it is not there, or removed already.
    """
    command = c.RemoveMessage(target=message_key(message_id))
    return to_thread(scope, thread_id, command, options)


def restore(
    scope: Scope, thread_id: str, message_id: str, **options: Unpack[WriteOptions]
) -> Write[Message]:
    """Bring a removed message back, and the head if it was there and nothing was selected since.

    Raises:
        MessageNotFound: it is not there.
    """
    command = c.RestoreMessage(target=message_key(message_id))
    return to_thread(scope, thread_id, command, options)
