"""``store.audit.erase``: content that has to be gone for good.

First the transaction, then, outside of it, the files: what was overwritten still stands in a
write-ahead log until that is cut off.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any, Final, Unpack, get_args

from msgspec.structs import replace

from eventstore.audit.erasure import Erasure
from eventstore.audit.erasure import erase as erase_in
from eventstore.conversation.commands import EraseContent, Included
from eventstore.core.quoting import quoted
from eventstore.errors import InvalidInput
from eventstore.execution.database import Left
from eventstore.operations.inputs import checked_sequence, message_key
from eventstore.operations.operation import (
    Gathered,
    Maintenance,
    Scope,
    Walk,
    Wipe,
    Write,
    WriteOptions,
    to_thread,
)
from eventstore.storage.requests import Appended, AppendRequest
from eventstore.storage.transaction import Transaction

_INCLUDED: Final = get_args(Included)
_UNCOMMITTED: Final = ("the database's files, until your transaction has committed", True)


def erase(
    scope: Scope,
    thread_id: str,
    message_id: str,
    *,
    include: Sequence[str] = (),
    **options: Unpack[WriteOptions],
) -> Gathered[Erasure]:
    """Erase what a message says, for good, and return the certificate of it.

    Its wordings, metadata, name, label, external id, tool text and the reasons given for changes of
    it are gone, also from forks; its place, author, role and times stay, and the hash chain holds.
    It reads as ``erased``, in the past, too. ``include`` takes copies along: ``"edits"`` those
    messages that came from it by editing or regenerating, or it from them; ``"run"`` what the runs
    that wrote or saw it recorded (instructions, tools, settings, metadata, steps, errors; not their
    messages); ``"forks"``, of a message whose own thread was purged, the copies that its other
    forks have. Erasing again appends nothing and finishes what was ``pending``.

    Raises:
        ThreadNotFound, MessageNotFound, InvalidInput.
        Refused: ``"message_inherited"``: erase it in its source.
        WrongExpectedHead, WrongExpectedVersion, IdempotencyConflict: a guard does not hold.
    """
    command = EraseContent(targets=(message_key(message_id),), include=_checked_include(include))
    planned = to_thread(scope, thread_id, command, options)
    connection = planned.connection

    def act(tx: Transaction, request: AppendRequest) -> Appended:
        made = erase_in(tx, scope.log, request)
        return replace(made, result=([made.result], None if connection is not None else "files"))

    def page(place: str) -> Any:  # noqa: ANN401 (a Write or a Wipe)
        if place == "files":
            return Wipe(lambda left: (list(left), None))
        assert isinstance(planned.request, AppendRequest)  # noqa: S101 (a command to a thread)
        return Write(Maintenance(partial(act, request=planned.request), alone=True), connection)

    def report(found: list[Any]) -> Erasure:
        certificate, *left = found
        return _with_remains(certificate, left if connection is None else [_UNCOMMITTED])

    return Gathered(Walk("transaction", page), report)


def _checked_include(include: Sequence[str]) -> tuple[Included, ...]:
    remedy = f"Give a list of {', '.join(map(repr, _INCLUDED))}."
    given = checked_sequence(include, "include", remedy)
    for one in given:
        if one not in _INCLUDED:
            raise InvalidInput("include", f"{quoted(one)} is unknown", remedy)
    return tuple(one for one in _INCLUDED if one in given)


def _with_remains(certificate: Erasure, left: Sequence[Left]) -> Erasure:
    return certificate.model_copy(
        update={
            "remains": (*certificate.remains, *(where for where, _ in left)),
            "pending": certificate.pending or any(again for _, again in left),
        }
    )
