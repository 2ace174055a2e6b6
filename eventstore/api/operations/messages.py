"""``store.messages.create`` and ``create_many``: add messages to a thread."""

from __future__ import annotations

import inspect
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Final

from msgspec import UNSET, UnsetType
from msgspec.structs import replace

from eventstore.api.operations.inputs import (
    checked_draft,
    checked_fence,
    checked_flag,
    checked_on_busy,
    checked_role,
    checked_sequence,
    checked_status,
    message_key,
    run_key,
)
from eventstore.api.operations.loaders import (
    thread_key,
)
from eventstore.api.operations.operation import (
    NO_OPTIONS,
    Scope,
    Write,
    WriteOptions,
    to_thread,
    write,
)
from eventstore.conversation import commands as c
from eventstore.conversation.commands import OnBusy
from eventstore.conversation.parts import Content
from eventstore.conversation.provider_form import ProviderForm
from eventstore.conversation.rows import GivenStatus, Role
from eventstore.conversation.values import Message
from eventstore.errors import InvalidInput


def create(
    scope: Scope,
    thread_id: str,
    *,
    role: Role,
    content: Content,
    parent_id: str | UnsetType | None = UNSET,
    select: bool = True,
    name: str | None = None,
    run_id: str | None = None,
    on_busy: OnBusy | None = None,
    message_id: str | None = None,
    external_id: str | None = None,
    original_created_at: datetime | None = None,
    status: GivenStatus = "completed",
    metadata: Mapping[str, Any] | None = None,
    provider: ProviderForm | None = None,
    fence: int | None = None,
    options: WriteOptions = NO_OPTIONS,
) -> Write[Message]:
    """Add a message to a thread.

    It goes under the head, and becomes the head. A run's own message (``run_id``) goes under
    the last message of that run instead. On a busy thread a message without ``parent_id``
    follows ``on_busy``.

    Args:
        thread_id: The thread.
        role: Who speaks.
        content: Text, a part, or a list of texts and parts.
        parent_id: Message to put it under; the head if left out, a new root if None.
        select: Make it the head. False leaves the head where it is.
        name: Name of the speaker, up to 255 characters; erasable.
        run_id: Run that writes it.
        on_busy: ``"enqueue"`` (the default) waits for the run to end, ``"reject"`` refuses,
            ``"interrupt"`` cancels the run and keeps what it wrote, ``"rollback"`` cancels it
            and goes back to where it started.
        message_id: Id of your own: ``msg_`` and 32 lowercase hex digits, new to the thread.
        external_id: Name of the message elsewhere, up to 255 characters, unique in the thread.
        original_created_at: When it was written, for imported messages; with a time zone.
        status: ``"incomplete"`` for an answer that was cut off.
        metadata: JSON object of your own; erasable.
        provider: The provider's own form of it, returned byte for byte; erasable.
        fence: Fence of the run's holder, from ``start``; needed once another holder took over.

    Raises:
        InvalidInput: a value is malformed, or an id is in use.
        ThreadNotFound, MessageNotFound, RunNotFound: something that it names does not exist.
        Refused: the thread is busy, archived or deleted; a result has no call, or something
            else stands under an open call.
        LeaseLost: another worker took the run over.
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
        provider=provider,
        fence=fence,
    )
    return to_thread(scope, thread_id, command, options)


def _create_command(
    scope: Scope,
    *,
    role: Role,
    content: Content,
    parent_id: str | UnsetType | None = UNSET,
    select: bool = True,
    name: str | None = None,
    run_id: str | None = None,
    on_busy: OnBusy | None = None,
    message_id: str | None = None,
    external_id: str | None = None,
    original_created_at: datetime | None = None,
    status: GivenStatus = "completed",
    metadata: Mapping[str, Any] | None = None,
    provider: ProviderForm | None = None,
    fence: int | None = None,
) -> c.CreateMessage:
    # Every message comes this way, so omitted arguments cost no call.
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
            provider=provider,
        ),
        role=known_role,
        message_id=None if message_id is None else message_key(message_id),
        parent_id=parent_id
        if parent_id is UNSET or parent_id is None
        else message_key(parent_id, "parent_id"),
        select=select is True or checked_flag(select, "select"),
        status="completed" if status == "completed" else checked_status(status),
        run_id=None if run_id is None else run_key(run_id),
        fence=None if fence is None else fence_of(run_id, fence),
        on_busy="enqueue" if on_busy is None else checked_on_busy(on_busy),
    )


def fence_of(run_id: str | None, fence: int) -> int | None:
    """Return a fence, which only a run's own message can have."""
    if run_id is None:
        raise InvalidInput("fence", "given without run_id", "Give the run that writes it.")
    return checked_fence(fence)


_ARGUMENTS: Final = frozenset(inspect.signature(_create_command).parameters) - {"scope"}


def create_many(
    scope: Scope,
    thread_id: str,
    messages: Sequence[Mapping[str, Any]],
    *,
    options: WriteOptions = NO_OPTIONS,
) -> Write[list[Message]]:
    """Add several messages, all or none.

    A message without ``parent_id`` goes under the head, as in ``create``: it follows the one
    before it, unless that one has ``select=False``. A message with a ``message_id`` of its own
    can be the parent of later ones, so a whole tree goes in at once.

    Args:
        thread_id: The thread.
        messages: Dicts of the arguments of ``create``; at most ``Limits.batch_size_max``.

    Raises:
        InvalidInput: a message is malformed; its index is named.
        ThreadNotFound, MessageNotFound, RunNotFound, Refused: as in ``create``.
        WrongExpectedHead, WrongExpectedVersion, IdempotencyConflict: a guard does not hold.
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
    """Return a list also for a single command."""
    return replace(made, answer=lambda appended: [appended.result])


def _nth_command(scope: Scope, index: int, given: object) -> c.CreateMessage:
    if not isinstance(given, Mapping) or not {"role", "content"} <= set(given) <= _ARGUMENTS:
        raise InvalidInput(
            f"messages[{index}]",
            "does not have the arguments of create()",
            "Give a dict with role and content, and other arguments of create() for one message.",
        )
    try:
        return _create_command(scope, **given)
    except InvalidInput as error:
        raise InvalidInput(
            f"messages[{index}].{error.field}", error.problem, error.remedy
        ) from None
