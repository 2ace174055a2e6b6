"""Run on an application's own async engine: ``OwnedAsyncEngine``."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, nullcontext
from functools import partial
from typing import TYPE_CHECKING, Any

from sqlalchemy import Connection
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.pool import StaticPool

from eventstore.errors import (
    InvalidInput,
    StoreBusy,
    StoreUnavailable,
)
from eventstore.execution.async_queue import AsyncQueue
from eventstore.execution.database import (
    Database,
    Left,
    Postponed,
    not_wiped,
)
from eventstore.execution.host_transaction import (
    run_in_host_transaction_async,
)
from eventstore.execution.new_connections import checking_new
from eventstore.execution.owned import Owned, Perform, Q, R, T, X
from eventstore.execution.owned_pools import only_one_of
from eventstore.execution.retrying import (
    finished,
    struck_while_committing,
    tried_again_async,
)
from eventstore.execution.settings import Settings
from eventstore.execution.signals import are_news
from eventstore.execution.under_way import UnderWay

if TYPE_CHECKING:
    from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

__all__ = ["OwnedAsyncEngine"]


class OwnedAsyncEngine(Owned[X, Q, R]):
    """Runs on the application's ``AsyncEngine``, within the event loop that opened it."""

    def __init__(
        self,
        engine: AsyncEngine,
        database: Database[Any, X],
        settings: Settings,
        perform: Perform[X, Q, R],
    ) -> None:
        super().__init__(engine, database, settings, perform)
        self._engine = engine
        self._loop = asyncio.get_running_loop()
        one = isinstance(engine.sync_engine.pool, StaticPool)
        self._single = asyncio.Lock() if one else nullcontext()
        self._under_way = UnderWay()
        self._queue = AsyncQueue(
            self._transact,
            queue_max=settings.queue_max,
            patience_seconds=settings.busy_timeout_seconds,
        )

    async def open(self) -> None:
        """Check the engine and migrate its tables."""
        with checking_new(self._engine.sync_engine, self._database):
            async with self._connected() as connection:
                await connection.run_sync(self._migrate_on)

    def _ready_here(self) -> None:
        self._ready()
        if asyncio.get_running_loop() is not self._loop:
            raise InvalidInput(
                "engine",
                "is used in another event loop than the one that opened the store",
                "Open a store in each loop, or open it from a URL.",
            )

    async def write_async(self, request: Q) -> R:
        """Perform a request in a transaction shared with other waiting tasks."""
        self._ready_here()
        outcome = await self._queue.submit(request)
        if isinstance(outcome, Postponed):
            alone = self._transact([request], patient=True)
            [outcome] = await finished(self._under_way.begin(alone))
            assert not isinstance(outcome, Postponed)  # noqa: S101 (it waited)
        return outcome

    async def _transact(
        self, requests: Sequence[Q], *, patient: bool = False
    ) -> list[R | Postponed]:
        outcomes: list[R | Postponed] = []

        async def attempt() -> None:
            async with self._connected() as connection:
                write = partial(self._write_on, patient=patient)
                outcomes[:] = await connection.run_sync(write, requests)

        try:
            async with self._single:
                await tried_again_async(self._database, attempt, alone=len(requests) == 1)
            if are_news(outcomes):
                self.changed.tell()
        except Exception as error:
            if outcomes:
                raise struck_while_committing() from error
            raise
        return outcomes

    async def read_async(
        self,
        look: Callable[[X], T],
        *,
        snapshot: bool = True,  # noqa: ARG002
        brief: bool = False,  # noqa: ARG002
    ) -> T:
        """Run a function on one snapshot; an engine begins a transaction in any case."""
        self._ready_here()
        return await self._to_the_end(partial(self._read_on, look=look))

    async def _to_the_end(self, work: Callable[[Connection], T]) -> T:
        """Finish the use of a lent connection, also if the caller is cancelled meanwhile.

        SQLAlchemy closes a connection whose task is cancelled inside a statement. In memory that
        deletes the whole database; elsewhere the next caller has to make another connection.
        """
        return await self._under_way.to_the_end(
            self._lent(), lambda connection: connection.run_sync(work)
        )

    @asynccontextmanager
    async def _lent(self) -> AsyncIterator[AsyncConnection]:
        async with self._single, self._connected() as connection:
            yield connection

    async def wipe_async(self) -> Sequence[Left]:
        """Wipe overwritten bytes from the files; return the places that still hold them."""
        self._ready_here()
        try:
            return await self._to_the_end(self._wipe_on)
        except (StoreUnavailable, StoreBusy) as error:
            return not_wiped(error)

    @asynccontextmanager
    async def _connected(self) -> AsyncIterator[AsyncConnection]:
        only = only_one_of(self._engine.sync_engine.pool)
        self._check_free(only)  # checked first, because returning it to the pool would roll back
        async with AsyncExitStack() as stack:
            try:
                connection = await stack.enter_async_context(self._engine.connect())
            except self._database.driver_errors as error:
                raise self._database.translated(error) from error
            except PoolTimeout as error:
                raise StoreBusy("every connection of the engine's pool is in use") from error
            yield connection

    async def in_host_transaction_async(
        self, connection: AsyncConnection, act: Callable[[X], T]
    ) -> T:
        """Run a function inside the application's open transaction."""
        self._ready_here()
        return await run_in_host_transaction_async(connection, self._database, act, self.changed)

    async def close_async(self, _: Q | None = None) -> None:
        """Finish waiting requests, and begin none; the engine stays the application's."""
        self._closed = True
        self.changed.close()
        if self._forked:  # waiting requests are the parent's
            return
        await self._queue.close()
        await self._under_way.ended()  # the engine may be disposed of afterwards
