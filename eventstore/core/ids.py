"""Ids: ``<prefix>_<32 hex>`` outside, 16 bytes inside.

Every id is a UUIDv7 (RFC 9562, section 5.7, with the sub-millisecond fraction of method 3 in
``rand_a``), so ids made by one process sort by time. Text ids cost 400 bytes a message more than
packed ones, so tables and event data hold the 16 bytes; the column or field implies the prefix.
Time and randomness are arguments.
"""

from __future__ import annotations

import hashlib
import re
from functools import cache
from typing import Final

from eventstore.core.quoting import quoted
from eventstore.errors import InvalidInput

THREAD: Final = "thread"
ASSISTANT: Final = "asst"
MESSAGE: Final = "msg"
RUN: Final = "run"
STEP: Final = "step"
CALL: Final = "call"
EVENT: Final = "evt"
STORE: Final = "store"
SUBJECT: Final = "subject"

_STREAM = re.compile(r"([a-z][a-z0-9]{0,31})_([0-9a-f]{32})\Z")

RANDOM_BYTES: Final = 8
"""Number of random bytes that :func:`uuid7` takes."""
CHANCE: Final = (1 << 62) - 1
"""The bits of a UUIDv7 that are random."""
_LAYOUT: Final = 7 << 76 | 2 << 62
"""Version and variant of a UUIDv7."""


def uuid7(now_us: int, random: bytes) -> bytes:
    """Return a UUIDv7 for ``now_us`` (microseconds since 1970, UTC) and 8 random bytes."""
    return (timed(now_us) | int.from_bytes(random, "big") & CHANCE).to_bytes(16, "big")


def timed(now_us: int) -> int:
    """Return the bits of a UUIDv7 that are not :data:`CHANCE`."""
    milliseconds = now_us // 1000
    fraction = (now_us - milliseconds * 1000) * 4096 // 1000
    return milliseconds << 80 | _LAYOUT | fraction << 64


def derived(*parts: str) -> bytes:
    """Return an id that depends on ``parts`` alone (UUIDv8 layout over SHA-256, RFC 9562)."""
    hasher = hashlib.sha256(b"eventstore.derived-id")
    for part in parts:
        raw = part.encode()
        hasher.update(len(raw).to_bytes(4, "big") + raw)
    digest = bytearray(hasher.digest()[:16])
    digest[6] = 0x80 | (digest[6] & 0x0F)
    digest[8] = 0x80 | (digest[8] & 0x3F)
    return bytes(digest)


def show(prefix: str, key: bytes) -> str:
    """Return the text of a packed id."""
    return f"{prefix}_{key.hex()}"


def show_or_none(prefix: str, key: bytes | None) -> str | None:
    """Return the text of a packed id, or None."""
    return None if key is None else f"{prefix}_{key.hex()}"


def parse(prefix: str, text: object, field: str) -> bytes:
    """Return the 16 bytes behind ``<prefix>_<32 hex>``.

    Raises:
        InvalidInput: naming ``field``, when ``text`` is anything else.
    """
    match = _pattern(prefix).match(text) if isinstance(text, str) else None
    if match is not None:
        return bytes.fromhex(match[1])
    raise InvalidInput(
        field,
        f"{quoted(text)} is not an id of this kind",
        f"Ids look like {prefix}_<32 lowercase hex digits>; put other names into external_id.",
    )


@cache
def _pattern(prefix: str) -> re.Pattern[str]:
    return re.compile(rf"{prefix}_([0-9a-f]{{32}})\Z")


def parse_stream(text: object, field: str = "stream_id") -> tuple[str, bytes]:
    """Return category and 16 bytes of ``<category>_<32 hex>``.

    Raises:
        InvalidInput: naming ``field``.
    """
    match = _STREAM.match(text) if isinstance(text, str) else None
    if match is None:
        raise InvalidInput(
            field,
            f"{quoted(text)} is not a stream id",
            "Stream ids look like <category>_<32 lowercase hex digits>: invoice_0190….",
        )
    return match[1], bytes.fromhex(match[2])
