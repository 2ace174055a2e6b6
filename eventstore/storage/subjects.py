"""Find what was written in the name of a person: the rows of ``events`` with a subject.

An index of these rows alone serves it. An event ``ContentErased`` that erases content of a person
bears the same subject, so what was erased is found like what is there.
"""

from __future__ import annotations

from typing import Final, NamedTuple

from eventstore.core import codec
from eventstore.core.events import Position, StreamKey
from eventstore.storage.interning import category_name, find_tenant
from eventstore.storage.ordering import Place
from eventstore.storage.transaction import Transaction

__all__ = ["ErasureOf", "content_versions", "erasures_of", "is_known", "next_stream_of", "size_of"]

_ERASURE: Final = "ContentErased"
_THEIRS: Final = "FROM {events} WHERE tenant = ? AND subject = ?"
_IN: Final = f"{_THEIRS} AND category = ? AND stream = ?"
_KNOWN: Final = f"SELECT 1 {_THEIRS} LIMIT 1"
_NEXT: Final = (
    f"SELECT category, stream {_THEIRS} AND (category, stream) > (?, ?)"
    f" AND type <> '{_ERASURE}' ORDER BY category, stream LIMIT 1"
)
_CONTENTS: Final = (
    f"SELECT version {_IN} AND content IS NOT NULL AND type <> '{_ERASURE}' ORDER BY version"
)
_ERASURES: Final = (
    f"SELECT category, stream, version, data, epoch, xid, position {_THEIRS}"
    f" AND type = '{_ERASURE}' ORDER BY category, stream, version"
)
_ERASURES_IN: Final = f"SELECT data {_IN} AND type = '{_ERASURE}'"


_SIZES: Final = (
    f"SELECT count(*) {_THEIRS} AND content IS NOT NULL AND type <> '{_ERASURE}'"
    " GROUP BY category, stream"
)


class ErasureOf(NamedTuple):
    """An event that erased content of a person in one stream."""

    category: int
    stream: bytes
    version: int
    versions: list[int]
    """Events that lost their content."""
    position: Position


def is_known(tx: Transaction, tenant: str, subject: bytes) -> bool:
    """Return whether anything was ever written in the name of a person."""
    number = find_tenant(tx, tenant)
    return number is not None and tx.one(_KNOWN, (number, subject)) is not None


def next_stream_of(
    tx: Transaction, tenant: str, subject: bytes, after: tuple[int, bytes]
) -> tuple[tuple[int, bytes], StreamKey] | None:
    """Return the next stream of a tenant with events of a person, and its key; None at the end."""
    row = tx.one(_NEXT, (find_tenant(tx, tenant), subject, *after))
    if row is None:
        return None
    place = row[0], bytes(row[1])
    return place, StreamKey(tenant, category_name(tx, place[0]), place[1])


def size_of(tx: Transaction, tenant: str, subject: bytes) -> tuple[int, int]:
    """Return the number of streams and events in which a person's content is there."""
    number = find_tenant(tx, tenant)
    rows = [] if number is None else tx.all(_SIZES, (number, subject))
    return len(rows), sum(row[0] for row in rows)


def content_versions(tx: Transaction, place: Place, subject: bytes) -> list[int]:
    """Return the events of a person in a stream whose content is there, and not listed to go."""
    tenant, category, stream = place
    of = tenant, subject, category, stream
    gone = {one for (data,) in tx.all(_ERASURES_IN, of) for one in _versions(data)}
    return [version for (version,) in tx.all(_CONTENTS, of) if version not in gone]


def erasures_of(tx: Transaction, tenant: str, subject: bytes) -> list[ErasureOf]:
    """Return every erasure of a person's content, in order of the streams."""
    number = find_tenant(tx, tenant)
    found = [] if number is None else tx.all(_ERASURES, (number, subject))
    return [
        ErasureOf(category, bytes(stream), version, _versions(data), Position(*position))
        for category, stream, version, data, *position in found
    ]


def _versions(data: bytes) -> list[int]:
    found: list[int] = codec.decode_any(data)["versions"]
    return found
