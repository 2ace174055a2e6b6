"""``store.messages``: change a message that is there: amend, update, remove, restore."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from msgspec import UNSET, UnsetType

from eventstore.api.operations.inputs import (
    check_updates,
    checked_draft,
    checked_metadata,
    message_key,
    optional_text,
    unset_or,
)
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
from eventstore.conversation.values import Message
from eventstore.core.json_values import NAME_MAX

__all__ = ["amend", "remove", "restore", "update"]


def amend(
    scope: Scope,
    thread_id: str,
    message_id: str,
    *,
    content: Content,
    provider: ProviderForm | None = None,
    options: WriteOptions = NO_OPTIONS,
) -> Write[Message]:
    """Correct the content of a message in place; ``revisions`` keeps every earlier wording.

    Args:
        thread_id: The thread.
        message_id: Message to correct.
        content: Text, a part, or a list of texts and parts.
        provider: The provider's own form of the new wording; the old form goes with the old one.

    Raises:
        InvalidInput: the content is malformed.
        ThreadNotFound, MessageNotFound: there is no such message.
        Refused: it is removed, or its tool calls would change.
        WrongExpectedHead, WrongExpectedVersion, IdempotencyConflict: a guard does not hold.
    """
    command = c.AmendMessage(
        target=message_key(message_id),
        draft=checked_draft(None, content, scope.log.limits, provider=provider),
    )
    return to_thread(scope, thread_id, command, options)


def update(
    scope: Scope,
    thread_id: str,
    message_id: str,
    *,
    metadata: Mapping[str, Any] | UnsetType | None = UNSET,
    name: str | UnsetType | None = UNSET,
    options: WriteOptions = NO_OPTIONS,
) -> Write[Message]:
    """Replace a message's metadata or name. An argument that is left out changes nothing.

    Args:
        thread_id: The thread.
        message_id: Message to update.
        metadata: JSON object that takes the place of the old one; None takes it away.
        name: Name of the speaker; None takes it away.

    Raises:
        InvalidInput: a value is malformed, or none was given.
        ThreadNotFound, MessageNotFound: there is no such message.
        Refused: it is removed.
        WrongExpectedHead, WrongExpectedVersion, IdempotencyConflict: a guard does not hold.
    """
    check_updates(metadata=metadata, name=name)
    command = c.UpdateMessage(
        target=message_key(message_id),
        metadata=unset_or(metadata, lambda value: checked_metadata(value, scope.log.limits)),
        name=unset_or(name, lambda value: optional_text(value, "name", NAME_MAX)),
    )
    return to_thread(scope, thread_id, command, options)


def remove(
    scope: Scope, thread_id: str, message_id: str, *, options: WriteOptions = NO_OPTIONS
) -> Write[Message]:
    """Hide a message and everything below it; ``restore`` brings it back.

    Its parent becomes the head if the message was on the active path. The words stay in the
    log: ``privacy.erase`` removes them for good.

    Args:
        thread_id: The thread.
        message_id: Message to hide.

    Raises:
        ThreadNotFound, MessageNotFound: there is no such message.
        Refused: it is removed already.
        WrongExpectedHead, WrongExpectedVersion, IdempotencyConflict: a guard does not hold.
    """
    command = c.RemoveMessage(target=message_key(message_id))
    return to_thread(scope, thread_id, command, options)


def restore(
    scope: Scope, thread_id: str, message_id: str, *, options: WriteOptions = NO_OPTIONS
) -> Write[Message]:
    """Bring a removed message back.

    The head goes back, too, if removing the message moved it and nothing was selected since.

    Args:
        thread_id: The thread.
        message_id: Message to bring back.

    Raises:
        ThreadNotFound, MessageNotFound: there is no such message.
        WrongExpectedHead, WrongExpectedVersion, IdempotencyConflict: a guard does not hold.
    """
    command = c.RestoreMessage(target=message_key(message_id))
    return to_thread(scope, thread_id, command, options)
