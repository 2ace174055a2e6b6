"""Erase or purge a whole tenant, one stream after another, and record it in its own stream.

The tenant's stream of the category ``store`` stays: it holds the tombstones, and the certificate is
made from its last ``TenantErased``.
"""

from __future__ import annotations

from datetime import datetime
from typing import Final

from msgspec.structs import replace

from eventstore.conversation.store_events import (
    EraseTenant,
    EraseVersions,
    PurgeStreams,
    PurgeThread,
)
from eventstore.core import ids
from eventstore.core.events import Position, StreamKey, instant
from eventstore.core.values import Value
from eventstore.errors import TenantNotFound
from eventstore.privacy.purge import purge
from eventstore.privacy.remains import projections_behind
from eventstore.storage import read
from eventstore.storage.erasing import hold, keys_of, list_content
from eventstore.storage.interning import find_tenant
from eventstore.storage.log import Log
from eventstore.storage.stream_heads import head_version, place_of
from eventstore.storage.tenant_streams import (
    happened_since,
    streams_beside,
    versions_with_content,
)
from eventstore.storage.traces import traces, traces_back
from eventstore.storage.transaction import Transaction, only_row
from eventstore.threads.finding import Listing, find_threads
from eventstore.write_path.append import append_many
from eventstore.write_path.requests import Appended, AppendRequest, Failed

__all__ = [
    "TenantErasure",
    "erase_other_stream",
    "purge_some",
    "record_tenant",
    "require_tenant",
]

_RECORD: Final = "TenantErased"


class TenantErasure(Value):
    """The certificate of the erasure or the purge of a whole tenant."""

    tenant: str
    """The tenant's name."""
    version: int
    """Version of the record in the tenant's stream of the category ``store``."""
    purged: bool
    """Its streams are gone; otherwise they keep their skeletons."""
    streams: int
    """Streams that were erased; or purged, in all."""
    erased_at: datetime
    """Time at which it was recorded."""
    actor: str | None
    """Opaque id of the user or service that asked for it."""
    remains: tuple[str, ...] = ()
    """Places on disk that may still hold the bytes; empty if the database's files hold none."""
    pending: bool = False
    """Some of these clear with time: do it again to finish."""


def require_tenant(tx: Transaction, tenant: str) -> None:
    """Refuse a tenant that never wrote.

    Raises:
        TenantNotFound: there is none of this name.
    """
    if find_tenant(tx, tenant) is None:
        raise TenantNotFound(tenant)


def erase_other_stream(tx: Transaction, log: Log, request: AppendRequest) -> Appended:
    """Erase all content of a stream that is no thread's, but not the reasons of such erasures."""
    stream = request.stream
    hold(tx, stream)
    place = place_of(tx, stream)
    versions = [] if place is None else versions_with_content(tx, place, _RECORD)
    if not versions:
        return Appended(None, 0, ())
    outcome = _appended(
        tx, log, replace(request, commands=(EraseVersions(versions=tuple(versions)),))
    )
    list_content(tx, stream, outcome.version, versions, keys_of(tx, stream, versions))
    return outcome


def purge_some(tx: Transaction, log: Log, request: AppendRequest) -> Appended | None:
    """Purge the newest thread of a tenant, or else some other streams; None if none is left.

    ``request`` goes to the store's stream.
    """
    tenant = request.stream.tenant
    number = find_tenant(tx, tenant)
    asked = Listing(
        archived=None,
        include_deleted=True,
        by_activity=False,
        start=None,
        newest_first=True,
        most=1,
    )
    found = [] if number is None else find_threads(tx, number, [], asked)
    if found:  # with forks that stand before it, which happens only where clocks of servers differ
        command = PurgeThread(thread_id=found[0], with_forks=True, busy=True)
        return purge(tx, log, replace(request, commands=(command,)))
    streams = streams_beside(tx, tenant, ids.THREAD, ids.STORE)
    if not streams:
        return None
    gone = PurgeStreams(streams=tuple((one.category, one.id) for one in streams))
    return _appended(tx, log, replace(request, commands=(gone,), options=None))


def record_tenant(
    tx: Transaction, log: Log, request: AppendRequest, *, purged: bool
) -> Appended[TenantErasure]:
    """Record what was done, unless nothing happened in the tenant since it was last recorded.

    The result is the certificate.
    """
    stream = request.stream
    known = _recorded(tx, log, stream, purged=purged)
    positions: tuple[Position, ...] = ()
    if known is None or happened_since(tx, stream.tenant, known.position):
        streams = _counted(tx, log, stream, purged=purged)
        command = EraseTenant(streams=streams, purged=purged)
        outcome = _appended(tx, log, replace(request, commands=(command,)))
        positions = outcome.positions
        known = read.event_at(tx, stream, outcome.version)
    behind = projections_behind(tx, known.position)
    data = read.as_event(log, known).data
    made = TenantErasure(
        tenant=stream.tenant,
        version=known.version,
        purged=purged,
        streams=data.streams,
        erased_at=instant(known.recorded_at_us),
        actor=read.actor_of(known.metadata),
        remains=behind,
        pending=bool(behind),
    )
    return Appended(made, known.version, positions)


def _recorded(
    tx: Transaction, log: Log, stream: StreamKey, *, purged: bool
) -> read.StoredEvent | None:
    for one in traces_back(tx, log, stream, until=head_version(tx, stream)):
        if one.type == _RECORD and one.data.purged is purged:
            return read.event_at(tx, stream, one.version)
    return None


_STREAMS: Final = "SELECT count(*) FROM {streams} WHERE tenant = ?"


def _counted(tx: Transaction, log: Log, stream: StreamKey, *, purged: bool) -> int:
    if not purged:
        return int(only_row(tx, _STREAMS, (find_tenant(tx, stream.tenant),))[0])
    told = traces(tx, log, stream)
    threads = sum(one.type == "ThreadPurged" for one in told)
    return threads + sum(len(one.data.streams) for one in told if one.type == "StreamsPurged")


def _appended(tx: Transaction, log: Log, request: AppendRequest) -> Appended:
    [outcome] = append_many(tx, [request], log)
    if isinstance(outcome, Failed):
        raise outcome.error
    assert isinstance(outcome, Appended)  # noqa: S101 (it never waits)
    tx.cache.clear()  # forget rows and heads of streams that are gone
    return outcome
