"""``store.privacy.erase``: erase content of a message, a thread or a person for good."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final, get_args

from eventstore.api.operations.erasing_pages import FIRST_PLAN, ErasingPages
from eventstore.api.operations.erasing_persons import erase_person
from eventstore.api.operations.inputs import checked_sequence, message_key
from eventstore.api.operations.operation import (
    NO_ERASURE_OPTIONS,
    Collected,
    ErasureOptions,
    Paged,
    Scope,
    Write,
    to_thread,
)
from eventstore.api.operations.shredding import owner_of_subject, shredding
from eventstore.api.operations.wiping import uncommitted, with_remains
from eventstore.conversation.commands import EraseAll, EraseContent, Included
from eventstore.core import ids
from eventstore.core.events import StreamKey
from eventstore.core.quoting import quoted
from eventstore.errors import InvalidInput
from eventstore.privacy.erasure import Erasure, certificate
from eventstore.write_path.requests import AppendRequest
from eventstore.write_path.store_streams import store_stream

_INCLUDED: Final = get_args(Included)


def erase(
    scope: Scope,
    thread_id: str | None = None,
    message_id: str | None = None,
    *,
    subject: str | None = None,
    include: Sequence[str] = (),
    options: ErasureOptions = NO_ERASURE_OPTIONS,
) -> Collected[Erasure]:
    """Erase a message, a whole thread or a person for good, and return a certificate of it.

    Of a **message** its wordings, metadata, name, label, external id, tool text and the reasons
    given for its changes are gone, also from forks. Its place, author, role and times stay, and the
    hash chain holds. It reads as ``erased``, in the past, too.

    Of a **thread** (without ``message_id``) all of this is gone for every message, with title,
    metadata, and what runs recorded; its tree, roles and versions stay. What a fork shows of its
    source stands in the source, and stays.

    Of a **person** everything is gone that was written with ``subject=`` of that name, in all
    threads, assistants and streams of the tenant, with what others said about such messages, and
    with the records and messages of runs created in that name. It takes one transaction a stream.

    Erasing again appends nothing and finishes what was ``pending`` or interrupted.

    Args:
        thread_id: The thread.
        message_id: Message to erase; the whole thread if left out.
        subject: The person to erase, by the name that writes gave; instead of a thread.
        include: Copies of a message to take along: ``"edits"`` are the messages that came from it
            by editing or regenerating, or it from them; ``"run"`` is what the runs that wrote or
            saw it recorded (instructions, tools, settings, metadata, steps, errors; not their
            messages).

    Raises:
        InvalidInput: a value is malformed, or they do not go together.
        ThreadNotFound, MessageNotFound: there is no such message.
        SubjectNotFound: nothing was ever written in that name.
        Refused: ``"message_inherited"``, erase it in its source.
        WrongExpectedHead, WrongExpectedVersion, IdempotencyConflict: a guard does not hold.
    """
    if subject is not None:
        _check_alone(thread_id, message_id, include, options)
        return erase_person(scope, subject, options.as_write())
    if thread_id is None:
        raise InvalidInput(
            "thread_id", "is missing", "Give a thread, a thread and a message, or a subject."
        )
    if message_id is not None:
        included = _checked_include(include)
        command = EraseContent(targets=(message_key(message_id),), include=included)
        itself = ids.derived("subject", scope.tenant, message_id)  # a subject of its own, perhaps
        owner = owner_of_subject(scope.tenant, itself)
        return _erasing(scope, to_thread(scope, thread_id, command, options.as_write()), owner)
    if include:
        raise InvalidInput("include", "is about one message", "Leave it out: all of a thread goes.")
    keeper = store_stream(scope.tenant).id
    whole = to_thread(scope, thread_id, EraseAll(whole=True, keeper=keeper), options.as_write())
    assert isinstance(whole.request, AppendRequest)  # noqa: S101 (a command to a thread)
    return _erasing(scope, whole, whole.request.stream)


def _check_alone(
    thread_id: str | None, message_id: str | None, include: Sequence[str], options: ErasureOptions
) -> None:
    """Refuse what is about one thread where a person is to be erased in all of them.

    Raises:
        InvalidInput: names the argument.
    """
    given = {
        "thread_id": thread_id,
        "message_id": message_id,
        "include": include or None,
        "expected_head": options.expected_head,
        "expected_version": options.expected_version,
    }
    for name, value in given.items():
        if value is not None:
            raise InvalidInput(
                name,
                "is about one thread, and a person is erased in all of them",
                "Leave it out, or leave out subject.",
            )


def _erasing(scope: Scope, planned: Write[Any], owner: StreamKey) -> Collected[Erasure]:
    """Return the erasure of a message or a thread, and of the keys of an owner."""
    request, connection = planned.request, planned.connection
    assert isinstance(request, AppendRequest)  # noqa: S101 (a command to a thread)
    pages = ErasingPages(scope.log, request, connection)

    def report(found: list[Any]) -> Erasure:
        return with_remains(
            certificate(found[0]), found[1:] if connection is None else uncommitted(scope.log.codec)
        )

    if connection is not None:
        return Collected(Paged("at once", pages), report)
    erasure = Collected(Paged(FIRST_PLAN, pages), report)
    return shredding(scope.log.codec, lambda _: [owner], erasure)


def _checked_include(include: Sequence[str]) -> tuple[Included, ...]:
    remedy = f"Give a list of {', '.join(map(repr, _INCLUDED))}."
    given = checked_sequence(include, "include", remedy)
    for one in given:
        if one not in _INCLUDED:
            raise InvalidInput("include", f"{quoted(one)} is unknown", remedy)
    return tuple(one for one in _INCLUDED if one in given)
