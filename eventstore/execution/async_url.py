"""Run transactions on the store's own connections with an async driver: ``postgresql+asyncpg://…``.

An asyncpg connection belongs to the event loop that made it. So each loop that uses the store gets
its own engine, queue and writing connection at its first call. They run the sync code of
:class:`~eventstore.execution.connections.Connections` inside a greenlet: this needs no thread and
no second implementation of a transaction.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Final, Generic, TypeVar

from sqlalchemy import URL
from sqlalchemy.util import greenlet_spawn

from eventstore.errors import ConversationStoreError, StoreClosed, StoreUnavailable
from eventstore.execution import forks, inherited
from eventstore.execution.async_queue import AsyncQueue
from eventstore.execution.connections import Connections
from eventstore.execution.database import Database, Left, OpenTransaction, Postponed
from eventstore.execution.host_transaction import run_in_host_transaction_async
from eventstore.execution.new_connections import check_new
from eventstore.execution.retrying import (
    ALONE_MAX,
    finished,
    struck_while_committing,
    too_many_wait,
)
from eventstore.execution.settings import Settings
from eventstore.execution.signals import Signals, are_news
from eventstore.execution.under_way import UnderWay
from eventstore.execution.watching import listen

if TYPE_CHECKING:
    from sqlalchemy.ext.asyncio import AsyncConnection  # loads the ORM: see `connect`

__all__ = ["AsyncUrlExecutor"]

T = TypeVar("T")
X = TypeVar("X", bound=OpenTransaction)
Q = TypeVar("Q")
R = TypeVar("R")


class _InLoop(Generic[X, Q, R]):
    """The engine, queue and connections of one event loop."""

    def __init__(
        self,
        url: URL,
        database: Database[Any, X],
        settings: Settings,
        perform: Callable[[X, Sequence[Q], bool], list[R | Postponed]],
        changed: Signals,
    ) -> None:
        from sqlalchemy.ext.asyncio import create_async_engine  # noqa: PLC0415 (see `connect`)

        engine = create_async_engine(
            url,
            hide_parameters=True,
            pool_size=settings.readers + 1,
            max_overflow=ALONE_MAX,
            connect_args=dict(settings.connect_args),
        )
        check_new(engine.sync_engine, database)
        self._connections = Connections(
            engine.sync_engine, database, perform, pool_size=settings.readers + 1
        )
        self.database = database
        self._changed = changed
        self._listening: asyncio.Task[None] | None = None
        self._under_way = UnderWay()
        self._alone = asyncio.Semaphore(ALONE_MAX)
        self._reading = asyncio.Semaphore(settings.readers)
        self._patience_seconds = settings.busy_timeout_seconds
        self._queue = AsyncQueue(
            self._write_batch,
            queue_max=settings.queue_max,
            patience_seconds=settings.busy_timeout_seconds,
        )

    async def open(self) -> None:
        await greenlet_spawn(self._connections.open)

    async def _write_batch(self, requests: Sequence[Q]) -> list[R | Postponed]:
        outcomes = None
        try:
            outcomes = await greenlet_spawn(self._connections.write, requests)
            if are_news(outcomes):
                self._changed.tell()
        except Exception as error:
            if outcomes is not None:
                raise struck_while_committing() from error
            raise
        return outcomes

    async def write(self, request: Q) -> R:
        outcome = await self._queue.submit(request)
        if isinstance(outcome, Postponed):
            return await finished(self._under_way.begin(self._write_alone(request)))
        return outcome

    async def _write_alone(self, request: Q) -> R:
        try:
            async with asyncio.timeout(self._patience_seconds):
                await self._alone.acquire()
        except TimeoutError:
            raise too_many_wait() from None
        try:
            outcome = await greenlet_spawn(self._connections.write_alone, request)
        finally:
            self._alone.release()
        if are_news([outcome]):
            self._changed.tell()
        return outcome

    async def read(self, look: Callable[[X], T], *, snapshot: bool) -> T:
        """Finish the read even if the caller is cancelled, so that its connection stays usable."""

        def reading(_: None) -> Awaitable[T]:
            return greenlet_spawn(self._connections.read, look, snapshot=snapshot)

        return await self._under_way.to_the_end(self._reading, reading)

    def listen(self) -> None:
        """Start to listen for commits of other processes."""
        if self._listening is None:
            work = listen(self._connections.engine, self.database, self._changed)
            self._listening = asyncio.create_task(work)

    async def close(self) -> None:
        try:
            if self._listening is not None:
                self._listening.cancel()
                await asyncio.wait([self._listening])
            await self._queue.close()
            await self._under_way.ended()
        finally:
            await greenlet_spawn(self._connections.close)


class AsyncUrlExecutor(Generic[X, Q, R]):
    """Keeps the async executor protocol, in each event loop that calls it."""

    reads_ahead: Final = True
    """The next page can arrive while a task handles this one: no thread waits for it."""

    def __init__(
        self,
        url: URL,
        database: Callable[[], Database[Any, X]],
        settings: Settings,
        perform: Callable[[X, Sequence[Q], bool], list[R | Postponed]],
    ) -> None:
        """Create the executor; open nothing yet. ``database`` is called for each event loop."""
        self._url = url
        self._database = database
        self._settings = settings
        self._perform = perform
        self._closed = False
        self._foreign: frozenset[asyncio.AbstractEventLoop] = frozenset()
        """Loops of the parent, if this is a forked child: it shares their selectors."""
        self._loops: dict[asyncio.AbstractEventLoop, _InLoop[X, Q, R]] = {}
        self._guards: dict[asyncio.AbstractEventLoop, AsyncGenerator[None, None]] = {}
        self._opening: dict[asyncio.AbstractEventLoop, asyncio.Lock] = {}
        self._closing: dict[asyncio.AbstractEventLoop, asyncio.Future[None]] = {}
        self.changed: Signals = Signals(self._listen)
        """Signals every commit; followers of the log wait on it."""
        forks.watch(self)

    async def open(self) -> None:
        """Open for the running event loop, and bring the tables up to date."""
        await self._here()

    def before_fork(self, until: float) -> None:
        """Do nothing: the connections stay the parent's."""

    def after_fork_in_parent(self) -> None:
        """Do nothing: the fork changed nothing in the parent."""

    def after_fork(self) -> None:
        if self._loops:
            inherited.keep(self._loops, self._guards, self._closing)
            self._foreign |= self._loops.keys()
        self._loops, self._guards, self._opening, self._closing = {}, {}, {}, {}

    async def _here(self) -> _InLoop[X, Q, R]:
        self._check_open()
        loop = asyncio.get_running_loop()
        if loop in self._foreign:
            raise StoreUnavailable(
                "forked",
                "this event loop was created before this process was forked",
                "Use a new event loop in the child: asyncio.run() makes one.",
            )
        known = self._loops.get(loop)
        if known is not None:
            return known
        async with self._opening.setdefault(loop, asyncio.Lock()):
            if loop not in self._loops:
                made = _InLoop(
                    self._url, self._database(), self._settings, self._perform, self.changed
                )
                await made.open()
                self._guards[loop] = self._until_it_ends(loop, made)
                await anext(self._guards[loop])
        try:
            self._check_open()
        except StoreClosed:  # closed meanwhile by another loop, which may not know this one
            await self._close_in(loop)
            raise
        return self._loops[loop]

    def _check_open(self) -> None:
        if self._closed:
            raise StoreClosed

    async def _until_it_ends(
        self, loop: asyncio.AbstractEventLoop, made: _InLoop[X, Q, R]
    ) -> AsyncGenerator[None, None]:
        """Keep the resources of a loop until the generator is closed.

        A loop closes its remaining asynchronous generators when it ends (``asyncio.run`` does).
        That is the last moment at which its connections can be closed. A store may be left open by
        the loop that opened it and be used in the next one.
        """
        self._loops[loop] = made
        try:
            yield
        finally:
            if self._loops.pop(loop, None) is made:  # false in a forked child
                del self._opening[loop]
                self._guards.pop(loop, None)
                await made.close()

    async def write_async(self, request: Q) -> R:
        """Perform a request in a transaction shared with the waiting tasks of this loop."""
        return await (await self._here()).write(request)

    async def read_async(
        self,
        look: Callable[[X], T],
        *,
        snapshot: bool = True,
        brief: bool = False,  # noqa: ARG002
    ) -> T:
        """Run a function on one snapshot, or on one snapshot for each statement."""
        return await (await self._here()).read(look, snapshot=snapshot)

    async def wipe_async(self) -> Sequence[Left]:
        """Return the places that still hold overwritten bytes: no connection can wipe them."""
        return (await self._here()).database.wipe(lambda _: None)

    async def in_host_transaction_async(
        self, connection: AsyncConnection, act: Callable[[X], T]
    ) -> T:
        """Run a function inside the application's open transaction."""
        here = await self._here()
        return await run_in_host_transaction_async(connection, here.database, act, self.changed)

    def _listen(self) -> None:
        here = self._loops.get(asyncio.get_running_loop())
        if here is not None:
            here.listen()

    async def close_async(self, last: Q | None = None) -> None:
        """Finish waiting requests and close the connections in every running loop. Idempotent.

        ``last`` is performed before, unless the database refuses it. A loop that is not running
        closes its own connections when it ends.
        """
        here = asyncio.get_running_loop()
        if last is not None and not self._closed and here in self._loops:
            with suppress(ConversationStoreError):
                await self._loops[here].write(last)
        self._closed = True
        self.changed.close()
        running = [loop for loop in list(self._guards) if loop is not here and loop.is_running()]
        elsewhere = [begun for loop in running if (begun := self._begun_in(loop)) is not None]
        await self._close_in(here)
        if elsewhere:  # a loop that is busy, or just ending, is not awaited for ever
            seconds = self._settings.busy_timeout_seconds
            closed, _ = await asyncio.wait(elsewhere, timeout=seconds)
            for one in closed:
                if not one.cancelled():
                    one.result()

    def _begun_in(self, loop: asyncio.AbstractEventLoop) -> asyncio.Future[None] | None:
        """Begin to close another loop's resources; return None if the loop has ended."""
        work = self._close_in(loop)
        try:
            return asyncio.wrap_future(asyncio.run_coroutine_threadsafe(work, loop))
        except RuntimeError:
            work.close()
            return None

    async def _close_in(self, loop: asyncio.AbstractEventLoop) -> None:
        """Close the resources of a loop in that loop; a cancelled caller may call again."""
        guard = self._guards.pop(loop, None)
        if guard is not None:
            self._closing[loop] = asyncio.ensure_future(guard.aclose())
            self._closing[loop].add_done_callback(lambda _: self._closing.pop(loop, None))
        if loop in self._closing:
            await asyncio.shield(self._closing[loop])
