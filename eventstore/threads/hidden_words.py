"""The columns of tables that hold words: how they stand there in a store with encryption.

Without encryption a word stands as it is. With it, a label is sealed, so that equal labels of a
thread look equal and can be read back; keys and values of metadata and external ids are HMACs, with
which only equality can be asked. Rows from before encryption was switched on keep their words, so
both forms are looked for.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, Final, TypeAlias

from eventstore.core.codec import COVERED
from eventstore.storage.interning import tenant_name
from eventstore.storage.transaction import Transaction

__all__ = [
    "HIDE",
    "forms_of_label",
    "forms_of_name",
    "hidden_label",
    "hidden_name",
    "label_shown",
    "rows_as_stored",
]

Row: TypeAlias = tuple[Any, ...]

_LABEL: Final = b"label:"


def hidden_label(tx: Transaction, tenant: int, thread: bytes, label: str | None) -> str | None:
    """Return a label as its table holds it."""
    if label is None or not tx.naming.codec.seals or label.startswith(COVERED):
        return label
    words = tx.naming.codec.words
    return words.cover(tx, tenant_name(tx, tenant), _LABEL + thread, label)


def label_shown(tx: Transaction, tenant: int, thread: bytes, stored: str | None) -> str | None:
    """Return the label that a row holds."""
    if stored is None or not stored.startswith(COVERED):
        return stored
    words = tx.naming.codec.words
    return words.uncover(tx, tenant_name(tx, tenant), _LABEL + thread, stored)


def hidden_name(tx: Transaction, tenant: int, name: str) -> str:
    """Return a name as its table holds it."""
    if not tx.naming.codec.seals or name.startswith(COVERED):
        return name
    return tx.naming.codec.words.token(tx, tenant_name(tx, tenant), name)


def forms_of_label(tx: Transaction, tenant: int, thread: bytes, label: str) -> list[str]:
    """Return the texts for which to look to find a label."""
    return [*dict.fromkeys([label, hidden_label(tx, tenant, thread, label) or label])]


def forms_of_name(tx: Transaction, tenant: int, name: str) -> list[str]:
    """Return the texts for which to look to find a name."""
    return [*dict.fromkeys([name, hidden_name(tx, tenant, name)])]


def _label_row(tx: Transaction, row: Row) -> Row:
    return (*row[:3], hidden_label(tx, row[0], row[1], row[3]))


def _metadata_row(tx: Transaction, row: Row) -> Row:
    tenant, thread, key, value, *others = row
    return tenant, thread, hidden_name(tx, tenant, key), hidden_name(tx, tenant, value), *others


def _name_row(tx: Transaction, row: Row) -> Row:
    return (*row[:2], hidden_name(tx, row[0], row[2]), *row[3:])


HIDE: Final[dict[str, Callable[[Transaction, Row], Row]]] = {
    "labels": _label_row,
    "thread_metadata": _metadata_row,
    "external_ids": _name_row,
}
"""By table: hides the words of a whole row, unless they are hidden already."""


def rows_as_stored(tx: Transaction, table: str, rows: Iterable[Row]) -> list[Row]:
    """Return rows with their words hidden."""
    hide = HIDE.get(table) if tx.naming.codec.seals else None
    return [*rows] if hide is None else [hide(tx, row) for row in rows]
