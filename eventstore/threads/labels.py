"""The table ``labels``: names of messages, hidden in a store with encryption."""

from __future__ import annotations

from typing import Final

from msgspec.structs import replace

from eventstore.conversation.rows import LabelRow
from eventstore.storage.transaction import Transaction
from eventstore.threads.hidden_words import hidden_label, label_shown
from eventstore.threads.row_table import RowTable, Words

__all__ = ["LABELS"]


def _hidden(tx: Transaction, tenant: int, thread: bytes, row: LabelRow) -> LabelRow:
    return replace(row, label=hidden_label(tx, tenant, thread, row.label))


def _shown(tx: Transaction, tenant: int, thread: bytes, row: LabelRow) -> LabelRow:
    return replace(row, label=label_shown(tx, tenant, thread, row.label))


LABELS: Final = RowTable[LabelRow](
    LabelRow,
    "labels",
    key=("message",),
    values=("label",),
    encode=lambda row: (row.message_id, row.label),
    decode=lambda columns: LabelRow(columns[1], columns[2]),
    words=Words(_hidden, _shown),
)
