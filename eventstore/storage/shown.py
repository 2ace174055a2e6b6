"""Hide content that an erasure has listed, which still exists until its part is erased.

Every statement that reads content selects it through :func:`shown`. Content is listed only for
moments; otherwise the check costs nothing: the database looks once a statement whether anything is
listed. While something is, all content of a page comes without its bytes, as if it stood elsewhere,
and :mod:`~eventstore.storage.blobs`, which looks up the place, asks here which content may be seen.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import Any, Final

from eventstore.core import chain, codec
from eventstore.storage.transaction import Transaction

__all__ = [
    "NONE_LISTED",
    "NO_CONTENT",
    "as_it_stands",
    "hidden",
    "shown",
    "without_content",
    "wordless",
]

NONE_LISTED: Final = "NOT EXISTS (SELECT 1 FROM {erasing})"
"""SQL: no erasure is half done."""
NO_CONTENT: Final = "NULL AS content"
_LISTED: Final = "SELECT DISTINCT tenant, category, stream FROM {erasing}"
_VERSIONS: Final = "SELECT versions FROM {erasing} WHERE tenant = ? AND category = ? AND stream = ?"


def shown(column: str = "content") -> str:
    """Return SQL for the content of an event; ``column`` names it.

    Empty content stays unchanged: SQLite's ``substr`` makes NULL of it.
    """
    whole = f"{NONE_LISTED} OR length({column}) = 0"
    return f"CASE WHEN {whole} THEN {column} ELSE substr({column}, 1, 0) END"


_SHOWN: Final = re.compile(
    re.escape(shown("COLUMN")).replace("COLUMN", r"([\w.]+)", 1).replace("COLUMN", r"[\w.]+")
)


def as_it_stands(sql: str) -> str:
    """Return a statement that reads content even if an erasure has listed it."""
    return _SHOWN.sub(r"\1", sql)


def wordless(sql: str) -> str:
    """Return a statement that reads NULL in place of content."""
    return _SHOWN.sub(NO_CONTENT, sql)


def hidden(
    tx: Transaction, keys: Iterable[tuple[int, int, bytes, int]]
) -> set[tuple[int, int, bytes, int]]:
    """Return those of the events whose content must not be shown."""
    listed = {(tenant, category, bytes(stream)) for tenant, category, stream in tx.all(_LISTED)}
    wanted = set(keys)
    found = set()
    for place in listed & {key[:3] for key in wanted}:
        for (versions,) in tx.all(_VERSIONS, place):
            found |= {(*place, version) for version in codec.decode_any(versions)} & wanted
    return found


def without_content(row: Sequence[Any], content_at: int, *, salted: bool) -> tuple[Any, ...]:
    """Return a row as it will be: with a commitment, if it has the column, in place of content."""
    if not salted:
        return (*row[:content_at], None, *row[content_at + 1 :])
    content, salt = row[content_at : content_at + 2]
    commitment = chain.commitment(salt, content)
    return (*row[:content_at], None, None, commitment, *row[content_at + 3 :])
