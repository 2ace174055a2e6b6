"""What the tasks of one event loop have begun on connections, so that closing can wait for it.

A connection that is made, or given back, after its engine was closed is nobody's: nothing closes it
any more. So whoever waits for a connection counts from the moment at which it began to wait.
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
    """Work that is begun here is finished before :meth:`ended` returns."""

    def __init__(self) -> None:
        self._begun: Final[set[asyncio.Future[Any]]] = set()

    def begin(self, work: Awaitable[T]) -> asyncio.Future[T]:
        """Begin what is not to be left in between."""
        begun = asyncio.ensure_future(work)
        self._begun.add(begun)
        begun.add_done_callback(self._one_ended)
        return begun

    async def to_the_end(
        self, lending: AbstractAsyncContextManager[C], work: Callable[[C], Awaitable[T]]
    ) -> T:
        """Do something with what is lent, and finish it also if the caller is cancelled meanwhile.

        Whoever is cancelled while it waits for what is to be lent does not wait on.
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
            begun.exception()  # heard, if the caller was cancelled

    async def ended(self) -> None:
        """Wait for what was begun, and for what that lets begin."""
        while self._begun:
            await asyncio.wait(self._begun)
