"""Large contents, beside the log: what is over 32 KiB stands in ``blobs``, by the event's own key.

The event then says so with a content of no bytes, which is neither content (even an empty map has
one byte) nor its absence. So "is there content" is asked of the event alone, and hash and
commitment are what they would be if the bytes stood in its row: where they stand is not hashed.

:func:`set_apart` is on the way in, :func:`rows_of_events` and :func:`page_of_events` on the way
out. A blob goes in the transaction in which its event loses its content or is purged
(``storage/erasing.py``, ``storage/purging.py``); triggers refuse that it goes earlier, or is ever
changed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Final, TypeAlias

from eventstore.core.events import StreamKey
from eventstore.errors import BrokenChain
from eventstore.storage.interning import category_name, tenant_name
from eventstore.storage.shown import NONE_LISTED, as_it_stands, hidden, shown, without_content
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
"""Largest content, as it is stored, that stands in its event's row.

Measured on SQLite, µs of CPU a message, in its row / apart: a page of 50 messages costs 2 / 4 at
1 KiB, 10 / 13 at 8, 16 / 21 at 16, 38 / 39 at 32, and the same from there on; writing costs the
same at every size. So small content would lose by standing apart. Large content wins for whoever
does not want it: the columns behind it, the hash among them, are found by walking through all its
pages, 15 µs at 32 KiB and 270 at 1 MiB, where an event with its content apart takes 1. (``blobs``
is a table with rowids: without, rows of this size would stand in its inner nodes, and reading 1 MiB
took four times as long.)
"""

ELSEWHERE: Final = b""
"""What stands for a content that is in ``blobs``."""

EventKey: TypeAlias = tuple[int, int, bytes, int]
"""Tenant, category and stream as the tables have them, and the version."""

Row: TypeAlias = Sequence[Any]

_KEY: Final = ("tenant", "category", "stream", "version")
_INSERT: Final = Insert("blobs", (*_KEY, "content"))
_WHERE: Final = " AND ".join(f"{column} = ?" for column in _KEY)
_FIND: Final = f"SELECT {', '.join(_KEY)}, content FROM {{blobs}} WHERE "
_MEASURE: Final = _FIND.replace(", content", ", length(content)")
"""The database knows how long a content is without looking at it."""
_DROP: Final = f"DELETE FROM {{blobs}} WHERE {_WHERE}"

_SALTED: Final = f"{shown()}, salt, commitment"
"""In the text of a statement that reads what the chain needs, too."""

_WRITTEN_BYTES: Final = 4 * 1024 * 1024
"""About how much one statement writes: drivers copy what they are given."""
_KEYS_AT_ONCE: Final = 32
PAGE_BYTES_MAX: Final = 8 * 1024 * 1024
"""About how much large content a page of the log holds, if it is more than one event's."""


# -- writing ---------------------------------------------------------------------------------------


def set_apart(tx: Transaction, columns: Sequence[str], rows: Sequence[Row]) -> Sequence[Row]:
    """Write the large contents among new rows of events; return the rows as they are inserted."""
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
    """Return rows that hold an event's content, wherever it stands: ``content_at`` is its column.

    Rows whose content is in them are returned as they come, with nothing asked beyond ``sql``,
    which selects content by :func:`~eventstore.storage.shown.shown`.
    Between two statements an event may be erased, or purged, by somebody else (a write on
    PostgreSQL reads what has been committed by then); so if a blob is missing, the rows are read
    again, and say so.

    Raises:
        BrokenChain: an event says that its content is in ``blobs``, and it is not.
    """
    return _read(tx, sql, parameters, content_at, key_of, bytes_max=None)[0]


def page_of_events(
    tx: Transaction,
    sql: str,
    parameters: Sequence[Any],
    content_at: int,
    key_of: Callable[[Row], EventKey],
) -> tuple[list[Any], bool]:
    """Do the same for a page, and leave out the rows from where their large contents are too much.

    Returns whether it did. One row is always returned, whatever its content weighs.
    """
    return _read(tx, sql, parameters, content_at, key_of, bytes_max=PAGE_BYTES_MAX)


def _read(
    tx: Transaction,
    sql: str,
    parameters: Sequence[Any],
    content_at: int,
    key_of: Callable[[Row], EventKey],
    *,
    bytes_max: int | None,
) -> tuple[list[Any], bool]:
    assert NONE_LISTED in sql  # noqa: S101 (or it would read what is being erased)
    missing: set[EventKey] = set()
    gone: set[EventKey] = set()
    stands = ""
    while True:
        rows = tx.all(stands or sql, parameters)
        keys = {n: key_of(row) for n, row in enumerate(rows) if row[content_at] == ELSEWHERE}
        if not keys and not stands:
            return rows, False
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
        if not stands:  # an erasure may be in the middle of it: then nothing shows by itself
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


def _fitting(tx: Transaction, keys: Mapping[int, EventKey], bytes_max: int, whole: int) -> int:
    """Return how many rows of a page to take, so that their large contents are not too much."""
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
    """Return the content of an event that says it is in ``blobs``; its stream's head is held.

    Raises:
        BrokenChain: it is not there.
    """
    found = _contents(tx, [key], alone=False)
    if key not in found:
        raise _broken(tx, key)
    return found[key]


def _contents(tx: Transaction, keys: Sequence[EventKey], *, alone: bool) -> dict[EventKey, bytes]:
    """Return contents by key; none of them, if ``alone`` and an erasure is in the middle of it."""
    find = f"{_FIND}{NONE_LISTED} AND " if alone else _FIND
    return {(row[0], row[1], row[2], row[3]): row[4] for row in _asked(tx, find, keys)}


def _asked(tx: Transaction, sql: str, keys: Sequence[EventKey]) -> Iterator[Row]:
    """Yield the rows of blobs with these keys, a few at a time."""
    for start in range(0, len(keys), _KEYS_AT_ONCE):
        some = keys[start : start + _KEYS_AT_ONCE]
        # Asked for in powers of two, the last key again and again, there are few texts to prepare.
        asked = [*some, *[some[-1]] * ((1 << (len(some) - 1).bit_length()) - len(some))]
        where = " OR ".join([f"({_WHERE})"] * len(asked))
        yield from tx.all(f"{sql}({where})", [value for key in asked for value in key])


def _broken(tx: Transaction, key: EventKey) -> BrokenChain:
    tenant, category, stream, version = key
    text = StreamKey(tenant_name(tx, tenant), category_name(tx, category), stream).text
    return BrokenChain(text, version, "its content should be among the blobs, and is not")


# -- erasing ---------------------------------------------------------------------------------------


def drop(tx: Transaction, key: EventKey) -> None:
    """Delete the blob of an event whose content was erased."""
    tx.run(_DROP, key)
