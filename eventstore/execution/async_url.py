"""Running on connections of our own, with an async driver: ``postgresql+asyncpg://…``.

An asyncpg connection belongs to the event loop that made it, so each loop that uses the store gets
an engine of its own, made at its first call. Otherwise this is the way of an application's
``AsyncEngine``: one task a loop performs what waits, in shared transactions.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from sqlalchemy import URL
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

from eventstore.errors import StoreClosed
from eventstore.execution.database import Database
from eventstore.execution.owned import OwnedAsyncEngine
from eventstore.execution.settings import Settings

__all__ = ["AsyncUrlExecutor"]

T = TypeVar("T")


class AsyncUrlExecutor:
    """Owns an engine in each event loop; keeps the async executor protocol."""

    def __init__(
        self,
        url: URL,
        database: Callable[[], Database],
        settings: Settings,
        perform: Callable[[Any, Sequence[Any], bool], list[Any]],
    ) -> None:
        """``database`` is called for each event loop; nothing is opened yet."""
        self._url = url
        self._database = database
        self._settings = settings
        self._perform = perform
        self._closed = False
        self._loops: dict[asyncio.AbstractEventLoop, tuple[AsyncEngine, OwnedAsyncEngine]] = {}
        self._opening: dict[asyncio.AbstractEventLoop, asyncio.Lock] = {}

    async def open(self) -> None:
        """Open for the running event loop, and bring the tables up to date."""
        await self._here()

    async def _here(self) -> OwnedAsyncEngine:
        loop = asyncio.get_running_loop()
        known = self._loops.get(loop)
        if known is not None:
            return known[1]
        async with self._opening.setdefault(loop, asyncio.Lock()):
            if self._closed:
                raise StoreClosed
            if loop not in self._loops:
                self._loops[loop] = await self._opened()
                self._forget_closed_loops()
        return self._loops[loop][1]

    async def _opened(self) -> tuple[AsyncEngine, OwnedAsyncEngine]:
        engine = create_async_engine(
            self._url,
            hide_parameters=True,
            pool_size=self._settings.readers + 1,
            max_overflow=64,
            connect_args=dict(self._settings.connect_args),
        )
        executor = OwnedAsyncEngine(engine, self._database(), self._settings, self._perform)
        try:
            await executor.open()
        except BaseException:
            await engine.dispose()
            raise
        return engine, executor

    def _forget_closed_loops(self) -> None:
        """Let go of loops that ended with the store open; their connections ended with them."""
        for loop in [loop for loop in self._loops if loop.is_closed()]:
            del self._loops[loop], self._opening[loop]

    async def write_async(self, request: Any) -> Any:  # noqa: ANN401
        """Perform a request in a transaction shared with the tasks of this loop that wait."""
        return await (await self._here()).write_async(request)

    async def read_async(self, look: Callable[[Any], T]) -> T:
        """Run a function on one snapshot."""
        return await (await self._here()).read_async(look)

    async def within_async(self, connection: Any, act: Callable[[Any], T]) -> T:  # noqa: ANN401
        """Run a function inside a transaction that the application has open."""
        return await (await self._here()).within_async(connection, act)

    async def close_async(self) -> None:
        """Finish what waits in this loop and close its connections. Idempotent."""
        self._closed = True
        engine, executor = self._loops.pop(asyncio.get_running_loop(), (None, None))
        if engine is not None and executor is not None:
            await executor.close_async()
            await engine.dispose()
