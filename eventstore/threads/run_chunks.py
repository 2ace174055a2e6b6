"""The table ``run_chunks``: text of messages that runs are writing, before they are final.

Each row is one committed piece. The rows of a message are deleted in the transaction that appends
the message, final or interrupted. They do not follow from events, so rebuilding and comparing leave
them alone. The text is bytes, as PostgreSQL takes no NUL in text.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, NamedTuple

from eventstore.core.events import StreamKey
from eventstore.storage.interning import find_tenant
from eventstore.storage.log import Log
from eventstore.storage.statements import Insert
from eventstore.storage.transaction import Transaction
from eventstore.threads.thread_table import ThreadTable

__all__ = ["RUN_CHUNKS", "Chunk", "add", "drop", "length", "text"]

_COLUMNS: Final = ("message", "begins", "ends", "text")
RUN_CHUNKS: Final = ThreadTable("run_chunks", _COLUMNS, 2)
_INSERT: Final = Insert("run_chunks", ("tenant", "thread", *_COLUMNS))
_OF: Final = "FROM {run_chunks} WHERE tenant = ? AND thread = ? AND message = ?"
_ENDS: Final = f"SELECT ends {_OF} ORDER BY begins DESC LIMIT 1"
_TEXT: Final = (
    f"SELECT begins, text {_OF} AND begins >="
    f" coalesce((SELECT begins {_OF} AND begins <= ? ORDER BY begins DESC LIMIT 1), 0)"
    " ORDER BY begins"
)
_DROP: Final = f"DELETE {_OF}"


class Chunk(NamedTuple):
    """A piece of a message's text."""

    message_id: bytes
    begins: int
    """Characters of the text before it."""
    text: str


def add(tx: Transaction, log: Log, stream: StreamKey, chunk: Chunk) -> None:
    """Add the next piece of a text."""
    sealed = log.content_codec.seal(chunk.text.encode(), None)
    ends = chunk.begins + len(chunk.text)
    key = find_tenant(tx, stream.tenant), stream.id, chunk.message_id
    tx.write(_INSERT, [(*key, chunk.begins, ends, sealed)])


def length(tx: Transaction, stream: StreamKey, message_id: bytes) -> int:
    """Return the length of a message's text so far, in characters."""
    row = tx.one(_ENDS, (find_tenant(tx, stream.tenant), stream.id, message_id))
    return 0 if row is None else int(row[0])


def text(tx: Transaction, log: Log, stream: StreamKey, message_id: bytes, after: int = 0) -> str:
    """Return a message's text so far, without its first ``after`` characters."""
    key = find_tenant(tx, stream.tenant), stream.id, message_id
    rows = tx.all(_TEXT, (*key, *key, after))
    pieces = [log.content_codec.unseal(bytes(row[1]), None).decode() for row in rows]
    return "".join(pieces)[after - rows[0][0] :] if rows else ""


def drop(tx: Transaction, stream: StreamKey, messages: Sequence[bytes]) -> None:
    """Delete the pieces of messages."""
    tenant = find_tenant(tx, stream.tenant)
    for message_id in messages:
        tx.run(_DROP, (tenant, stream.id, message_id))
