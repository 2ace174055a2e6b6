"""Encodes events as MessagePack, and transforms content before it is stored.

Stored bytes are canonical: the store hashes the bytes that it stores, and nothing re-encodes them.
MessagePack rather than JSON because ids are 16 raw bytes; ``docs/format.md`` shows how to read it
without this library.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from contextvars import Token
from typing import Any, Final, Protocol

import msgspec

from eventstore.core.events import StreamKey
from eventstore.errors import ConversationStoreError, KeyUnavailable

__all__ = [
    "COVERED",
    "KEY_ID_BYTES",
    "PLAIN",
    "SEALED",
    "SUBJECT",
    "WITHOUT_KEYS",
    "WORDS",
    "ContentCodec",
    "KeysWanted",
    "PlainCodec",
    "SqlTransaction",
    "WordCodec",
    "decode_any",
    "encode",
    "encode_canonical",
    "key_of",
    "owner_of",
    "words_of",
]

_encoder: Final = msgspec.msgpack.Encoder()
_canonical: Final = msgspec.msgpack.Encoder(order="deterministic")
_decoder: Final = msgspec.msgpack.Decoder()

encode: Final[Callable[[Any], bytes]] = _encoder.encode
"""MessagePack bytes of a struct or JSON value, keys in the order given."""

encode_canonical: Final[Callable[[Any], bytes]] = _canonical.encode
"""The same with sorted keys: equal values give equal bytes. For digests."""


def decode_any(raw: bytes) -> Any:  # noqa: ANN401 (untyped by nature)
    """Decode MessagePack into plain Python values."""
    return _decoder.decode(raw)


SEALED: Final = 0xC1
"""First byte of sealed content. No MessagePack begins with it, and no text in UTF-8."""
KEY_ID_BYTES: Final = 16
"""Length of a key's id, which stands behind the first two bytes of sealed content."""
COVERED: Final = "\x02sealed:"
"""Beginning of a word that a table holds sealed or as an HMAC."""


def key_of(raw: bytes) -> bytes | None:
    """Return the id of the key that sealed content; None if it is not sealed."""
    return raw[2 : 2 + KEY_ID_BYTES] if raw[:1] == bytes([SEALED]) else None


SUBJECT: Final = "#subject"
WORDS: Final = "#words"
"""Kinds of owners of keys that are no streams; no category has such a name."""


def owner_of(stream: StreamKey, subject: bytes | None) -> StreamKey:
    """Return whose key seals content: its subject's, or the stream's own."""
    return stream if subject is None else StreamKey(stream.tenant, SUBJECT, subject)


def words_of(tenant: str) -> StreamKey:
    """Return the owner of the key that hides the words in a tenant's tables."""
    return StreamKey(tenant, WORDS, bytes(16))


class KeysWanted(ConversationStoreError):
    """Keys to fetch before a write can be performed; it never reaches a caller.

    Nothing is fetched while a transaction holds the write lock. The write is refused with this
    error, the keys are fetched outside, and the write is tried again.
    """

    def __init__(self, owners: Iterable[StreamKey] = (), key_ids: Iterable[bytes] = ()) -> None:
        super().__init__("keys are fetched before the write is tried again.")
        self.owners: Final = frozenset(owners)
        """Owners whose newest key is needed for sealing."""
        self.key_ids: Final = frozenset(key_ids)
        """Keys that are needed for reading."""


class SqlTransaction(Protocol):
    """A transaction of a database that holds keys, as far as a codec uses it."""

    def all(self, sql: str, parameters: Sequence[Any] = ()) -> list[Any]:
        """Return every row."""

    def run(self, sql: str, parameters: Sequence[Any] = ()) -> int:
        """Execute one statement; return how many rows it changed."""


class WordCodec(Protocol):
    """Hides the words in tables that are searched by equality. ``tx`` finds keys, if it must."""

    def token(self, tx: SqlTransaction, tenant: str, word: str) -> str:
        """Return the text that stands for a word: equal for equal words."""

    def cover(self, tx: SqlTransaction, tenant: str, place: bytes, word: str) -> str:
        """Return the text that stands for a word at a place, and can be read back."""

    def uncover(self, tx: SqlTransaction, tenant: str, place: bytes, covered: str) -> str:
        """Return the word that was covered, or the text itself if it was not."""

    def blind(self, tx: SqlTransaction, tenant: str, raw: bytes) -> bytes:
        """Return bytes that stand for others, against which nobody without a key can guess."""


