"""Keep contents over 32 KiB beside the log, in ``blobs``, under the event's own key.

The event marks this with a content of no bytes, which is neither content (even an empty map has one
byte) nor its absence. So the event alone shows whether there is content. Hash and commitment are
the same as if the bytes stood in its row: the place of the bytes is not hashed.

:func:`set_apart` writes them, :func:`rows_of_events` and :func:`page_of_events` read them. A blob
is deleted in the transaction in which its event loses its content or is purged
(``storage/erasing.py``, ``storage/purging.py``); triggers refuse an earlier deletion and any
change.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from operator import itemgetter
from typing import Any, Final, TypeAlias

from eventstore.core import chain
from eventstore.core.codec import SEALED
from eventstore.core.events import StreamKey
from eventstore.errors import BrokenChain
from eventstore.storage.interning import category_name, tenant_name
from eventstore.storage.shown import (
    NO_CONTENT,
    NONE_LISTED,
    as_it_stands,
    hidden,
    shown,
    without_content,
)
from eventstore.storage.statements import Insert
from eventstore.storage.transaction import Transaction

__all__ = [
    "ELSEWHERE",
    "IN_ROW_BYTES_MAX",
    "EventKey",
    "content_of",
    "drop",
    "page_of_events",
    "rows_of_events",
    "set_apart",
]

IN_ROW_BYTES_MAX: Final = 32 * 1024
"""Largest stored content that stands in its event's row.

Measured on SQLite, µs of CPU a message, in its row / apart: a page of 50 messages costs 2 / 4 at 1
KiB, 10 / 13 at 8, 16 / 21 at 16, 38 / 39 at 32, and the same from there on; writing costs the same
at every size. So small content would lose by standing apart. Large content wins for readers that do
not want it: the columns behind it, the hash among them, are found by walking through all its pages,
15 µs at 32 KiB and 270 at 1 MiB, where an event with its content apart takes 1. (``blobs`` is a
table with rowids: without, rows of this size would stand in its inner nodes, and reading 1 MiB took
four times as long.)
"""

ELSEWHERE: Final = b""
"""The mark in an event's row for a content that is in ``blobs``."""

EventKey: TypeAlias = tuple[int, int, bytes, int]
"""Numbers of tenant and category, the stream's id, and the version."""

Row: TypeAlias = Sequence[Any]

_FIRST: Final = itemgetter(0)
_KEY: Final = ("tenant", "category", "stream", "version")
_INSERT: Final = Insert("blobs", (*_KEY, "content"))
_WHERE: Final = " AND ".join(f"{column} = ?" for column in _KEY)
_FIND: Final = f"SELECT {', '.join(_KEY)}, content FROM {{blobs}} WHERE "
_MEASURE: Final = _FIND.replace(", content", ", length(content)")
"""The database knows the length of a content without reading it."""
_DROP: Final = f"DELETE FROM {{blobs}} WHERE {_WHERE}"

_SALTED: Final = f"{shown()}, salt, commitment"
"""Part of every statement that also reads the columns of the chain."""

_WRITTEN_BYTES: Final = 4 * 1024 * 1024
"""About how many bytes one statement writes: drivers copy their parameters."""
_KEYS_AT_ONCE: Final = 32
PAGE_BYTES_MAX: Final = 8 * 1024 * 1024
"""About how much large content a page of the log holds, if it has more than one event."""


# -- writing ---------------------------------------------------------------------------------------


def set_apart(tx: Transaction, columns: Sequence[str], rows: Sequence[Row]) -> Sequence[Row]:
    """Write the large contents among new rows of events; return the rows to insert."""
    at = columns.index("content")
    large = []
    for n, row in enumerate(rows):
        if len(row[at] or b"") > IN_ROW_BYTES_MAX:
            large.append(n)
    if not large:
        return rows
    key = [columns.index(column) for column in _KEY]
    for few in _in_few([(*[rows[n][column] for column in key], rows[n][at]) for n in large]):
        tx.write(_INSERT, few)
    left = list(rows)
    for n in large:
        left[n] = (*rows[n][:at], ELSEWHERE, *rows[n][at + 1 :])
    return left


