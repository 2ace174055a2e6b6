"""``store.audit``: prove that the log is what was written."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import partial
from typing import TypeAlias

from eventstore.api.operations.loaders import thread_key
from eventstore.api.operations.operation import Collected, Paged, Read, Scope
from eventstore.audit.findings import VerifyReport
from eventstore.audit.verifying import (
    Verified,
    Verifying,
    thread_place,
    verify_page,
    verify_thread_page,
)
from eventstore.core.events import StreamKey
from eventstore.errors import ThreadNotFound
from eventstore.storage.chain_pages import stream_exists
from eventstore.storage.stream_heads import place_of
from eventstore.storage.transaction import Transaction

_Page: TypeAlias = tuple[Iterable[Verified], Verifying | None]


def verify(scope: Scope, thread_id: str | None = None) -> Collected[VerifyReport]:
    """Recompute the hash chain, and compare the tables with the events. Writes nothing.

    It checks hashes and commitments, gaps and order, the ends of streams, that content went only by
    an erasure, that forks still stand on the events that they were made from, that purged threads
    are gone, and that decision tables hold what the events say.

    Nothing inside a database can show that its end was cut off together with every trace of it, or
    that all hashes were computed anew.

    Args:
        thread_id: The thread, with the threads that it was forked from; the whole tenant if left
            out.

    Raises:
        InvalidInput: the id is malformed.
        ThreadNotFound: there is none.
    """
    if thread_id is not None:
        return _verifying(_of_thread(scope, thread_key(scope, thread_id)))

    def page(place: Verifying) -> Read[_Page]:
        return Read(partial(verify_page, log=scope.log, tenant=scope.tenant, place=place))

    return _verifying(Paged(Verifying(), page))


def _of_thread(scope: Scope, key: StreamKey) -> Paged[Verified]:
    def look(tx: Transaction, place: Verifying) -> _Page:
        found = place_of(tx, key)
        if found is None or not stream_exists(tx, found):
            raise ThreadNotFound(key.text)
        return verify_thread_page(tx, scope.log, scope.tenant, place)

    return Paged(thread_place(key.id), lambda place: Read(partial(look, place=place)))


def _verifying(walk: Paged[Verified]) -> Collected[VerifyReport]:
    def report(pages: Sequence[Verified]) -> VerifyReport:
        return VerifyReport(
            streams=sum(one.streams for one in pages),
            events=sum(one.events for one in pages),
            threads_compared=sum(one.compared for one in pages),
            threads_not_compared=sum(one.not_compared for one in pages),
            findings=tuple(dict.fromkeys(found for one in pages for found in one.findings)),
        )

    return Collected(walk, report)
