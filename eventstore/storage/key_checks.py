"""Find idempotency keys whose events do not exist, which only manual SQL can cause."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from eventstore.core.events import StreamKey
from eventstore.storage.interning import category_name, find_tenant
from eventstore.storage.transaction import Transaction

__all__ = ["keys_beside_the_log"]

_BESIDE: Final = (
    "SELECT DISTINCT category, stream FROM (SELECT k.category, k.stream, k.first_version,"
    " k.last_version, (SELECT s.version FROM {streams} s WHERE s.tenant = k.tenant"
    " AND s.category = k.category AND s.stream = k.stream) AS version"
    " FROM {idempotency_keys} k WHERE k.tenant = ?) kept"
    " WHERE version IS NULL OR first_version < 1 OR last_version < first_version - 1"
    " OR last_version > version ORDER BY 1, 2"
)
"""The head by its key, also where PostgreSQL has no statistics and would join in another way."""


def keys_beside_the_log(tx: Transaction, tenant: str) -> Iterator[StreamKey]:
    """Yield the streams of a tenant with a key that names versions they do not have."""
    for category, stream in tx.all(_BESIDE, (find_tenant(tx, tenant),)):
        yield StreamKey(tenant, category_name(tx, category), bytes(stream))
