"""A key management service for tests: a master key that counts calls and can be out of reach."""

from __future__ import annotations

from typing import Final

from eventstore.encryption.master_keys import LocalMasterKey

__all__ = ["FakeKms"]


class FakeKms:
    """Stands in for a master key in a service; give it to ``Encryption``.

    Args:
        name: tells it from another one.
    """

    def __init__(self, name: str = "chat") -> None:
        self._key: Final = LocalMasterKey(name.encode().ljust(32, b"\0")[:32])
        self.id: Final = f"kms:{name}"
        """Its id."""
        self.calls: Final[list[str]] = []
        """The calls so far: ``"wrap"`` or ``"unwrap"``."""
        self.out_of_reach = False
        """Set it, and every call raises ``ConnectionError``."""

    def wrap(self, key: bytes, context: bytes, /) -> bytes:
        """Encrypt a data key.

        Args:
            key: the data key.
            context: bound in.
        """
        self._called("wrap")
        return self._key.wrap(key, context)

    def unwrap(self, wrapped: bytes, context: bytes, /) -> bytes:
        """Decrypt a data key.

        Args:
            wrapped: what :meth:`wrap` returned.
            context: that of the call that wrapped it.
        """
        self._called("unwrap")
        return self._key.unwrap(wrapped, context)

    def _called(self, name: str) -> None:
        self.calls.append(name)
        if self.out_of_reach:
            raise ConnectionError(name)