class ContentCodec(Protocol):
    """Seals content between encoding and hashing, and opens it after reading."""

    seals: bool
    """False if content is stored as it is."""
    as_is: bool
    """True if :meth:`seal` returns what it is given; False if it seals, or refuses."""
    words: WordCodec

    def seal(
        self, content: bytes, stream: StreamKey, subject: bytes | None, place: bytes, version: int
    ) -> bytes:
        """Return the bytes to store; the commitment is made over these.

        ``place`` and ``version`` say where they will stand, and are bound in.

        Raises:
            KeysWanted: the key is not in hand.
        """

    def retired(self, owner: StreamKey, generation: int) -> None:
        """Note that the owner's keys up to a generation must seal nothing any more."""

    def lock(self) -> Token[bool] | None:
        """Note that this thread, or task, holds the write lock, under which nothing is fetched.

        Returns what :meth:`unlock` takes.
        """

    def unlock(self, mark: Token[bool] | None) -> None:
        """Note that it does not hold it any more."""

    def close(self) -> None:
        """Forget the keys: the store is closed."""

    def unseal(
        self,
        tx: SqlTransaction,
        sealed: Sequence[tuple[bytes, bytes, int]],
        told: Callable[[int], tuple[str, int]],
    ) -> list[bytes | None]:
        """Return the content of sealed bytes, each with its place and version; None if erased.

        ``told`` names the stream and version of the n-th one, for errors.
        """


class _PlainWords:
    """Leaves words as they are."""

    def token(self, _: SqlTransaction, __: str, word: str) -> str:
        return word

    def cover(self, _: SqlTransaction, __: str, ___: bytes, word: str) -> str:
        return word

    def uncover(self, _: SqlTransaction, __: str, ___: bytes, covered: str) -> str:
        if covered.startswith(COVERED):
            raise KeyUnavailable("a label", WITHOUT_KEYS)
        return covered

    def blind(self, _: SqlTransaction, __: str, raw: bytes) -> bytes:
        return raw


WITHOUT_KEYS: Final = "it is sealed, and the store was opened without encryption="


class PlainCodec:
    """Stores content as it is."""

    seals = False
    as_is = True
    words: WordCodec = _PlainWords()

    def refuse(self) -> None:
        """Write no content from now on: the database holds sealed content, and there is no key."""
        self.as_is = False
        self.seal = self._refused  # type: ignore[method-assign]

    def _refused(
        self,
        content: bytes,  # noqa: ARG002
        stream: StreamKey,
        subject: bytes | None,  # noqa: ARG002
        place: bytes,  # noqa: ARG002
        version: int,  # noqa: ARG002
    ) -> bytes:
        raise KeyUnavailable(
            stream.text,
            "this database seals its content, and the store was opened without encryption=",
        )

    def seal(
        self,
        content: bytes,
        stream: StreamKey,  # noqa: ARG002
        subject: bytes | None,  # noqa: ARG002
        place: bytes,  # noqa: ARG002
        version: int,  # noqa: ARG002
    ) -> bytes:
        return content

    def retired(self, owner: StreamKey, generation: int) -> None:
        """Do nothing: there is no key."""

    def lock(self) -> None:
        """Do nothing: nothing is ever fetched."""

    def unlock(self, mark: Token[bool] | None) -> None:
        """Do nothing."""

    def close(self) -> None:
        """Do nothing."""

    def unseal(
        self,
        tx: SqlTransaction,  # noqa: ARG002
        sealed: Sequence[tuple[bytes, bytes, int]],  # noqa: ARG002
        told: Callable[[int], tuple[str, int]],
    ) -> list[bytes | None]:
        stream, version = told(0)
        raise KeyUnavailable(f"the content of {stream} at version {version}", WITHOUT_KEYS)


PLAIN: Final[ContentCodec] = PlainCodec()