def _in_few(blobs: Sequence[Row]) -> Iterator[list[Row]]:
    few: list[Row] = []
    size = 0
    for blob in blobs:
        few.append(blob)
        size += len(blob[-1])
        if size >= _WRITTEN_BYTES:
            yield few
            few, size = [], 0
    if few:
        yield few


# -- reading ---------------------------------------------------------------------------------------


def rows_of_events(
    tx: Transaction,
    sql: str,
    parameters: Sequence[Any],
    content_at: int,
    key_of: Callable[[Row], EventKey],
) -> list[Any]:
    """Return event rows with their content, wherever it stands: ``content_at`` is its column.

    Rows that hold their content are returned unchanged, with no query beyond ``sql``, which selects
    content by :func:`~eventstore.storage.shown.shown`. Between two statements another transaction
    may erase or purge an event (a write on PostgreSQL reads what has been committed by then). So if
    a blob is missing, the rows are read again and show this.

    Sealed content is opened here, and nowhere else. It is None once its key was destroyed.

    Raises:
        BrokenChain: an event says that its content is in ``blobs``, and it is not; or its content
            was sealed for another place.
        KeyUnavailable: its content is sealed, and there is no key.
    """
    rows, _ = _read(tx, sql, parameters, content_at, key_of, bytes_max=None)
    return _opened(tx, rows, content_at, key_of)


def page_of_events(
    tx: Transaction,
    sql: str,
    parameters: Sequence[Any],
    content_at: int,
    key_of: Callable[[Row], EventKey],
    *,
    opened: bool = True,
) -> tuple[list[Any], bool]:
    """Do the same for a page, but end it where its large contents become too much.

    Return whether rows were left out. One row is always returned, whatever its content weighs.
    ``opened`` False leaves sealed content as it is stored, as its hash covers it.
    """
    rows, short = _read(tx, sql, parameters, content_at, key_of, bytes_max=PAGE_BYTES_MAX)
    return (_opened(tx, rows, content_at, key_of) if opened else rows), short


def _read(
    tx: Transaction,
    sql: str,
    parameters: Sequence[Any],
    content_at: int,
    key_of: Callable[[Row], EventKey],
    *,
    bytes_max: int | None,
) -> tuple[list[Any], bool]:
    assert NONE_LISTED in sql or NO_CONTENT in sql  # noqa: S101 (or it would read what is being erased)
    missing: set[EventKey] = set()
    gone: set[EventKey] = set()
    stands = ""
    while True:
        rows = tx.all(stands or sql, parameters)
        if not stands and ELSEWHERE not in map(itemgetter(content_at), rows):
            return rows, False
        keys = {n: key_of(row) for n, row in enumerate(rows) if row[content_at] == ELSEWHERE}
        whole = len(rows)
        if bytes_max is not None and len(keys) > 1:
            rows = rows[: _fitting(tx, keys, bytes_max, whole)]
            keys = {n: key for n, key in keys.items() if n < len(rows)}
        found = _contents(tx, list(keys.values()), alone=not stands)
        lost = set(keys.values()) - found.keys()
        if not lost:
            for n, key in keys.items():
                row = rows[n]
                rows[n] = (*row[:content_at], found[key], *row[content_at + 1 :])
            break
        if not stands:  # an erasure may be half done: then content is not shown without a check
            gone = hidden(tx, keys.values())  # before they are read again, or some might be missed
            stands = as_it_stands(sql)
            continue
        for key in lost & missing:
            raise _broken(tx, key)
        missing |= lost
    short = len(rows) < whole
    if gone:
        salted = _SALTED in sql
        rows = [
            without_content(row, content_at, salted=salted)
            if row[content_at] is not None and key_of(row) in gone
            else row
            for row in rows
        ]
    return rows, short


