"""Data keys in a table: the same SQL for a file of their own and for the store's database."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from eventstore.core.codec import SqlTransaction
from eventstore.core.events import StreamKey
from eventstore.encryption.data_keys import DataKeys, WrappedKey

__all__ = ["KeyTable"]

_COLUMNS: Final = "key_id, tenant, kind, owner, generation, master, wrapped, uses"
_OF: Final = "tenant = ? AND kind = ? AND owner = ?"
_NEWEST: Final = (
    f"SELECT {_COLUMNS} FROM {{data_keys}} WHERE {_OF} ORDER BY generation DESC LIMIT 1"
)
_GET: Final = f"SELECT {_COLUMNS} FROM {{data_keys}} WHERE key_id IN "
_PUT: Final = (
    f"INSERT INTO {{data_keys}} ({_COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING"
)
_RESERVE: Final = (
    "UPDATE {data_keys} SET uses = uses + ? WHERE key_id = ? AND wrapped IS NOT NULL AND uses <= ?"
)
_PAGE: Final = (
    f"SELECT {_COLUMNS} FROM {{data_keys}} WHERE key_id > ? AND wrapped IS NOT NULL"
    " ORDER BY key_id LIMIT ?"
)
_REPLACE: Final = "UPDATE {data_keys} SET master = ?, wrapped = ? WHERE key_id = ? AND wrapped = ?"
_DESTROY: Final = (
    f"UPDATE {{data_keys}} SET wrapped = NULL WHERE {_OF} AND generation <= ?"
    " AND wrapped IS NOT NULL"
)
_DESTROY_TENANT: Final = (
    "UPDATE {data_keys} SET wrapped = NULL WHERE tenant = ? AND wrapped IS NOT NULL"
)
_AT_ONCE: Final = 256


class KeyTable(DataKeys):
    """The keys in a table, within one transaction: of the store, or of a file of keys."""

    def __init__(self, tx: SqlTransaction) -> None:
        self._tx = tx

    def newest(self, owner: StreamKey) -> WrappedKey | None:
        rows = self._tx.all(_NEWEST, owner)
        return _key(rows[0]) if rows else None

    def get(self, key_ids: Sequence[bytes]) -> list[WrappedKey]:
        found: list[WrappedKey] = []
        for start in range(0, len(key_ids), _AT_ONCE):
            few = key_ids[start : start + _AT_ONCE]
            count = 1 << (len(few) - 1).bit_length()  # so that few texts are prepared
            asked = (*few, *[few[-1]] * (count - len(few)))
            found += map(_key, self._tx.all(f"{_GET}({', '.join('?' * count)})", asked))
        return found

    def put(self, key: WrappedKey) -> bool:
        return self._tx.run(_PUT, (key.key_id, *key.owner, *key[2:])) == 1

    def reserve(self, key_id: bytes, uses: int, most: int) -> bool:
        return self._tx.run(_RESERVE, (uses, key_id, most - uses)) == 1

    def page(self, after: bytes, most: int) -> list[WrappedKey]:
        return [*map(_key, self._tx.all(_PAGE, (after, most)))]

    def replace(self, old: WrappedKey, new: WrappedKey) -> bool:
        return self._tx.run(_REPLACE, (new.master, new.wrapped, old.key_id, old.wrapped)) == 1

    def destroy(self, owner: StreamKey, generation: int) -> int:
        return self._tx.run(_DESTROY, (*owner, generation))

    def destroy_tenant(self, tenant: str) -> int:
        return self._tx.run(_DESTROY_TENANT, (tenant,))


def _key(row: Sequence[Any]) -> WrappedKey:
    key_id, tenant, kind, owner, generation, master, wrapped, uses = row
    raw = None if wrapped is None else bytes(wrapped)
    owner = StreamKey(tenant, kind, bytes(owner))
    return WrappedKey(bytes(key_id), owner, generation, master, raw, uses)
