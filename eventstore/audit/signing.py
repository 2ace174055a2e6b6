"""Keys that sign tree heads: Ed25519, through ``cryptography``, an optional extra.

Only signing needs the extra. Signatures are verified without it (``evidence_verifier.py``).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final, NamedTuple, Protocol, TypeAlias

from eventstore.audit import evidence_verifier as v
from eventstore.errors import InvalidInput

__all__ = ["PrivateKey", "Signer", "SigningKey", "new_private_key", "signer_of"]

_EXTRA: Final = "Install it: pip install 'conversation-eventstore[signing]'."
_REMEDY: Final = (
    "Give an Ed25519PrivateKey of cryptography, or the PEM text that 'eventstore audit keygen'"
    " writes."
)


class PublicKey(Protocol):
    """A public key, as an ``Ed25519PublicKey`` is one."""

    def public_bytes_raw(self) -> bytes:
        """Return its 32 bytes."""


class SigningKey(Protocol):
    """A key that signs as an ``Ed25519PrivateKey`` does; it may be in a device or a service."""

    def sign(self, data: bytes, /) -> bytes:
        """Return the Ed25519 signature of some bytes."""

    def public_key(self) -> PublicKey:
        """Return the public key."""


PrivateKey: TypeAlias = SigningKey | str | bytes
"""A key that signs, or the PEM text of one."""


class Signer(NamedTuple):
    """A key that signs."""

    public_key: bytes
    sign: Callable[[bytes], bytes]

    @property
    def key_id(self) -> str:
        """The short name of the public key."""
        return v.key_id(self.public_key)


def signer_of(given: PrivateKey, field: str = "private_key") -> Signer:
    """Return the signer of a private key, after one trial.

    Raises:
        InvalidInput: it is none, or ``cryptography`` is not installed.
    """
    key = given
    if isinstance(given, (str, bytes)):
        _, serialization = _cryptography(field)
        try:
            raw = given.encode() if isinstance(given, str) else given
            key = serialization.load_pem_private_key(raw, None)
        except Exception:  # noqa: BLE001 (the library raises many kinds, with parts of the text)
            raise InvalidInput(field, "is no private key in PEM", _REMEDY) from None
    try:
        public_key = key.public_key().public_bytes_raw()  # type: ignore[union-attr]
        holds = v.signature_holds(public_key, b"", key.sign(b""))  # type: ignore[union-attr]
    except (AttributeError, TypeError):
        raise InvalidInput(field, "is no Ed25519 private key", _REMEDY) from None
    if not holds:
        raise InvalidInput(field, "does not sign as Ed25519 does", _REMEDY)
    return Signer(public_key, key.sign)  # type: ignore[union-attr]


def new_private_key() -> str:
    """Return a new private key, as PEM text.

    Raises:
        InvalidInput: ``cryptography`` is not installed.
    """
    ed25519, serialization = _cryptography("private_key")
    pem: bytes = ed25519.Ed25519PrivateKey.generate().private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    return pem.decode()


def _cryptography(field: str) -> tuple[Any, Any]:
    try:
        from cryptography.hazmat.primitives import serialization  # noqa: PLC0415 (an extra)
        from cryptography.hazmat.primitives.asymmetric import ed25519  # noqa: PLC0415
    except ImportError:
        raise InvalidInput(field, "signing needs the package cryptography", _EXTRA) from None
    return ed25519, serialization
