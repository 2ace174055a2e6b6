"""``store.messages.edit`` and ``regenerate``: a new message beside the one that it replaces."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from eventstore.api.operations.inputs import (
    checked_draft,
    checked_flag,
    checked_status,
    message_key,
    optional_id,
)
from eventstore.api.operations.messages import fence_of
from eventstore.api.operations.operation import (
    NO_OPTIONS,
    Scope,
    Write,
    WriteOptions,
    to_thread,
)
from eventstore.conversation import commands as c
from eventstore.conversation.parts import Content
from eventstore.conversation.provider_form import ProviderForm
from eventstore.conversation.rows import GivenStatus
from eventstore.conversation.values import Message
from eventstore.core import ids

__all__ = ["edit", "regenerate"]


def edit(
    scope: Scope,
    thread_id: str,
    message_id: str,
    *,
    content: Content,
    select: bool = True,
    name: str | None = None,
    new_message_id: str | None = None,
    external_id: str | None = None,
    metadata: Mapping[str, Any] | None = None,
    provider: ProviderForm | None = None,
    options: WriteOptions = NO_OPTIONS,
) -> Write[Message]:
    """Change the prompt and ask again: add a new message beside the one that it replaces.

    The old message and everything below it stay as they are; ``branches.select`` goes back to
    them. A message that still waits in the queue leaves it, and the new one takes its place
    there.

    Args:
        thread_id: The thread.
        message_id: Message to replace.
        content: Text, a part, or a list of texts and parts.
        select: Make the new message the head.
        name: Name of the speaker, up to 255 characters; erasable.
        new_message_id: Id of your own for the new message: ``msg_`` and 32 lowercase hex
            digits.
        external_id: Name of the new message elsewhere, unique in the thread.
        metadata: JSON object of your own; erasable.
        provider: The provider's own form of it, returned byte for byte; erasable.

    Raises:
        InvalidInput: a value is malformed, or an id is in use.
        ThreadNotFound, MessageNotFound: there is no such message.
        Refused: it is removed or was replaced already; or see ``create``.
        WrongExpectedHead, WrongExpectedVersion, IdempotencyConflict: a guard does not hold.
    """
    command = c.EditMessage(
        target=message_key(message_id),
        draft=checked_draft(
            None,
            content,
            scope.log.limits,
            name=name,
            external_id=external_id,
            metadata=metadata,
            provider=provider,
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
    content: Content,
    select: bool = True,
    name: str | None = None,
    run_id: str | None = None,
    new_message_id: str | None = None,
    external_id: str | None = None,
    status: GivenStatus = "completed",
    metadata: Mapping[str, Any] | None = None,
    provider: ProviderForm | None = None,
    fence: int | None = None,
    options: WriteOptions = NO_OPTIONS,
) -> Write[Message]:
    """Add another answer beside an assistant's message.

    The old answer stays as it is; ``branches.select`` goes back to it.

    Args:
        thread_id: The thread.
        message_id: Answer to put another one beside.
        content: Text, a part, or a list of texts and parts.
        select: Make the new answer the head.
        name: Name of the speaker, up to 255 characters; erasable.
        run_id: Run that writes it.
        new_message_id: Id of your own for the new answer: ``msg_`` and 32 lowercase hex digits.
        external_id: Name of the new answer elsewhere, unique in the thread.
        status: ``"incomplete"`` for an answer that was cut off.
        metadata: JSON object of your own; erasable.
        provider: The provider's own form of it, returned byte for byte; erasable.
        fence: Fence of the run's holder, from ``start``; needed once another holder took over.

    Raises:
        InvalidInput: a value is malformed, or an id is in use.
        ThreadNotFound, MessageNotFound, RunNotFound: something that it names does not exist.
        Refused: it is not an assistant's message; or see ``create``.
        LeaseLost: another worker took the run over.
        WrongExpectedHead, WrongExpectedVersion, IdempotencyConflict: a guard does not hold.
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
            provider=provider,
        ),
        message_id=optional_id(ids.MESSAGE, new_message_id, "new_message_id"),
        select=checked_flag(select, "select"),
        status=checked_status(status),
        run_id=optional_id(ids.RUN, run_id, "run_id"),
        fence=None if fence is None else fence_of(run_id, fence),
    )
    return to_thread(scope, thread_id, command, options)
