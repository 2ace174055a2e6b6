"""The hash chain: each event's hash covers envelope, data, content and the hash before it.

Content is covered only through a salted commitment, so erasing it leaves the chain whole. Erasing
removes the salt as well, so nobody can test guesses of the text against the commitment. Each field
is length-prefixed behind a format tag, so no two events share an encoding. The layout is frozen:
``docs/format.md`` describes it for readers in other languages.
"""

from __future__ import annotations

import struct
from functools import lru_cache
from hashlib import sha256
from typing import Final

__all__ = ["GENESIS", "SALT_BYTES", "commitment", "event_hash", "stream_prefix"]

GENESIS: Final = b""
"""The "hash before" of a stream's first event."""
SALT_BYTES: Final = 32

_EVENT_TAG: Final = b"eventstore/event/1"
_CONTENT_TAG: Final = b"eventstore/content/1"
_FIXED: Final = struct.Struct(">IqI16sIqII")
_LENGTH: Final = struct.Struct(">I")


def _field(raw: bytes) -> bytes:
    return _LENGTH.pack(len(raw)) + raw


@lru_cache(maxsize=256)
def _named(event_type: str) -> bytes:
    return _field(event_type.encode())


def commitment(salt: bytes, stored_content: bytes) -> bytes:
    """Return the 32-byte commitment to one event's content."""
    lengths = _LENGTH.pack(len(salt)), _LENGTH.pack(len(stored_content))
    return sha256(b"".join((_CONTENT_TAG, lengths[0], salt, lengths[1], stored_content))).digest()


def stream_prefix(tenant: str, stream_id: str) -> bytes:
    """Return the part of the hashed bytes that every event of one stream shares."""
    return _field(_EVENT_TAG) + _field(tenant.encode()) + _field(stream_id.encode())


def event_hash(
    prefix: bytes,
    previous: bytes,
    *,
    version: int,
    event_id: bytes,
    event_type: str,
    schema_version: int,
    recorded_at_us: int,
    metadata: bytes | None,
    data: bytes,
    content_commitment: bytes | None,
) -> bytes:
    """Return the 32-byte hash of one event; absent metadata and commitment count as empty."""
    meta = metadata or b""
    promise = content_commitment or b""
    return sha256(
        b"".join(
            (
                prefix,
                _LENGTH.pack(len(previous)),
                previous,
                _FIXED.pack(8, version, 16, event_id, 8, recorded_at_us, 4, schema_version),
                _named(event_type),
                _LENGTH.pack(len(meta)),
                meta,
                _LENGTH.pack(len(data)),
                data,
                _LENGTH.pack(len(promise)),
                promise,
            )
        )
    ).digest()
