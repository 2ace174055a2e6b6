"""A connection that opens again when it was lost, for ``writing`` and ``reading``."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import AbstractContextManager, ExitStack
from typing import Final, Generic, TypeVar

from eventstore.testing.schedules.protocol import LostConnection

__all__ = ["Lasting"]

T = TypeVar("T")

_PATIENCE_SECONDS: Final = 30.0
_RETRY_SECONDS: Final = 0.05


class Lasting(Generic[T]):
    """A reader or a writer that opens when it is needed, and again after it was lost."""

    def __init__(self, make: Callable[[], AbstractContextManager[T]]) -> None:
        self._make = make
        self._opened = ExitStack()
        self._now: T | None = None

    def get(self) -> T:
        """Open it if it is not open; try again while the server may be starting."""
        deadline = time.monotonic() + _PATIENCE_SECONDS
        while self._now is None:
            try:
                self._now = self._opened.enter_context(self._make())
            except LostConnection:
                if time.monotonic() > deadline:
                    raise
                time.sleep(_RETRY_SECONDS)  # a server sends no signal when it has started
        return self._now

    def close(self) -> None:
        self._now = None
        self._opened.close()
