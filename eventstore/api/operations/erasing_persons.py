"""Erasing a person, in all streams of a tenant: one stream at a time, then the record of it.

Whatever ends it on the way, the same call goes on: streams that are done hold nothing any more, and
the certificate is made from the log.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

from msgspec.structs import replace

from eventstore.api.operations.erasing_pages import FIRST_PLAN, ErasingPages
from eventstore.api.operations.operation import (
    Collected,
    Maintenance,
    Page,
    PageActed,
    Paged,
    PageDone,
    Read,
    Scope,
    Write,
    WriteOptions,
    write,
)
from eventstore.api.operations.shredding import owner_of_subject, shredding
from eventstore.api.operations.walking import then
from eventstore.api.operations.wiping import erase_listed, finishing, uncommitted, with_remains
from eventstore.conversation.commands import EraseAll
from eventstore.conversation.store_events import EraseSubject
from eventstore.core import ids
from eventstore.core.events import StreamKey
from eventstore.core.json_values import check_name
from eventstore.errors import ThreadNotFound
from eventstore.privacy.erasure import ContentCopy, Erased, Erasure, shown_copies
from eventstore.privacy.erasure import erase as erase_in
from eventstore.privacy.persons import erase_stream, next_stream, record
from eventstore.storage.transaction import Transaction
from eventstore.write_path.requests import Appended, AppendRequest
from eventstore.write_path.store_streams import store_stream
from eventstore.write_path.thread_session import Guards

__all__ = ["erase_person", "subject_key"]

_START = (-1, b"")


def subject_key(tenant: str, subject: str) -> bytes:
    """Return the id of a person, as the events that were written in that name bear it.

    Raises:
        InvalidInput: it is no name.
    """
    return ids.derived("subject", tenant, check_name(subject, "subject"))


def erase_person(scope: Scope, subject: str, options: WriteOptions) -> Collected[Erasure]:
    """Erase a person in every stream of the tenant.

    Raises:
        InvalidInput, SubjectNotFound, IdempotencyConflict.
    """
    key = subject_key(scope.tenant, subject)
    command = EraseSubject(subject_id=key, streams=0, events=0)
    made = write(scope, store_stream(scope.tenant), (command,), options)
    request, connection = made.request, made.connection
    assert isinstance(request, AppendRequest)  # noqa: S101 (what write() makes)
    person = _Person(scope, key, request)

    def report(found: list[Any]) -> Erasure:
        at, made = next((n, one) for n, one in enumerate(found) if isinstance(one, Erasure))
        copies = tuple(dict.fromkeys(found[:at]))
        left = found[at + 1 :] if connection is None else uncommitted(scope.log.codec)
        return with_remains(made.model_copy(update={"copies": copies}), left)

    if connection is None:
        owner = owner_of_subject(scope.tenant, key)
        return shredding(
            scope.log.codec, lambda _: [owner], Collected(Paged(_Next(_START), person), report)
        )
    maintenance = Maintenance(person.at_once, alone=True, stream=request.stream)
    return Collected(Paged("at once", lambda _: Write(maintenance, connection)), report)


class _Next(NamedTuple):
    """The streams behind this one are left."""

    after: tuple[int, bytes]


class _Within(NamedTuple):
    """A stream is being erased; ``place`` is one of :class:`ErasingPages`."""

    after: tuple[int, bytes]
    stream: StreamKey
    place: Any


class _Person:
    """The steps of the erasure of a person."""

    def __init__(self, scope: Scope, subject: bytes, request: AppendRequest) -> None:
        self._scope = scope
        self._subject = subject
        self._request = request

    def __call__(self, place: object) -> Page[Any]:
        if isinstance(place, _Next):
            return Read(partial(self._look, place=place))
        if isinstance(place, _Within):
            return self._within(place)
        if place == "record":
            return self._write(lambda tx: self._record(tx, "parts"))
        return finishing(place)

    def _write(self, act: Callable[[Transaction], Any]) -> Write[Any]:
        return Write(Maintenance(act, alone=True, stream=self._request.stream))

    def _look(self, tx: Transaction, place: _Next) -> tuple[tuple[()], object]:
        found = next_stream(tx, self._scope.tenant, self._subject, place.after)
        if found is None:
            return (), "record"
        after, stream = found
        return (), _Within(after, stream, FIRST_PLAN if stream.category == ids.THREAD else "plain")

    def _within(self, place: _Within) -> Page[Any]:
        def follow(page: PageDone[Any]) -> PageDone[Any]:
            items, following = page
            done = following in {"files", None} if isinstance(following, str | None) else False
            goes_on = _Next(place.after) if done else place._replace(place=following)
            return [copy for one in items for copy in _copies(one)], goes_on

        request = self._in(place.stream)
        if place.place == "plain":
            return then(self._write(partial(self._plain, request=request)), follow)
        return then(_ThreadPages(self._scope.log, request, None)(place.place), follow)

    def _in(self, stream: StreamKey) -> AppendRequest:
        """Return the request to one stream: the reason is kept with the record alone."""
        command = EraseAll(subject_id=self._subject)
        return AppendRequest(
            stream,
            (command,),
            metadata=self._request.metadata,
            actor=self._request.actor,
            options=Guards(),
        )

    def _plain(self, tx: Transaction, request: AppendRequest) -> Appended[PageDone[object]]:
        made = erase_stream(tx, self._scope.log, replace(request, options=None), self._subject)
        return made.with_result(([], "parts"))

    def _record(self, tx: Transaction, following: object) -> Appended[PageDone[Erasure]]:
        made = record(tx, self._scope.log, self._request, self._subject)
        return made.with_result(([made.result], following))

    def at_once(self, tx: Transaction) -> Appended[PageDone[object]]:
        """Do all of it in one transaction: that of the application."""
        items: list[Any] = []
        place: Any = _Next(_START)
        while (place := self._look(tx, place)[1]) != "record":
            request = self._in(place.stream)
            if place.place == "plain":
                self._plain(tx, request)
            else:
                made = erase_in(tx, self._scope.log, request)
                items += _copies(made.result)
            place = _Next(place.after)
        erase_listed(tx)
        done = self._record(tx, None)
        return done.with_result(([*items, *done.result[0]], None))


class _ThreadPages(ErasingPages):
    """The steps in one thread, which may be purged meanwhile."""

    def _at_once(self, tx: Transaction) -> PageActed[object]:
        try:
            return super()._at_once(tx)
        except ThreadNotFound:
            return Appended(([], "parts"), 0, ())


def _copies(one: object) -> list[ContentCopy]:
    if not isinstance(one, Erased):
        return []
    return [copy for planned in one.planned for copy in shown_copies(planned.erasing.found.left)]
