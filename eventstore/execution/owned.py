"""Running on engines and connections that the application owns.

Everything goes through SQLAlchemy's ``Connection`` here, so any driver works; correctness is promised, speed is
not. An async engine's connections are reached with ``run_sync``, with waiting writers batched under one
lock per store. Connections are checked for safe settings, since pragmas are not stored in the file.

On a connection that is handed in as ``connection=``, ours is a savepoint of the application's transaction:
it commits or rolls back with it, and is never queued.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from sqlalchemy import Connection, Engine
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from eventstore.errors import InvalidInput, StoreClosed, StoreUnavailable
from eventstore.execution import forks
from eventstore.execution.database import Database
from eventstore.execution.settings import Settings
from eventstore.execution.shared_writer import SharedWriter

__all__ = ["OwnedAsyncEngine", "OwnedEngine", "act_within", "act_within_async"]

T = TypeVar("T")
_Perform = Callable[[Any, Sequence[Any]], list[Any]]


class _Owned:
    """What running on an owned engine has in common, sync or async."""

    def __init__(self, database: Database, settings: Settings, perform: _Perform) -> None:
        self._database = database
        self._settings = settings
        self._perform = perform
        self._closed = False
        self._forked = False
        forks.watch(self)

    def after_fork(self) -> None:
        self._forked = True

    def _ready(self) -> None:
        if self._closed:
            raise StoreClosed
        if self._forked:
            raise StoreUnavailable(
                "forked",
                "the store stands on an engine that was made before this process was forked",
                "Make the engine and open the store in the child.",
            )

    def _write_on(self, connection: Connection, requests: Sequence[Any]) -> list[Any]:
        """Run one transaction on a connection, from BEGIN to COMMIT."""
        tx = self._database.on_connection(connection)
        try:
            self._database.check(connection)
            connection.rollback()
            connection.exec_driver_sql(self._database.begin_write)
            outcomes = self._perform(tx, requests)
        except BaseException as error:
            connection.rollback()
            if isinstance(error, DBAPIError):
                raise self._database.translated(error) from error
            raise
        try:
            connection.commit()
        except DBAPIError as error:
            still_open = bool(getattr(_driver(connection), "in_transaction", False))
            connection.rollback()
            raise self._database.translated_commit(error, rolled_back=still_open) from error
        self._database.committed(tx)
        return outcomes

    def _read_on(self, connection: Connection, look: Callable[[Any], T]) -> T:
        tx = self._database.on_connection(connection)
        try:
            connection.exec_driver_sql(self._database.begin_read)
            found = look(tx)
        except DBAPIError as error:
            raise self._database.translated(error) from error
        finally:
            connection.rollback()
        self._database.committed(tx)
        return found

    def _migrate_on(self, connection: Connection) -> None:
        try:
            self._database.check(connection)
            connection.rollback()
            self._database.migrate(connection)
        except DBAPIError as error:
            raise self._database.translated(error) from error


class OwnedEngine(_Owned):
    """On the application's ``Engine``."""

    def __init__(
        self, engine: Engine, database: Database, settings: Settings, perform: _Perform
    ) -> None:
        super().__init__(database, settings, perform)
        self._engine = engine
        with engine.connect() as connection:
            self._migrate_on(connection)
        self._writer: SharedWriter[Any, Any] = SharedWriter(
            self._write_batch,
            queue_max=settings.queue_max,
            patience_seconds=settings.busy_timeout_seconds,
        )

    def _write_batch(self, requests: Sequence[Any]) -> list[Any]:
        with self._engine.connect() as connection:
            return self._write_on(connection, requests)

    def write(self, request: Any) -> Any:  # noqa: ANN401
        """Perform a request in a transaction shared with whoever waits."""
        self._ready()
        return self._writer.submit(request)

    def read(self, look: Callable[[Any], T]) -> T:
        """Run a function on one snapshot."""
        self._ready()
        with self._engine.connect() as connection:
            return self._read_on(connection, look)

    def within(self, connection: Connection, act: Callable[[Any], T]) -> T:
        """Run a function inside a transaction that the application has open."""
        self._ready()
        return act_within(connection, self._database, act)

    def close(self) -> None:
        """Finish what waits; the engine stays the application's."""
        if not self._closed:
            self._closed = True
            self._writer.close()


