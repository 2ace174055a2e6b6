"""Encodes events as MessagePack, and transforms content before it is stored.

Stored bytes are canonical: the store hashes the bytes that it stores, and nothing re-encodes them.
MessagePack rather than JSON because ids are 16 raw bytes; ``docs/format.md`` shows how to read it
without this library.
"""

from __future__ import annotations

from typing import Any, Final, Protocol

import msgspec

__all__ = ["PLAIN", "ContentCodec", "decode_any", "encode", "encode_canonical"]

_encoder: Final = msgspec.msgpack.Encoder()
_canonical: Final = msgspec.msgpack.Encoder(order="deterministic")
_decoder: Final = msgspec.msgpack.Decoder()

encode = _encoder.encode
"""MessagePack bytes of a struct or JSON value, keys in the order given."""

encode_canonical = _canonical.encode
"""The same with sorted keys: equal values give equal bytes. For digests."""


def decode_any(raw: bytes) -> Any:  # noqa: ANN401 (untyped by nature)
    """Decode MessagePack into plain Python values."""
    return _decoder.decode(raw)


class ContentCodec(Protocol):
    """Transforms content between encoding and hashing, for example by encrypting it."""

    def seal(self, content: bytes, subject: bytes | None) -> bytes:
        """Return the bytes to store; the commitment is made over these."""

    def unseal(self, stored: bytes, subject: bytes | None) -> bytes:
        """Return the bytes that were passed to :meth:`seal`."""


class _Plain:
    """Stores content as it is."""

    def seal(self, content: bytes, subject: bytes | None) -> bytes:  # noqa: ARG002
        return content

    def unseal(self, stored: bytes, subject: bytes | None) -> bytes:  # noqa: ARG002
        return stored


PLAIN: Final[ContentCodec] = _Plain()
