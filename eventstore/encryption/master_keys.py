"""Master keys: they wrap data keys, and never see content.

A key management service is used through the protocol :class:`MasterKey`: its ``wrap`` and
``unwrap`` are the service's calls to encrypt and decrypt, with ``context`` as the additional data.
"""

from __future__ import annotations

import base64
import binascii
import os
from hashlib import sha256
from pathlib import Path
from typing import Final, Protocol, Self

from eventstore.encryption.data_keys import KEY_BYTES
from eventstore.errors import InvalidInput

__all__ = ["LocalMasterKey", "MasterKey", "aes_gcm", "new_master_key"]

_NONCE_BYTES: Final = 12
_REMEDY: Final = "Give the text that 'eventstore keys generate' prints: 32 bytes in Base64."


class MasterKey(Protocol):
    """Wraps and unwraps data keys: a key at hand, or one in a key management service."""

    @property
    def id(self) -> str:
        """Name that tells it from other master keys; it is stored with every key it wrapped."""

    def wrap(self, key: bytes, context: bytes, /) -> bytes:
        """Encrypt a data key of 32 bytes; ``context`` is bound in, and is no secret."""

    def unwrap(self, wrapped: bytes, context: bytes, /) -> bytes:
        """Return the data key. It raises whatever it likes if it cannot."""


class Aead(Protocol):
    """Encrypts bytes and covers others with the same tag: an ``AESGCM`` of cryptography."""

    def encrypt(self, nonce: bytes, data: bytes, associated_data: bytes, /) -> bytes:
        """Return the encrypted bytes and their tag."""

    def decrypt(self, nonce: bytes, data: bytes, associated_data: bytes, /) -> bytes:
        """Return the decrypted bytes. It raises ``InvalidTag`` if a byte was changed."""


def aes_gcm(key: bytes) -> Aead:
    """Return AES-256-GCM with a key.

    Raises:
        InvalidInput: ``cryptography`` is not installed.
    """
    try:
        from cryptography.hazmat.primitives.ciphers.aead import AESGCM  # noqa: PLC0415 (an extra)
    except ImportError:
        raise InvalidInput(
            "encryption",
            "needs cryptography, which is not installed",
            "Install it: pip install 'conversation-eventstore[encryption]'.",
        ) from None
    return AESGCM(key)


class LocalMasterKey:
    """A master key of 32 bytes at hand: from the environment or from a file."""

    def __init__(self, key: bytes | str) -> None:
        """``key`` is 32 bytes, or their Base64.

        Raises:
            InvalidInput: it is neither.
        """
        raw = _decoded(key) if isinstance(key, str) else key
        if len(raw) != KEY_BYTES:
            raise InvalidInput("master_key", "is not 32 bytes", _REMEDY)
        self._aes = aes_gcm(raw)
        self._id = f"local:{sha256(b'eventstore/master/1' + raw).hexdigest()[:16]}"

    @classmethod
    def from_environment(cls, name: str = "EVENTSTORE_MASTER_KEY") -> Self:
        """Return the key whose Base64 is in an environment variable.

        Raises:
            InvalidInput: the variable is not set, or holds no key.
        """
        text = os.environ.get(name, "")
        if not text.strip():
            raise InvalidInput("master_key", f"the variable {name} is not set", _REMEDY)
        return cls(text)

    @classmethod
    def from_file(cls, path: str | os.PathLike[str]) -> Self:
        """Return the key whose Base64, or whose 32 bytes, are in a file.

        Raises:
            InvalidInput: the file cannot be read, or holds no key.
        """
        try:
            raw = Path(path).read_bytes()
        except OSError as error:
            problem = f"the file cannot be read ({type(error).__name__})"
            raise InvalidInput("master_key", problem, _REMEDY) from None
        if len(raw) == KEY_BYTES:
            return cls(raw)
        try:
            return cls(raw.decode("ascii"))
        except UnicodeDecodeError:
            raise InvalidInput("master_key", "is not 32 bytes", _REMEDY) from None

    @property
    def id(self) -> str:
        return self._id

    def wrap(self, key: bytes, context: bytes, /) -> bytes:
        nonce = os.urandom(_NONCE_BYTES)
        return bytes(nonce + self._aes.encrypt(nonce, key, context))

    def unwrap(self, wrapped: bytes, context: bytes, /) -> bytes:
        nonce, sealed = wrapped[:_NONCE_BYTES], wrapped[_NONCE_BYTES:]
        return bytes(self._aes.decrypt(nonce, sealed, context))

    def __repr__(self) -> str:
        return f"LocalMasterKey({self._id})"


def new_master_key() -> str:
    """Return a new master key, as text for a file or an environment variable."""
    return base64.b64encode(os.urandom(KEY_BYTES)).decode()


def _decoded(text: str) -> bytes:
    try:
        return base64.b64decode(text.strip(), validate=True)
    except (binascii.Error, ValueError):
        raise InvalidInput("master_key", "is not Base64", _REMEDY) from None
