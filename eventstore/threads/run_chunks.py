"""The table ``run_chunks``: text of messages that runs are writing, before they are final.

Each row is one committed piece, or several small ones: a short row grows, and is sealed anew if
pieces are sealed, as long as both parts have the same key. PostgreSQL takes back the
place of a replaced row at once, and the place of its entry in an index only with a vacuum. The rows
of a message are deleted in the transaction that appends the message, final or interrupted. They do
not follow from events, so rebuilding and comparing leave them alone. The text is bytes, as
PostgreSQL takes no NUL in text.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, NamedTuple

from eventstore.core import chain
from eventstore.core.codec import SEALED, key_of
from eventstore.core.events import StreamKey
from eventstore.storage.interning import find_tenant
from eventstore.storage.statements import Insert
from eventstore.storage.transaction import Transaction
from eventstore.threads.thread_table import ThreadTable

__all__ = ["RUN_CHUNKS", "Chunk", "add", "drop", "length", "text"]

_COLUMNS: Final = ("message", "begins", "ends", "text")
RUN_CHUNKS: Final = ThreadTable("run_chunks", _COLUMNS, 2)
_KEY: Final = ("tenant", "thread", "message", "begins")
_WRITE: Final = Insert(
    "run_chunks", ("tenant", "thread", *_COLUMNS), conflict=_KEY, replaces=("ends", "text")
)
_ROW_BYTES: Final = 400
"""Length up to which a row grows: it is written anew each time."""
_OF: Final = "FROM {run_chunks} WHERE tenant = ? AND thread = ? AND message = ?"
_LAST: Final = f"SELECT begins, text {_OF} ORDER BY begins DESC LIMIT 1"
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


def add(tx: Transaction, stream: StreamKey, chunk: Chunk, subject: bytes | None) -> None:
    """Add the next piece of a text."""
    raw, place, begins = chunk.text.encode(), _place(stream, chunk.message_id), chunk.begins
    codec = tx.naming.codec
    written = codec.seal(raw, stream, subject, place, begins)
    key = find_tenant(tx, stream.tenant), stream.id, chunk.message_id
    last = tx.one(_LAST, key) if begins else None
    if last is not None and _share(kept := bytes(last[1]), written):
        opened = _opened(tx, stream, chunk.message_id, [(last[0], kept)])
        if opened:
            begins = last[0]
            written = codec.seal(opened[0] + raw, stream, subject, place, begins)
    tx.write(_WRITE, [(*key, begins, chunk.begins + len(chunk.text), written)])


def _share(kept: bytes, written: bytes) -> bool:
    """Return whether a piece may go into the last row: it is short, and the same key opens both."""
    return len(kept) + len(written) <= _ROW_BYTES and key_of(kept) == key_of(written)


def length(tx: Transaction, stream: StreamKey, message_id: bytes) -> int:
    """Return the length of a message's text so far, in characters."""
    row = tx.one(_ENDS, (find_tenant(tx, stream.tenant), stream.id, message_id))
    return 0 if row is None else int(row[0])


def text(tx: Transaction, stream: StreamKey, message_id: bytes, after: int = 0) -> str:
    """Return a message's text so far, without its first ``after`` characters.

    It is empty once the key was destroyed that a piece was sealed with.
    """
    key = find_tenant(tx, stream.tenant), stream.id, message_id
    rows = tx.all(_TEXT, (*key, *key, after))
    pieces = _opened(tx, stream, message_id, [(row[0], bytes(row[1])) for row in rows])
    return b"".join(pieces).decode()[after - rows[0][0] :] if pieces else ""


def _opened(
    tx: Transaction, stream: StreamKey, message_id: bytes, rows: Sequence[tuple[int, bytes]]
) -> list[bytes]:
    """Return the pieces of a text, opened; none if one of them cannot be read any more."""
    if not any(raw[:1] == bytes([SEALED]) for _, raw in rows):
        return [raw for _, raw in rows]
    place = _place(stream, message_id)
    opened: list[bytes] = []
    for begins, raw in rows:
        piece: bytes | None = raw
        if raw[0] == SEALED:
            asked = [(raw, place, begins)]
            [piece] = tx.naming.codec.unseal(tx, asked, lambda _: (stream.text, 0))
        if piece is None:
            return []
        opened.append(piece)
    return opened


def _place(stream: StreamKey, message_id: bytes) -> bytes:
    """Return the place of a text's pieces, which is bound into what seals them."""
    return b"chunk:" + message_id + chain.stream_prefix(stream.tenant, stream.text)


def drop(tx: Transaction, stream: StreamKey, messages: Sequence[bytes]) -> None:
    """Delete the pieces of messages."""
    tenant = find_tenant(tx, stream.tenant)
    for message_id in messages:
        tx.run(_DROP, (tenant, stream.id, message_id))