class OwnedAsyncEngine(_Owned):
    """On the application's ``AsyncEngine``, within the event loop that opened it."""

    def __init__(
        self, engine: AsyncEngine, database: Database, settings: Settings, perform: _Perform
    ) -> None:
        super().__init__(database, settings, perform)
        self._engine = engine
        self._queue: list[tuple[Any, asyncio.Future[Any]]] = []
        self._turn = asyncio.Lock()
        self._tasks: set[asyncio.Task[None]] = set()

    async def open(self) -> None:
        """Check the engine and bring its tables up to date."""
        async with self._engine.connect() as connection:
            await connection.run_sync(self._migrate_on)

    async def write_async(self, request: Any) -> Any:  # noqa: ANN401
        """Perform a request in a transaction shared with the tasks that wait."""
        self._ready()
        future: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        entry = (request, future)
        self._queue.append(entry)
        task = asyncio.create_task(self._serve())
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        try:
            return await asyncio.shield(future)
        except asyncio.CancelledError:
            if entry in self._queue:
                self._queue.remove(entry)
            elif not future.done():
                await _settled(future)
            raise

    async def _serve(self) -> None:
        """Write everything that waits, unless another task already did."""
        async with self._turn:
            batch, self._queue = self._queue, []
            if batch:
                await self._write_all(batch)

    async def _write_all(self, batch: Sequence[tuple[Any, asyncio.Future[Any]]]) -> None:
        requests = [request for request, _ in batch]
        try:
            async with self._engine.connect() as connection:
                outcomes = await connection.run_sync(self._write_on, requests)
        except Exception as error:  # noqa: BLE001 (it belongs to the callers)
            for _, future in batch:
                if not future.done():
                    future.set_exception(error)
            return
        for (_, future), outcome in zip(batch, outcomes, strict=True):
            if not future.done():
                future.set_result(outcome)

    async def read_async(self, look: Callable[[Any], T]) -> T:
        """Run a function on one snapshot."""
        self._ready()
        async with self._engine.connect() as connection:
            return await connection.run_sync(self._read_on, look)

    async def within_async(self, connection: AsyncConnection, act: Callable[[Any], T]) -> T:
        """Run a function inside a transaction that the application has open."""
        self._ready()
        return await act_within_async(connection, self._database, act)

    async def close_async(self) -> None:
        """Finish what waits; the engine stays the application's."""
        self._closed = True
        while self._tasks:
            await asyncio.wait(set(self._tasks))


async def _settled(future: asyncio.Future[Any]) -> None:
    while not future.done():
        try:
            await asyncio.wait([future])
        except asyncio.CancelledError:
            continue
    future.exception()


def act_within(connection: Connection, database: Database, act: Callable[[Any], T]) -> T:
    """Run a function in a savepoint of the application's transaction.

    What it interned is not remembered: the application may still roll back.

    Raises:
        InvalidInput: ``connection`` is of another kind.
        StoreBusy: another connection wrote since the transaction began.
    """
    if not isinstance(connection, Connection):
        raise InvalidInput(
            "connection",
            f"expected a SQLAlchemy Connection, got {type(connection).__name__}",
            "Give the Connection of your own open transaction; AsyncConnection for the async store.",
        )
    try:
        if not getattr(_driver(connection), "in_transaction", True):
            connection.exec_driver_sql(database.begin_write)
        with connection.begin_nested():
            return act(database.on_connection(connection, remembers=False))
    except DBAPIError as error:
        raise database.translated(error, on_own_connection=True) from error


async def act_within_async(
    connection: AsyncConnection, database: Database, act: Callable[[Any], T]
) -> T:
    """Do the same on an ``AsyncConnection``."""
    if not isinstance(connection, AsyncConnection):
        raise InvalidInput(
            "connection",
            f"expected a SQLAlchemy AsyncConnection, got {type(connection).__name__}",
            "Give the AsyncConnection of your own open transaction.",
        )
    return await connection.run_sync(act_within, database, act)


def _driver(connection: Connection) -> Any:  # noqa: ANN401 (each driver has its own)
    return connection.connection.dbapi_connection
