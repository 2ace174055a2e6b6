"""The table ``labels``: names of messages."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, Final

from msgspec.structs import replace

from eventstore.conversation.rows import LabelRow
from eventstore.storage.transaction import Transaction
from eventstore.threads.hidden_words import hidden_label, label_shown
from eventstore.threads.row_table import RowTable

__all__ = ["LABELS"]


class _Labels(RowTable[LabelRow]):
    """The table ``labels``, whose words are hidden in a store with encryption."""

    def write(self, tx: Transaction, rows: Iterable[tuple[int, bytes, LabelRow]]) -> None:
        if tx.naming.codec.seals:
            rows = [
                (tenant, thread, replace(row, label=hidden_label(tx, tenant, thread, row.label)))
                for tenant, thread, row in rows
            ]
        super().write(tx, rows)

    def find(
        self,
        tx: Transaction,
        tenant: int,
        thread: bytes,
        where: str,
        parameters: Sequence[Any] = (),
        *,
        few: bool = False,
    ) -> list[LabelRow]:
        found = super().find(tx, tenant, thread, where, parameters, few=few)
        return [_shown(tx, tenant, thread, row) for row in found]

    def get(
        self,
        tx: Transaction,
        tenant: int,
        thread: bytes,
        where: str,
        parameters: Sequence[Any] = (),
    ) -> LabelRow | None:
        row = super().get(tx, tenant, thread, where, parameters)
        return None if row is None else _shown(tx, tenant, thread, row)

    def all(self, tx: Transaction, tenant: int, thread: bytes) -> list[LabelRow]:
        return [_shown(tx, tenant, thread, row) for row in super().all(tx, tenant, thread)]


def _shown(tx: Transaction, tenant: int, thread: bytes, row: LabelRow) -> LabelRow:
    return replace(row, label=label_shown(tx, tenant, thread, row.label))


LABELS: Final = _Labels(
    LabelRow,
    "labels",
    key=("message",),
    values=("label",),
    encode=lambda row: (row.message_id, row.label),
    decode=lambda columns: LabelRow(columns[1], columns[2]),
)