def _opened(
    tx: Transaction, rows: list[Any], content_at: int, key_of: Callable[[Row], EventKey]
) -> list[Any]:
    """Open the sealed contents among rows of events."""
    contents = map(itemgetter(content_at), rows)
    if SEALED not in map(_FIRST, filter(None, contents)):  # in C: every row that is read passes
        return rows
    sealed = [n for n, row in enumerate(rows) if (raw := row[content_at]) and raw[0] == SEALED]
    streams: dict[EventKey, tuple[StreamKey, bytes]] = {}

    def stream_of(n: int) -> tuple[StreamKey, bytes]:
        tenant, category, stream, _ = key_of(rows[n])
        place = tenant, category, bytes(stream), 0
        if place not in streams:
            key = StreamKey(tenant_name(tx, tenant), category_name(tx, category), place[2])
            streams[place] = key, chain.stream_prefix(key.tenant, key.text)
        return streams[place]

    def told(of: int) -> tuple[str, int]:
        n = sealed[of]
        return stream_of(n)[0].text, key_of(rows[n])[3]

    asked = [(rows[n][content_at], stream_of(n)[1], key_of(rows[n])[3]) for n in sealed]
    for n, content in zip(sealed, tx.naming.codec.unseal(tx, asked, told), strict=True):
        rows[n] = (*rows[n][:content_at], content, *rows[n][content_at + 1 :])
    return rows


def _fitting(tx: Transaction, keys: Mapping[int, EventKey], bytes_max: int, whole: int) -> int:
    """Return how many rows of a page fit before their large contents become too much."""
    asked = _asked(tx, _MEASURE, list(keys.values()))
    sizes = {(row[0], row[1], row[2], row[3]): row[4] for row in asked}
    first = next(iter(keys))
    total = 0
    for n, key in keys.items():
        total += sizes.get(key, 0)
        if total > bytes_max and n != first:
            return n
    return whole


def content_of(tx: Transaction, key: EventKey) -> bytes:
    """Return the content in ``blobs`` of an event; the caller holds its stream's head.

    Raises:
        BrokenChain: it is not there.
    """
    found = _contents(tx, [key], alone=False)
    if key not in found:
        raise _broken(tx, key)
    return found[key]


def _contents(tx: Transaction, keys: Sequence[EventKey], *, alone: bool) -> dict[EventKey, bytes]:
    """Return contents by key; none of them if ``alone`` and an erasure is half done."""
    find = f"{_FIND}{NONE_LISTED} AND " if alone else _FIND
    return {(row[0], row[1], row[2], row[3]): row[4] for row in _asked(tx, find, keys)}


def _asked(tx: Transaction, sql: str, keys: Sequence[EventKey]) -> Iterator[Row]:
    """Yield the rows of blobs with these keys, a few at a time."""
    for start in range(0, len(keys), _KEYS_AT_ONCE):
        some = keys[start : start + _KEYS_AT_ONCE]
        # The number of keys is a power of two, the last key repeated, so few texts are prepared.
        asked = [*some, *[some[-1]] * ((1 << (len(some) - 1).bit_length()) - len(some))]
        where = " OR ".join([f"({_WHERE})"] * len(asked))
        yield from tx.all(f"{sql}({where})", [value for key in asked for value in key])


def _broken(tx: Transaction, key: EventKey) -> BrokenChain:
    tenant, category, stream, version = key
    text = StreamKey(tenant_name(tx, tenant), category_name(tx, category), stream).text
    return BrokenChain(text, version, "its content is not among the blobs")


# -- erasing ---------------------------------------------------------------------------------------


def drop(tx: Transaction, key: EventKey) -> None:
    """Delete the blob of an event whose content was erased."""
    tx.run(_DROP, key)
