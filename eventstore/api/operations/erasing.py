"""``store.privacy.erase``: erase content for good."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, Final, NamedTuple, get_args

from msgspec.structs import replace

from eventstore.api.operations.inputs import checked_sequence, message_key
from eventstore.api.operations.operation import (
    NO_OPTIONS,
    Collected,
    Maintenance,
    Page,
    Paged,
    Read,
    Scope,
    Write,
    WriteOptions,
    to_thread,
)
from eventstore.api.operations.wiping import UNCOMMITTED, erase_listed, finishing, with_remains
from eventstore.conversation.commands import EraseContent, Included
from eventstore.core.quoting import quoted
from eventstore.errors import ConversationStoreError, InvalidInput
from eventstore.privacy.erasure import Erasure, certificate, erase_as_planned
from eventstore.privacy.erasure import erase as erase_in
from eventstore.privacy.planning import Planned, plan
from eventstore.storage.log import Log
from eventstore.storage.transaction import Transaction
from eventstore.write_path.requests import Appended, AppendRequest

_INCLUDED: Final = get_args(Included)


def erase(
    scope: Scope,
    thread_id: str,
    message_id: str,
    *,
    include: Sequence[str] = (),
    options: WriteOptions = NO_OPTIONS,
) -> Collected[Erasure]:
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
    request, connection = planned.request, planned.connection
    assert isinstance(request, AppendRequest)  # noqa: S101 (a command to a thread)
    pages = _Pages(scope.log, request, connection)

    def report(found: list[Any]) -> Erasure:
        return with_remains(
            certificate(found[0]), found[1:] if connection is None else [UNCOMMITTED]
        )

    first = _Plan((), _ROUNDS) if connection is None else "at once"
    return Collected(Paged(first, pages), report)


_ROUNDS: Final = 8
"""Number of plans made while others write; after that they wait for it."""


class _Plan(NamedTuple):
    """An erasure to plan again, and the number of tries left."""

    before: Sequence[Planned]
    rounds: int


class _Pages:
    """The steps of an erasure: plan, record, and erase the content."""

    def __init__(self, log: Log, request: AppendRequest, connection: object) -> None:
        self._log = log
        self._request = request
        self._connection = connection

    def __call__(self, place: Any) -> Page[Any]:  # noqa: ANN401 (the places differ)
        if isinstance(place, _Plan):
            return Read(partial(self._plan, before=place))
        if isinstance(place, tuple) and isinstance(place[0], _Plan):
            return self._write(partial(self._act, plan=place[0]))
        return self._write(self._at_once) if place == "at once" else finishing(place)

    def _write(self, act: Callable[[Transaction], Any]) -> Write[Any]:
        stream = self._request.stream
        return Write(Maintenance(act, alone=True, stream=stream), self._connection)

    def _plan(self, tx: Transaction, before: _Plan) -> tuple[tuple[()], object]:
        try:
            made = plan(tx, self._log, self._request, before=before.before)
        except ConversationStoreError:  # the write itself reports and counts it
            return (), "at once"
        return (), (_Plan(made, before.rounds - 1),)

    def _act(self, tx: Transaction, plan: _Plan) -> Appended | tuple[tuple[()], object]:
        made = erase_as_planned(tx, self._log, plan.before)
        if made is None:
            return (), plan if plan.rounds else "at once"
        return replace(made, result=([made.result], "parts"))

    def _at_once(self, tx: Transaction) -> Appended:
        made = erase_in(tx, self._log, self._request)
        if self._connection is not None:
            erase_listed(tx)
        return replace(made, result=([made.result], "parts" if self._connection is None else None))


def _checked_include(include: Sequence[str]) -> tuple[Included, ...]:
    remedy = f"Give a list of {', '.join(map(repr, _INCLUDED))}."
    given = checked_sequence(include, "include", remedy)
    for one in given:
        if one not in _INCLUDED:
            raise InvalidInput("include", f"{quoted(one)} is unknown", remedy)
    return tuple(one for one in _INCLUDED if one in given)
