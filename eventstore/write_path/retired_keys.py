"""Check, under the write lock, that the keys in hand may still seal content.

Another process may have erased a subject since this one fetched its key.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final

from eventstore.core.codec import owner_of, words_of
from eventstore.core.events import StreamKey
from eventstore.storage.retired_keys import retired_among
from eventstore.storage.transaction import Transaction
from eventstore.write_path.requests import AppendRequest

__all__ = ["check_key", "check_keys", "owners_of"]

_KNOWN: Final = "retired keys"
_KNOWN_MAX: Final = 16_384


def owners_of(request: AppendRequest) -> tuple[StreamKey, StreamKey]:
    """Return the owners of the keys that a request may need."""
    return owner_of(request.stream, request.subject), words_of(request.stream.tenant)


def check_keys(tx: Transaction, requests: Iterable[AppendRequest]) -> None:
    """Drop the keys that were retired: a request that needs one is refused, and fetches another."""
    owners = {owner for request in requests for owner in owners_of(request)}
    known: dict[StreamKey, int] = tx.cache.setdefault(_KNOWN, {})
    if not tx.ordering.single_writer or len(known) > _KNOWN_MAX:
        known.clear()  # on SQLite the writer keeps it until another process has written
    for tenant in {owner.tenant for owner in owners}:
        new: Sequence[StreamKey] = [
            one for one in owners if one.tenant == tenant and one not in known
        ]
        if new:
            known.update(dict.fromkeys(new, 0))
            known.update(retired_among(tx, tenant, new))
    for owner in owners:
        if known[owner]:
            tx.naming.codec.retired(owner, known[owner])


def check_key(tx: Transaction, owner: StreamKey) -> None:
    """Do the same for an owner that deciding a request found, after :func:`check_keys`."""
    known: dict[StreamKey, int] = tx.cache.setdefault(_KNOWN, {})
    if owner not in known:
        known[owner] = 0
        known.update(retired_among(tx, owner.tenant, [owner]))
    if known[owner]:
        tx.naming.codec.retired(owner, known[owner])
