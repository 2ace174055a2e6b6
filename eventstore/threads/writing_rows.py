"""Write the changed rows of threads, a statement for each table."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from eventstore.conversation.rows import (
    Row,
)
from eventstore.storage.transaction import Transaction
from eventstore.threads.row_tables import ROW_TABLES

__all__ = ["write_rows"]


def write_rows(tx: Transaction, rows: Iterable[tuple[int, bytes, Row]]) -> None:
    """Write rows of many threads, one statement a table."""
    by_kind: dict[type[Any], list[tuple[int, bytes, Any]]] = {}
    for entry in rows:
        by_kind.setdefault(type(entry[2]), []).append(entry)
    for kind, entries in by_kind.items():
        ROW_TABLES[kind].write(tx, entries)
