"""The table ``touches``: the later events about a thread, message, run or step."""

from __future__ import annotations

from typing import Final

from eventstore.conversation.rows import TouchRow
from eventstore.threads.row_table import RowTable

__all__ = ["TOUCHES"]

TOUCHES: Final = RowTable[TouchRow](
    TouchRow,
    "touches",
    key=("subject", "version"),
    values=(),
    encode=lambda row: (row.subject_id, row.version),
    decode=lambda columns: TouchRow(columns[1], columns[2]),
)
