"""``store.privacy.purge``: removing a thread for good."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any, Final, Literal

from msgspec.structs import replace

from eventstore.api.operations.loaders import thread_key
from eventstore.api.operations.operation import (
    NO_OPTIONS,
    Collected,
    Maintenance,
    Page,
    Paged,
    PageDone,
    Scope,
    Write,
    WriteOptions,
    write,
)
from eventstore.api.operations.shredding import shredding
from eventstore.api.operations.wiping import finishing, uncommitted, with_remains
from eventstore.conversation.store_events import PurgeThread
from eventstore.conversation.tombstone import Tombstone
from eventstore.core import expectations
from eventstore.core.events import StreamKey
from eventstore.core.quoting import quoted
from eventstore.errors import InvalidInput
from eventstore.privacy.purge import purge as purge_in
from eventstore.storage import read
from eventstore.storage.interning import find_tenant
from eventstore.storage.log import Log
from eventstore.storage.transaction import Transaction
from eventstore.threads.forks import forks_below
from eventstore.threads.tombstones import find_tombstone
from eventstore.write_path.requests import Appended, AppendRequest
from eventstore.write_path.store_streams import store_stream

_FORKS: Final = ("refuse", "purge")


def purge(
    scope: Scope,
    thread_id: str,
    *,
    forks: Literal["refuse", "purge"] = "refuse",
    options: WriteOptions = NO_OPTIONS,
) -> Collected[Tombstone]:
    """Remove a thread for good, with everything that is kept of it, and return its tombstone.

    Events, messages, runs, metadata and idempotency keys go in one transaction. A
    ``ThreadPurged`` stays in the tenant's stream of the category ``store``. Nothing brings the
    thread back, and its id stays refused.

    The tombstone names places where bytes may still stand on disk. Purging again returns the same
    tombstone, and finishes what was ``pending``. ``expected_version`` and ``expected_head`` are
    about the thread.

    Args:
        thread_id: Thread to remove; it may be archived or deleted.
        forks: ``"refuse"`` refuses while forks of it exist, and lists them. ``"purge"`` takes
            them and their forks along, each with a tombstone of its own: all of them go, or
            none.

    Raises:
        InvalidInput: a value is malformed.
        ThreadNotFound: there never was one of this id.
        Refused: ``"thread_busy"``, a run has not ended: cancel it first;
            ``"thread_has_forks"``.
        WrongExpectedHead, WrongExpectedVersion, IdempotencyConflict: a guard does not hold.
    """
    thread = thread_key(scope, thread_id)
    if forks not in _FORKS:
        raise InvalidInput("forks", f"{quoted(forks)} is not allowed", "Use 'refuse' or 'purge'.")
    version = options.expected_version
    command = PurgeThread(
        thread_id=thread.id,
        with_forks=forks == "purge",
        expected_version=expectations.ANY if version is None else expectations.parse(version),
    )
    made = write(
        scope, store_stream(scope.tenant), (command,), replace(options, expected_version=None)
    )
    request = made.request
    assert isinstance(request, AppendRequest)  # noqa: S101 (what write() makes)

    connection = made.connection

    def act(tx: Transaction) -> Appended[PageDone[Tombstone]]:
        purged = purge_in(tx, scope.log, request)
        return purged.with_result(([purged.result], "files" if connection is None else None))

    def page(place: str) -> Page[Any]:
        if place != "transaction":
            return finishing(place)
        return Write(Maintenance(act, alone=True, stream=request.stream), connection)

    def report(found: list[Any]) -> Tombstone:
        tombstone: Tombstone = found[0]
        return with_remains(
            tombstone, found[1:] if connection is None else uncommitted(scope.log.codec)
        )

    walk = Collected(Paged("transaction", page), report)
    if connection is not None:
        return walk
    owners = partial(_owners, thread=thread, log=scope.log, forks=command.with_forks)
    return shredding(scope.log.codec, owners, walk)


def _owners(tx: Transaction, thread: StreamKey, log: Log, *, forks: bool) -> list[StreamKey]:
    """Return the streams whose keys go: of the thread, and of forks that go or went along."""
    tenant, version = find_tenant(tx, thread.tenant), find_tombstone(tx, thread)
    along: Sequence[bytes] = ()
    if version is not None:
        stored = read.event_at(tx, store_stream(thread.tenant), version, opened=False)
        along = read.as_event(log, replace(stored, content=None)).data.forks
    elif forks and tenant is not None:
        along = forks_below(tx, tenant, thread.id)
    return [thread, *[thread._replace(id=fork) for fork in along]]
