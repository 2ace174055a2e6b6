"""Purge a thread, and record in its tombstone what remains of it."""

from __future__ import annotations

from typing import TypeAlias

from msgspec.structs import replace

from eventstore.conversation.store_events import PurgeThread
from eventstore.conversation.tombstone import Tombstone
from eventstore.core import ids
from eventstore.core.events import StreamKey
from eventstore.privacy.remains import projections_behind
from eventstore.storage import read
from eventstore.storage.interning import find_tenant
from eventstore.storage.log import Log
from eventstore.storage.transaction import Transaction
from eventstore.threads.forks import forks_below
from eventstore.threads.tombstones import find_tombstone
from eventstore.write_path.append import append_many
from eventstore.write_path.requests import Appended, AppendRequest, Failed
from eventstore.write_path.store_streams import PurgeOptions
from eventstore.write_path.thread_session import Guards

__all__ = ["purge"]

_Request: TypeAlias = AppendRequest[PurgeThread, Guards]


def purge(tx: Transaction, log: Log, request: _Request) -> Appended[Tombstone]:
    """Perform the request for a ``PurgeThread``, which goes to the store's stream.

    Raises:
        ConversationStoreError: why it was turned away; then the transaction must be rolled back.
    """
    purged = _purge_thread(tx, log, request)
    thread = StreamKey(request.stream.tenant, ids.THREAD, request.commands[0].thread_id)
    version = find_tombstone(tx, thread)
    assert version is not None  # noqa: S101 (it was purged, now or before)
    event = read.event_at(tx, request.stream, version)
    behind = projections_behind(tx, event.position)
    said = {"remains": behind, "pending": bool(behind)}
    return purged.with_result(purged.result.model_copy(update=said))


def _purge_thread(tx: Transaction, log: Log, request: _Request) -> Appended[Tombstone]:
    """Purge a thread; ``request`` goes to the store's stream, and its result is a tombstone.

    Raises:
        Any error that refuses a request; the transaction must then be rolled back.
    """
    [command] = request.commands
    tenant = find_tenant(tx, request.stream.tenant)
    along: frozenset[bytes] = frozenset()
    if tenant is not None and command.with_forks:
        along = frozenset(forks_below(tx, tenant, command.thread_id))
    [outcome] = append_many(
        tx, [replace(request, options=PurgeOptions(request.options, along))], log
    )
    if isinstance(outcome, Failed):
        raise outcome.error
    assert isinstance(outcome, Appended)  # noqa: S101 (it never waits)
    tx.cache.clear()  # forget rows and heads of the purged threads
    return outcome
