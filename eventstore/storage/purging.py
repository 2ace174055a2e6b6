"""Remove a stream for good: the only DELETE of events.

The triggers allow it for a stream that is listed in ``purging``. The entry is deleted in the same
transaction, so no other transaction ever sees one.
"""

from __future__ import annotations

from typing import Final

from eventstore.storage.ordering import Place
from eventstore.storage.statements import Insert
from eventstore.storage.transaction import Transaction

__all__ = ["purge_stream"]

_KEY: Final = ("tenant", "category", "stream")
_OF: Final = "WHERE tenant = ? AND category = ? AND stream = ?"
_PURGING: Final = Insert("purging", _KEY)
_PURGED: Final = (
    f"DELETE FROM {{events}} {_OF}",
    f"DELETE FROM {{blobs}} {_OF}",
    f"DELETE FROM {{idempotency_keys}} {_OF}",
    f"DELETE FROM {{erasing}} {_OF}",
    f"DELETE FROM {{streams}} {_OF}",
    f"DELETE FROM {{purging}} {_OF}",
)


def purge_stream(tx: Transaction, place: Place) -> None:
    """Delete a stream's events with their blobs, its keys and head. Its head must be locked."""
    tx.write(_PURGING, [place])
    for text in _PURGED:
        tx.run(text, place)
