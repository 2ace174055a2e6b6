"""``store.audit.purge``: removing a thread for good."""

from __future__ import annotations

from typing import Final, Unpack

from eventstore.audit.purge import purge as purge_in
from eventstore.conversation.store_events import PurgeThread
from eventstore.conversation.tombstone import Tombstone
from eventstore.conversing.purging import store_stream
from eventstore.core import expectations
from eventstore.core.quoting import quoted
from eventstore.errors import InvalidInput
from eventstore.operations.lookups import thread_key
from eventstore.operations.operation import Gathered, Scope, WriteOptions, write
from eventstore.operations.wiping import then_wipe
from eventstore.storage.requests import AppendRequest

_FORKS: Final = ("refuse", "purge")


def purge(
    scope: Scope, thread_id: str, *, forks: str = "refuse", **options: Unpack[WriteOptions]
) -> Gathered[Tombstone]:
    """Remove a thread for good, with everything that is kept of it, and return its tombstone.

    Events, messages, runs, metadata and idempotency keys go in one transaction; what stays is a
    ``ThreadPurged`` in the tenant's stream of the category ``store``. Nothing brings the thread
    back, and its id stays refused. Threads that were archived or deleted can be purged, too; one
    that was purged already gives the same tombstone again.

    While threads that were forked from it read what they inherit from it, it is refused.
    ``forks="purge"`` purges them and their forks along, each with a tombstone of its own: all of
    them go in one transaction, or none does.

    The tombstone says where the bytes may still stand; purging again finishes what was ``pending``.

    ``expected_version`` and ``expected_head`` are about the thread.

    Raises:
        ThreadNotFound: there never was one of this id.
        Refused: ``"thread_busy"``, a run has not ended, cancel it first; ``"thread_has_forks"``.
        WrongExpectedHead, WrongExpectedVersion, IdempotencyConflict: a guard does not hold.
    """
    thread = thread_key(scope, thread_id)
    if forks not in _FORKS:
        raise InvalidInput("forks", f"{quoted(forks)} is not possible", "Use 'refuse' or 'purge'.")
    version = options.pop("expected_version", None)
    command = PurgeThread(
        thread_id=thread.id,
        with_forks=forks == "purge",
        expected_version=expectations.ANY if version is None else expectations.parse(version),
    )
    made = write(scope, store_stream(scope.tenant), (command,), options)
    request = made.request
    assert isinstance(request, AppendRequest)  # noqa: S101 (what write() makes)

    return then_wipe(lambda tx: purge_in(tx, scope.log, request), made.connection)
