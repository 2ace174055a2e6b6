"""Read the heads of streams: their versions and hashes, without a lock."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, NamedTuple

from eventstore.core.events import StreamKey
from eventstore.storage.among import among, in_few
from eventstore.storage.interning import find_category, find_tenant
from eventstore.storage.ordering import Place
from eventstore.storage.transaction import Transaction

__all__ = ["StreamHead", "head_of", "head_version", "head_versions", "place_of"]


_HEADS: Final = "SELECT stream, version FROM {streams} WHERE tenant = ? AND category = ? AND stream"


_HEAD = "SELECT version FROM {streams} WHERE tenant = ? AND category = ? AND stream = ?"


_HEAD_HASH = _HEAD.replace("SELECT version", "SELECT version, hash")


def place_of(tx: Transaction, stream: StreamKey) -> Place | None:
    """Return the key of a stream's rows; None if the store does not know its names."""
    tenant = find_tenant(tx, stream.tenant)
    category = find_category(tx, stream.category)
    return None if tenant is None or category is None else (tenant, category, stream.id)


def head_version(tx: Transaction, stream: StreamKey) -> int:
    """Return a stream's version; 0 if it has no events."""
    place = place_of(tx, stream)
    row = None if place is None else tx.one(_HEAD, place)
    return 0 if row is None else int(row[0])


def head_versions(
    tx: Transaction, tenant: str, category: str, streams: Sequence[bytes]
) -> dict[bytes, int]:
    """Return the versions of some streams of a tenant; streams without events are left out."""
    place = find_tenant(tx, tenant), find_category(tx, category)
    found: dict[bytes, int] = {}
    for few in in_few(streams):
        asked, names = among(few)
        rows = tx.all(f"{_HEADS} {asked}", (*place, *names))
        found.update({bytes(name): version for name, version in rows})
    return found


class StreamHead(NamedTuple):
    """The end of a stream."""

    version: int
    hash: bytes


def head_of(tx: Transaction, stream: StreamKey) -> StreamHead | None:
    """Return the end of a stream; None if it has no events."""
    place = place_of(tx, stream)
    row = None if place is None else tx.one(_HEAD_HASH, place)
    return None if row is None else StreamHead(int(row[0]), bytes(row[1]))
