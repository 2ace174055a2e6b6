"""The text of message search: how a database takes it, and all that the tables hold of it."""

from __future__ import annotations

import re
from typing import Any, Final

from eventstore.read_models.catch_up.tables import Tables

__all__ = ["contents_of_search", "in_pieces"]

_RUN: Final = re.compile(r"(\S{255})(?=\S)")
"""The longest run without a blank that PostgreSQL's parser gets at once."""
_OF_ALL: Final = "SELECT m.tenant, m.thread_id, m.message_id, m.parent_id, m.hidden,"
_CONTENTS: Final = {
    "sqlite": f"{_OF_ALL} w.text FROM {{messages}} m LEFT JOIN {{words}} w ON w.rowid = m.number",
    "postgresql": f"{_OF_ALL} m.text FROM {{messages}} m",
}


def in_pieces(text: str) -> str:
    return _RUN.sub(r"\1 ", text)


def contents_of_search(tables: Tables) -> list[tuple[Any, ...]]:
    """Return the words of each message and title that has any, as any database keeps them."""
    found = tables.all(_CONTENTS[tables.dialect])
    rows = [(*row[:-1], in_pieces((row[-1] or "").replace("\0", " "))) for row in found]
    deleted = tables.all("SELECT tenant, thread_id FROM {deleted}")
    worded = (row for row in rows if row[1] != row[2] or row[-1])
    return [*worded, *deleted]
