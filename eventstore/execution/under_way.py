"""Track the connection work of one event loop's tasks, so that closing can wait for it.

Nothing closes a connection that is made, or returned, after its engine was closed. So a task that
waits for a connection counts from the moment at which it begins to wait.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from typing import Any, Final, TypeVar

__all__ = ["UnderWay"]

T = TypeVar("T")
C = TypeVar("C")


class UnderWay:
    """Finishes all work that begins here before :meth:`ended` returns."""

    def __init__(self) -> None:
        self._begun: Final[set[asyncio.Future[Any]]] = set()

    def begin(self, work: Awaitable[T]) -> asyncio.Future[T]:
        """Begin work that must not stop halfway."""
        begun = asyncio.ensure_future(work)
        self._begun.add(begun)
        begun.add_done_callback(self._one_ended)
        return begun

    async def to_the_end(
        self, lending: AbstractAsyncContextManager[C], work: Callable[[C], Awaitable[T]]
    ) -> T:
        """Use a lent resource, and finish the use even if the caller is cancelled meanwhile.

        A caller that is cancelled while it waits for the resource stops waiting.
        """
        lent: list[C] = []

        async def whole() -> T:
            async with lending as one:
                lent.append(one)
                return await work(one)

        begun = self.begin(whole())
        try:
            return await asyncio.shield(begun)
        except asyncio.CancelledError:
            if not lent:
                begun.cancel()
            raise

    def _one_ended(self, begun: asyncio.Future[Any]) -> None:
        self._begun.discard(begun)
        if not begun.cancelled():
            begun.exception()  # marks the exception as retrieved, if the caller was cancelled

    async def ended(self) -> None:
        """Wait for all work that has begun, and for the work that this lets begin."""
        while self._begun:
            await asyncio.wait(self._begun)
