"""``store.privacy.erase``: content that has to be gone for good."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, get_args

from eventstore.conversation.commands import EraseContent, Included
from eventstore.core.quoting import quoted
from eventstore.errors import InvalidInput
from eventstore.operations.inputs import checked_sequence, message_key
from eventstore.operations.operation import NO_OPTIONS, Gathered, Scope, WriteOptions, to_thread
from eventstore.operations.wiping import then_wipe
from eventstore.privacy.erasure import Erasure
from eventstore.privacy.erasure import erase as erase_in
from eventstore.storage.requests import AppendRequest

_INCLUDED: Final = get_args(Included)


def erase(
    scope: Scope,
    thread_id: str,
    message_id: str,
    *,
    include: Sequence[str] = (),
    options: WriteOptions = NO_OPTIONS,
) -> Gathered[Erasure]:
    """Erase the content of a message for good, and return a certificate of it.

    Its wordings, metadata, name, label, external id, tool text and the reasons given for its
    changes are gone, also from forks. Its place, author, role and times stay, and the hash
    chain holds. It reads as ``erased``, in the past, too. Erasing again appends nothing and
    finishes what was ``pending``.

    Args:
        thread_id: The thread.
        message_id: Message to erase.
        include: Copies to take along: ``"edits"`` are the messages that came from it by editing
            or regenerating, or it from them; ``"run"`` is what the runs that wrote or saw it
            recorded (instructions, tools, settings, metadata, steps, errors; not their
            messages).

    Raises:
        InvalidInput: a value is malformed.
        ThreadNotFound, MessageNotFound: there is no such message.
        Refused: ``"message_inherited"``, erase it in its source.
        WrongExpectedHead, WrongExpectedVersion, IdempotencyConflict: a guard does not hold.
    """
    command = EraseContent(targets=(message_key(message_id),), include=_checked_include(include))
    planned = to_thread(scope, thread_id, command, options)
    request = planned.request
    assert isinstance(request, AppendRequest)  # noqa: S101 (a command to a thread)
    return then_wipe(lambda tx: erase_in(tx, scope.log, request), planned.connection)


def _checked_include(include: Sequence[str]) -> tuple[Included, ...]:
    remedy = f"Give a list of {', '.join(map(repr, _INCLUDED))}."
    given = checked_sequence(include, "include", remedy)
    for one in given:
        if one not in _INCLUDED:
            raise InvalidInput("include", f"{quoted(one)} is unknown", remedy)
    return tuple(one for one in _INCLUDED if one in given)
