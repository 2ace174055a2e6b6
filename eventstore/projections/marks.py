"""The tables ``labels``, ``touches`` and ``copies``: names of messages, and which events hold what.

A touch is a later event about a thread, message, run or step; a copy is an event that holds
something a fork inherited.
"""

from __future__ import annotations

from typing import Final

from eventstore.conversation.rows import CopyRow, LabelRow, TouchRow
from eventstore.projections.row_table import RowTable

__all__ = ["COPIES", "LABELS", "TOUCHES"]

LABELS: Final = RowTable[LabelRow](
    "labels",
    key=("message",),
    values=("label",),
    encode=lambda row: (row.message_id, row.label),
    decode=lambda columns: LabelRow(columns[1], columns[2]),
)

TOUCHES: Final = RowTable[TouchRow](
    "touches",
    key=("subject", "version"),
    values=(),
    encode=lambda row: (row.subject_id, row.version),
    decode=lambda columns: TouchRow(columns[1], columns[2]),
)

COPIES: Final = RowTable[CopyRow](
    "copies",
    key=("subject", "version"),
    values=(),
    encode=lambda row: (row.subject_id, row.version),
    decode=lambda columns: CopyRow(columns[1], columns[2]),
)
