"""The tables ``labels`` and ``touches``: names of messages, and later events about a subject.

A touch is a later event about a thread, message, run or step.
"""

from __future__ import annotations

from typing import Final

from eventstore.conversation.rows import LabelRow, TouchRow
from eventstore.threads.row_table import RowTable

__all__ = ["LABELS", "TOUCHES"]

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
