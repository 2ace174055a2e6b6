"""Signed tree heads: a few lines that cover the whole log, small enough to print or to mail.

A head kept elsewhere shows what no database can show of itself: that an older copy was put in its
place, that ends of streams were cut off, or that hashes were computed anew.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import datetime
from typing import Final, Literal

from eventstore.audit import evidence_verifier as v
from eventstore.core.events import instant
from eventstore.core.quoting import quoted
from eventstore.core.values import Value
from eventstore.errors import InvalidInput

__all__ = ["TreeHead"]

_REMEDY: Final = "Give a tree head as 'eventstore audit sign' prints it, as a TreeHead or as JSON."


class TreeHead(Value):
    """A signed head of the tree over the log (RFC 9162)."""

    format: Literal["eventstore/tree-head/1"] = "eventstore/tree-head/1"
    """The format, which says how it was signed."""
    store_id: str
    """The store: 32 hex digits, the same in every backup of it."""
    size: int
    """The number of leaves."""
    root: str
    """The hash over the leaves, 64 hex digits."""
    issued_at_us: int
    """Time of signing, in microseconds since 1970 (UTC)."""
    key_id: str
    """The short name of the public key: the first 16 hex digits of its SHA-256."""
    signature: str
    """Ed25519 over all of this, 128 hex digits."""

    @property
    def issued_at(self) -> datetime:
        """Time of signing."""
        return instant(self.issued_at_us)

    def as_json(self) -> str:
        """Return the text to keep elsewhere."""
        return json.dumps(self.model_dump(), indent=1, sort_keys=True) + "\n"

    @classmethod
    def parse(cls, given: object, field: str = "tree_head") -> TreeHead:
        """Return a head from what :meth:`as_json` made of it.

        Raises:
            InvalidInput: it is none.
        """
        if isinstance(given, cls):
            return given
        try:
            found = json.loads(given) if isinstance(given, (str, bytes)) else given
            if isinstance(found, Mapping):
                return cls(**found)
        except (ValueError, TypeError):
            pass
        raise InvalidInput(field, "is no tree head", _REMEDY)

    def check(self, public_key: bytes, field: str = "tree_head") -> None:
        """Check the signature.

        Raises:
            InvalidInput: it does not hold.
        """
        try:
            v.check_head(self.model_dump(), public_key)
        except v.Rejected as error:
            remedy = "Give the public key of whoever signed it, and the head as it was kept."
            raise InvalidInput(field, str(error), remedy) from None


def public_key_of(given: object, field: str = "public_key") -> bytes:
    """Return the 32 bytes of a public key, given as such or as 64 hex digits.

    Raises:
        InvalidInput: it is none.
    """
    remedy = "Give 32 bytes, or 64 hex digits as 'eventstore audit keygen' prints them."
    if isinstance(given, str):
        try:
            given = bytes.fromhex(given.strip())
        except ValueError:
            raise InvalidInput(field, f"{quoted(given)} is no public key", remedy) from None
    if not isinstance(given, bytes) or len(given) != 32:  # noqa: PLR2004
        raise InvalidInput(field, "is no Ed25519 public key", remedy)
    return given
