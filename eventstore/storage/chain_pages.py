"""Read the log as it stands, to verify it: every column that the chain covers, and nothing decoded.

Unlike other readers, this one takes rows as they are: with gaps, without their large contents, and
with contents that an erasure has listed. So nothing here raises because the log is damaged.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from functools import cache
from typing import Any, Final, NamedTuple

from eventstore.errors import BrokenChain
from eventstore.storage.among import among, in_few
from eventstore.storage.blobs import ELSEWHERE, content_of
from eventstore.storage.shown import hidden
from eventstore.storage.transaction import Transaction, only_row

__all__ = [
    "LAST",
    "ChainedRow",
    "HeadOfStream",
    "contents_that_stand",
    "event_hash_at",
    "events_counted",
    "heads_between",
    "page_of_chain",
    "stream_categories",
    "stream_exists",
    "streams_counted",
    "with_contents",
]


class ChainedRow(NamedTuple):
    """An event's row, as far as the chain and the order of the log concern it."""

    stream: bytes
    version: int
    event_id: bytes
    type: str
    schema_version: int
    recorded_at_us: int
    data: bytes
    content: bytes | None
    salt: bytes | None
    commitment: bytes | None
    metadata: bytes | None
    hash: bytes
    epoch: int
    xid: int
    position: int


class HeadOfStream(NamedTuple):
    """A stream's row in ``streams``."""

    stream: bytes
    version: int
    recorded_at_us: int
    hash: bytes
    epoch: int
    xid: int


LAST: Final = b"\xff" * 17
"""Behind every stream."""

_BYTES: Final = {"event_id", "data", "content", "salt", "commitment", "metadata", "hash"}
_NAMES: Final = {"recorded_at_us": "recorded_at"}
_PAGE: Final = (
    "SELECT {columns} FROM {{events}} WHERE tenant = ? AND category = ?"
    " AND (stream, version) > (?, ?) AND stream <= ? ORDER BY stream, version LIMIT ?"
)
_HEADS: Final = (
    "SELECT stream, version, recorded_at, <hash>, epoch, xid FROM {streams}"
    " WHERE tenant = ? AND category = ? AND stream > ? AND stream <= ? ORDER BY stream"
)
_CATEGORIES: Final = (
    "SELECT c.id, c.name FROM {categories} c WHERE EXISTS (SELECT 1 FROM {streams} s"
    " WHERE s.tenant = ? AND s.category = c.id) OR EXISTS (SELECT 1 FROM {events} e"
    " WHERE e.tenant = ? AND e.category = c.id) ORDER BY c.id"
)
_COUNTED: Final = "SELECT coalesce(sum(version), 0) FROM {streams} WHERE tenant = ?"
_STREAMS: Final = "SELECT count(*) FROM {streams} WHERE tenant = ?"
_STREAM: Final = "tenant = ? AND category = ? AND stream = ?"
_HASH: Final = f"SELECT <hash> FROM {{events}} WHERE {_STREAM} AND version = ?"
_STANDS: Final = f"SELECT 1 FROM {{streams}} WHERE {_STREAM}"
_ANY: Final = f"SELECT 1 FROM {{events}} WHERE {_STREAM} LIMIT 1"
_STAND: Final = (
    f"SELECT version FROM {{events}} WHERE {_STREAM} AND content IS NOT NULL AND version "
)


def page_of_chain(
    tx: Transaction, category: tuple[int, int], after: tuple[bytes, int], last: bytes, limit: int
) -> Sequence[Sequence[Any]]:
    """Return the next rows of a tenant's category, up to a stream, as ``ChainedRow``, in order.

    ``category`` holds the numbers of both, ``after`` a stream and a version. Large contents are
    not among them; :func:`with_contents` adds them one by one.
    """
    sql = _page(tx.ordering.bytes_as_stored, tx.ordering.text_as_stored)
    return tx.all(sql, (*category, *after, last, limit))


@cache
def _page(raw: str, text: str) -> str:
    """Return the statement of a page; ``raw`` and ``text`` read columns of bytes and of text."""
    how = {**dict.fromkeys(_BYTES, raw), "type": text}
    columns = [
        how.get(field, "{column}").format(column=_NAMES.get(field, field))
        for field in ChainedRow._fields
    ]
    return _PAGE.format(columns=", ".join(columns))


def with_contents(
    tx: Transaction, category: tuple[int, int], rows: Iterable[Sequence[Any]]
) -> Iterator[tuple[ChainedRow, bool]]:
    """Yield each row with its content, and whether a large one is missing.

    One large content is in memory at a time.
    """
    for columns in rows:
        row = ChainedRow._make(columns)
        kind: Any = row.type
        if isinstance(kind, bytes):
            row = row._replace(type=kind.decode(errors="replace"))
        if row.content != ELSEWHERE:
            yield row, False
            continue
        try:
            content = content_of(tx, (*category, bytes(row.stream), row.version))
        except BrokenChain:
            yield row, True
        else:
            yield row._replace(content=content), False


def heads_between(
    tx: Transaction, category: tuple[int, int], after: bytes, last: bytes
) -> dict[bytes, HeadOfStream]:
    """Return the heads of the streams behind one, up to another."""
    found = tx.all(_with_hash(_HEADS, tx.ordering.bytes_as_stored), (*category, after, last))
    return {bytes(row[0]): HeadOfStream._make(row) for row in found}


def stream_categories(tx: Transaction, tenant: int) -> list[tuple[int, str]]:
    """Return number and name of the categories in which a tenant has streams."""
    return [(int(number), str(name)) for number, name in tx.all(_CATEGORIES, (tenant, tenant))]


def events_counted(tx: Transaction, tenant: int) -> int:
    """Return the number of a tenant's events by the heads of its streams, for a progress bar."""
    return int(only_row(tx, _COUNTED, (tenant,))[0])


def streams_counted(tx: Transaction, tenant: int) -> int:
    """Return the number of a tenant's streams."""
    return int(only_row(tx, _STREAMS, (tenant,))[0])


def event_hash_at(tx: Transaction, place: tuple[int, int, bytes], version: int) -> bytes | None:
    """Return the stored hash of an event; None if there is no such event."""
    row = tx.one(_with_hash(_HASH, tx.ordering.bytes_as_stored), (*place, version))
    return None if row is None else bytes(row[0])


@cache
def _with_hash(sql: str, raw: str) -> str:
    """Return a statement that reads the hash whatever stands in its column."""
    return sql.replace("<hash>", raw.format(column="hash"))


def stream_exists(tx: Transaction, place: tuple[int, int, bytes]) -> bool:
    """Return whether a stream has a head or an event."""
    return tx.one(_STANDS, place) is not None or tx.one(_ANY, place) is not None


def contents_that_stand(
    tx: Transaction, place: tuple[int, int, bytes], versions: Sequence[int]
) -> list[int]:
    """Return the versions whose content is there, although they are listed as erased.

    Contents that an erasure has listed, and will erase in a moment, do not count.
    """
    found: list[int] = []
    for few in in_few(versions):
        asked, given = among(few)
        found += [row[0] for row in tx.all(_STAND + asked, (*place, *given))]
    if not found:
        return []
    listed = hidden(tx, [(*place, version) for version in found])
    return sorted(version for version in found if (*place, version) not in listed)
