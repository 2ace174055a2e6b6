"""The decision tables: one for each kind of row.

Caching, writing, comparing, rebuilding and purging go through them all.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from eventstore.threads.labels import LABELS
from eventstore.threads.message_rows import MESSAGES
from eventstore.threads.row_table import RowTable
from eventstore.threads.run_rows import RUN_TABLES
from eventstore.threads.thread_rows import THREADS
from eventstore.threads.touches import TOUCHES
from eventstore.threads.tree_tables import TREE_TABLES

__all__ = ["ROW_TABLES"]

ROW_TABLES: Final[Mapping[type[Any], RowTable[Any]]] = {
    table.kind: table for table in (THREADS, MESSAGES, *TREE_TABLES, *RUN_TABLES, LABELS, TOUCHES)
}
"""The tables by kind of row."""
