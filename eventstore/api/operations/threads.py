"""``store.threads``: create, find, fork, archive and delete conversations."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from msgspec import UNSET, UnsetType
from msgspec.structs import replace

from eventstore.api.operations.inputs import (
    check_updates,
    checked_flag,
    checked_metadata,
    checked_version,
    optional_id,
    optional_text,
    unset_or,
)
from eventstore.api.operations.loaders import live_thread, thread_key, thread_row
from eventstore.api.operations.messages import commands_of
from eventstore.api.operations.operation import (
    NO_OPTIONS,
    Read,
    Scope,
    Write,
    WriteOptions,
    to_thread,
    write,
)
from eventstore.conversation import commands as c
from eventstore.conversation.present import thread_value
from eventstore.conversation.values import Thread
from eventstore.core import ids
from eventstore.core.events import StreamKey
from eventstore.core.json_values import NAME_MAX
from eventstore.storage.transaction import Transaction

_TITLE_MAX: Final = 1_000


def create(
    scope: Scope,
    *,
    title: str | None = None,
    metadata: Mapping[str, Any] | None = None,
    messages: Sequence[Mapping[str, Any]] | None = None,
    thread_id: str | None = None,
    options: WriteOptions = NO_OPTIONS,
) -> Write[Thread]:
    """Create a thread, and its first messages with it: all of it happens, or nothing.

    With an ``idempotency_key`` and no ``thread_id`` the id is derived from tenant and key, so
    that a second try finds the first thread.

    Args:
        title: Title, up to 1,000 characters; erasable.
        metadata: JSON object of your own; erasable. ``list`` filters by its top-level values.
        messages: Dicts of the arguments of ``messages.create``. One without ``parent_id``
            follows the one before it, unless that one has ``select=False``.
        thread_id: Id of your own: ``thread_`` and 32 lowercase hex digits.

    Raises:
        InvalidInput: a value is malformed, or the id is in use.
        Refused: ``"thread_purged"``, a thread of this id was purged; or see
            ``messages.create``.
        WrongExpectedVersion, IdempotencyConflict: a guard does not hold.
    """
    command = c.CreateThread(
        title=optional_text(title, "title", _TITLE_MAX),
        metadata=checked_metadata(metadata, scope.log.limits),
        named=_is_named(thread_id, options),
    )
    stream = _new_stream(scope, thread_id, options)
    said = () if messages is None else commands_of(scope, messages, least=0)
    if not said:
        return write(scope, stream, (command,), options)
    made = write(scope, stream, (command, *said, c.ShowThread()), options)
    return replace(made, answer=lambda appended: appended.result[-1])


def _new_stream(
    scope: Scope, thread_id: str | None, options: WriteOptions, field: str = "thread_id"
) -> StreamKey:
    key = optional_text(options.idempotency_key, "idempotency_key", NAME_MAX)
    given = optional_id(ids.THREAD, thread_id, field)
    if given is None and key is not None:
        given = ids.derived(ids.THREAD, scope.tenant, key)
    return StreamKey(scope.tenant, ids.THREAD, given or scope.log.environment.new_id())


def _is_named(thread_id: str | None, options: WriteOptions) -> bool:
    """Return whether the id of a new thread may have been used before."""
    return thread_id is not None or options.idempotency_key is not None


def fork(
    scope: Scope,
    thread_id: str,
    *,
    at_message: str | None = None,
    at_version: int | None = None,
    fork_id: str | None = None,
    options: WriteOptions = NO_OPTIONS,
) -> Write[Thread]:
    """Create a thread that shares the path from the root to a message.

    A fork costs the same at any length, in time and in bytes; only with ``at_version`` the path
    is looked through for messages that were removed then. Later writes on either side are
    invisible to the other; an erasure in the source shows in every fork.

    Args:
        thread_id: Thread to fork.
        at_message: Last message that is shared; the head if left out.
        at_version: Share the messages as they were at this version; now if left out.
        fork_id: Id of your own for the fork: ``thread_`` and 32 lowercase hex digits.

    Raises:
        InvalidInput: a value is malformed, or the id is in use.
        ThreadNotFound, MessageNotFound: there is no such thread or message.
        Refused: the message is removed or queued, the thread has none, or ``"thread_purged"``:
            a thread with the id ``fork_id`` was purged.
        WrongExpectedVersion, IdempotencyConflict: a guard does not hold.
    """
    source = thread_key(scope, thread_id)
    command = c.ForkThread(
        source_id=source.id,
        at_message=optional_id(ids.MESSAGE, at_message, "at_message"),
        at_version=None if at_version is None else checked_version(at_version, "at_version"),
        named=_is_named(fork_id, options),
    )
    return write(scope, _new_stream(scope, fork_id, options, "fork_id"), (command,), options)


def update(
    scope: Scope,
    thread_id: str,
    *,
    title: str | UnsetType | None = UNSET,
    metadata: Mapping[str, Any] | UnsetType | None = UNSET,
    options: WriteOptions = NO_OPTIONS,
) -> Write[Thread]:
    """Replace a thread's title or metadata. An argument that is left out changes nothing.

    Args:
        thread_id: The thread.
        title: Title, up to 1,000 characters; None takes it away.
        metadata: JSON object that takes the place of the old one; None takes it away.

    Raises:
        InvalidInput: a value is malformed, or none was given.
        ThreadNotFound: there is none.
        Refused: the thread was deleted.
        WrongExpectedHead, WrongExpectedVersion, IdempotencyConflict: a guard does not hold.
    """
    check_updates(title=title, metadata=metadata)
    command = c.UpdateThread(
        title=unset_or(title, lambda value: optional_text(value, "title", _TITLE_MAX)),
        metadata=unset_or(metadata, lambda value: checked_metadata(value, scope.log.limits) or {}),
    )
    return to_thread(scope, thread_id, command, options)


def archive(scope: Scope, thread_id: str, *, options: WriteOptions = NO_OPTIONS) -> Write[Thread]:
    """Put a thread to rest: it takes no messages and no runs until it is unarchived.

    Args:
        thread_id: The thread.

    Raises:
        ThreadNotFound: there is none.
        Refused: the thread was deleted, or is busy.
        WrongExpectedHead, WrongExpectedVersion, IdempotencyConflict: a guard does not hold.
    """
    return to_thread(scope, thread_id, c.ArchiveThread(), options)


def unarchive(scope: Scope, thread_id: str, *, options: WriteOptions = NO_OPTIONS) -> Write[Thread]:
    """Let an archived thread take messages and runs again.

    Args:
        thread_id: The thread.

    Raises:
        ThreadNotFound: there is none.
        Refused: the thread was deleted.
        WrongExpectedHead, WrongExpectedVersion, IdempotencyConflict: a guard does not hold.
    """
    return to_thread(scope, thread_id, c.UnarchiveThread(), options)


def delete(scope: Scope, thread_id: str, *, options: WriteOptions = NO_OPTIONS) -> Write[Thread]:
    """Hide a thread. Its events stay, and ``restore`` brings it back.

    ``privacy.purge`` removes a thread for good.

    Args:
        thread_id: The thread.

    Raises:
        ThreadNotFound: there is none.
        Refused: the thread is busy, or was deleted already.
        WrongExpectedHead, WrongExpectedVersion, IdempotencyConflict: a guard does not hold.
    """
    return to_thread(scope, thread_id, c.DeleteThread(), options)


def restore(scope: Scope, thread_id: str, *, options: WriteOptions = NO_OPTIONS) -> Write[Thread]:
    """Bring a deleted thread back.

    Args:
        thread_id: The thread.

    Raises:
        ThreadNotFound: there never was one of this id.
        WrongExpectedHead, WrongExpectedVersion, IdempotencyConflict: a guard does not hold.
    """
    return to_thread(scope, thread_id, c.RestoreThread(), options)


def get(scope: Scope, thread_id: str, *, include_deleted: bool = False) -> Read[Thread]:
    """Return a thread.

    Args:
        thread_id: The thread.
        include_deleted: Return it even if it was deleted.

    Raises:
        ThreadNotFound: there is none, or it was deleted.
    """
    key = thread_key(scope, thread_id)
    checked_flag(include_deleted, "include_deleted")

    def look(tx: Transaction) -> Thread:
        view = live_thread(tx, scope, key, include_deleted=include_deleted)
        return thread_value(view, thread_row(view))

    return Read(look)
