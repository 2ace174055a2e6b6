"""Running on connections of our own, with a sync driver: one that writes, a pool that reads.

Used by both faces for ``sqlite:///…``, ``sqlite+aiosqlite:///…`` and ``postgresql+psycopg://…``.
The writing connection belongs to whoever leads the
:class:`~eventstore.execution.shared_writer.SharedWriter`; statements run on the driver's
connection, because SQLAlchemy's own ``execute`` costs 40 µs and a driver's 2. Reads see one
snapshot each. In memory (``sqlite://``) there is a single connection for everything, guarded by a
lock: a second one would see an empty database.

A connection that was lost while idle (the server was restarted) is made again before anything is
said on it; a read is simply done again. A write is tried again only where the database says that
another transaction won a race, and nothing was written.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Awaitable, Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, nullcontext
from typing import Any, TypeVar

from sqlalchemy import URL, Connection, Engine, create_engine, event
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.pool import PoolProxiedConnection, QueuePool, StaticPool

from eventstore.errors import StoreBusy, StoreClosed, StoreUnavailable
from eventstore.execution import forks
from eventstore.execution.database import POSTPONED, Database
from eventstore.execution.owned import act_within, act_within_async
from eventstore.execution.retrying import finished, tried_again
from eventstore.execution.settings import Settings
from eventstore.execution.shared_writer import SharedWriter

__all__ = ["UrlExecutor"]

T = TypeVar("T")
Q = TypeVar("Q")


class UrlExecutor:
    """Owns the engine behind a URL; keeps both executor protocols, sync and async."""

    def __init__(
        self,
        url: URL,
        database: Database,
        settings: Settings,
        perform: Callable[[Any, Sequence[Any], bool], list[Any]],
        *,
        in_memory: bool,
    ) -> None:
        """Open the database and bring its tables up to date."""
        self._url = url
        self._database = database
        self._settings = settings
        self._perform = perform
        self._in_memory = in_memory
        self._closed = False
        self._closing = threading.Lock()
        self._forked = False
        self._left_idle = True
        """Nobody was inside a transaction when the process forked."""
        with forks.no_fork():
            self._open()
            forks.watch(self)

    def _open(self) -> None:
        self._single = threading.RLock() if self._in_memory else nullcontext()
        self._passage = forks.Passage()
        self._engine = self._made_engine()
        try:
            self._migrate()
            self._connect()
        except Exception as error:
            self._engine.dispose()
            if isinstance(error, self._database.driver_errors):
                raise self._database.translated(error) from error
            raise
        self._readers = ThreadPoolExecutor(self._settings.readers, "eventstore-reader")
        self._writer: SharedWriter[Any, Any] = SharedWriter(
            self._write_batch,
            queue_max=self._settings.queue_max,
            patience_seconds=self._settings.busy_timeout_seconds,
        )

    def _connect(self) -> Any:  # noqa: ANN401 (a driver's connection)
        """Make the connection that writes."""
        self._writing: PoolProxiedConnection | None = self._engine.raw_connection()
        self._driver: Any = self._writing.driver_connection
        self._written = self._database.on_writer(self._driver)
        return self._driver

    def _disconnect(self) -> None:
        """Close every connection."""
        if self._writing is not None:
            self._writing.close()
        self._writing = self._driver = None
        self._engine.dispose()

    def _made_engine(self) -> Engine:
        pool: dict[str, Any] = {"poolclass": StaticPool}
        if not self._in_memory:
            size = self._settings.readers + 1
            pool = {"poolclass": QueuePool, "pool_size": size, "max_overflow": 64}
        engine = create_engine(
            self._url,
            hide_parameters=True,
            connect_args=dict(self._settings.connect_args),
            **pool,
        )
        event.listen(engine, "connect", lambda driver, _: self._database.prepare(driver))
        return engine

    def _migrate(self) -> None:
        with self._engine.connect() as connection:
            self._database.migrate(connection)

    # -- forking -------------------------------------------------------------------------------

    def before_fork(self) -> None:
        if self._closed or self._forked or self._in_memory:
            return
        self._left_idle = self._passage.shut(self._settings.busy_timeout_seconds)
        if self._left_idle:
            self._disconnect()

    def after_fork_in_parent(self) -> None:
        self._passage.reopen()

    def after_fork(self) -> None:
        forks.keep_for_ever(self._engine, self._writing, self._driver, self._writer, self._readers)
        self._closing = threading.Lock()
        self._forked = True

    def _ready(self) -> None:
        if self._closed:
            raise StoreClosed
        if self._forked:
            self._open_in_child()

    def _open_in_child(self) -> None:
        if self._in_memory:
            raise StoreUnavailable(
                "forked",
                "an in-memory store cannot be shared with a forked child",
                "Use a file.",
            )
        if not self._left_idle:
            raise StoreUnavailable(
                "forked",
                "a transaction was open in the parent when this process was forked",
                "Fork while the store is idle, or open it in the child.",
            )
        with forks.no_fork():
            if self._forked:  # no other thread did it meanwhile
                self._database.forget()
                self._open()
                self._forked = False

    # -- writing -------------------------------------------------------------------------------

    def write(self, request: Q) -> Any:  # noqa: ANN401
        """Perform a request in a transaction shared with whoever waits."""
        self._ready()
        outcome = self._writer.submit(request)
        return self._write_alone(request) if outcome is POSTPONED else outcome

    def write_async(self, request: Q) -> Awaitable[Any]:
        """Do the same for a task."""
        self._ready()
        written = self._writer.submit_async(request)
        return self._patiently(request, written) if self._database.postpones else written

    async def _patiently(self, request: Q, written: Awaitable[Any]) -> Any:  # noqa: ANN401
        outcome = await written
        if outcome is POSTPONED:
            loop = asyncio.get_running_loop()
            return await finished(loop.run_in_executor(None, self._write_alone, request))
        return outcome

    def _write_batch(self, requests: Sequence[Any]) -> list[Any]:
        """Run one transaction on the writing connection."""
        with self._passage, self._single:
            return tried_again(self._database, lambda: self._write_once(requests))

    def _write_once(self, requests: Sequence[Any]) -> list[Any]:
        tx = None
        try:
            driver = self._begun()
            tx = self._written
            tx.begun()
            outcomes = self._perform(tx, requests, False)  # noqa: FBT003 (a callable)
            self._commit(driver)
        except BaseException as error:
            self._abandon(tx)
            if isinstance(error, self._database.driver_errors):
                raise self._database.translated(error) from error
            raise
        self._database.committed(tx)
        return outcomes

    def _write_alone(self, request: Any) -> Any:  # noqa: ANN401
        """Run one request's transaction on a connection of its own, and wait for what it needs."""
        with self._passage, self._single:
            [outcome] = tried_again(self._database, lambda: self._write_pooled(request))
        return outcome

    def _write_pooled(self, request: Any) -> list[Any]:  # noqa: ANN401
        with self._pooled() as pooled:
            driver: Any = pooled.driver_connection
            tx = self._database.on_driver(driver)
            try:
                driver.execute(self._database.begin_write)
                outcomes = self._perform(tx, [request], True)  # noqa: FBT003
                self._commit(driver)
            except BaseException as error:
                self._roll_back(driver)
                if isinstance(error, self._database.driver_errors):
                    raise self._database.translated(error) from error
                raise
            self._database.committed(tx)
            return outcomes

    def _begun(self) -> Any:  # noqa: ANN401
        """Return the writing connection with a transaction open, made anew if it was lost."""
        driver: Any = self._driver or self._connect()
        try:
            self._roll_back(driver)  # what an interrupted or failed rollback left open
            driver.execute(self._database.begin_write)
        except self._database.driver_errors:
            if not self._database.is_lost(driver):
                raise
            self._drop_writing()
            driver = self._connect()
            driver.execute(self._database.begin_write)
        return driver

    def _commit(self, driver: Any) -> None:  # noqa: ANN401
        try:
            driver.execute("COMMIT")
        except self._database.driver_errors as error:
            open_still = self._database.in_transaction(driver)
            raise self._database.translated_commit(error, rolled_back=open_still) from error

    def _abandon(self, tx: Any) -> None:  # noqa: ANN401
        """Leave nothing of a transaction; a connection that cannot roll back is closed instead."""
        if tx is not None:
            tx.rolled_back()
        driver = self._driver
        if driver is None:
            return
        try:
            self._roll_back(driver)
        except self._database.driver_errors:
            self._drop_writing()
        else:
            if self._database.is_lost(driver):
                self._drop_writing()

    def _drop_writing(self) -> None:
        if self._writing is not None and not self._in_memory:
            self._writing.invalidate()
            self._writing = self._driver = None

    def _roll_back(self, driver: Any) -> None:  # noqa: ANN401
        if self._database.in_transaction(driver):
            driver.execute("ROLLBACK")

    # -- reading -------------------------------------------------------------------------------

    def read(self, look: Callable[[Any], T]) -> T:
        """Run a function on one snapshot."""
        self._ready()
        return self._read(look)

    def _read(self, look: Callable[[Any], T]) -> T:
        with self._passage, self._single:
            if self._in_memory:
                return self._look(self._driver, look)
            with self._pooled() as pooled:
                driver = pooled.driver_connection
                try:
                    return self._look(driver, look)
                except StoreUnavailable:
                    if not self._database.is_lost(driver):
                        raise
            self._engine.dispose()  # the others in the pool were lost with it
            with self._pooled() as pooled:
                return self._look(pooled.driver_connection, look)

    @contextmanager
    def _pooled(self) -> Iterator[PoolProxiedConnection]:
        """Lend a connection of the pool; one that was lost meanwhile does not go back."""
        try:
            pooled = self._engine.raw_connection()
        except PoolTimeout as error:
            raise StoreBusy("every connection that reads is in use") from error
        except self._database.driver_errors as error:
            raise self._database.translated(error) from error
        try:
            yield pooled
        finally:
            if self._database.is_lost(pooled.driver_connection):
                pooled.invalidate()
            pooled.close()

    def _look(self, driver: Any, look: Callable[[Any], T]) -> T:  # noqa: ANN401
        tx = self._database.on_driver(driver)
        try:
            self._roll_back(driver)  # what an interrupted or failed rollback left open
            driver.execute(self._database.begin_read)
            try:
                found = look(tx)
            finally:
                self._roll_back(driver)
        except self._database.driver_errors as error:
            raise self._database.translated(error) from error
        self._database.committed(tx)
        return found

    async def read_async(self, look: Callable[[Any], T]) -> T:
        """Do the same for a task, in a reader's thread."""
        self._ready()
        loop = asyncio.get_running_loop()
        try:
            found = loop.run_in_executor(self._readers, self._read, look)
        except RuntimeError:  # shut down since we looked
            raise StoreClosed from None
        return await found

    # -- on the application's own connection -----------------------------------------------------

    def within(self, connection: Connection, act: Callable[[Any], T]) -> T:
        """Run a function inside a transaction that the application has open."""
        self._ready()
        return act_within(connection, self._database, act)

    async def within_async(self, connection: Any, act: Callable[[Any], T]) -> T:  # noqa: ANN401
        """Do the same on an ``AsyncConnection``."""
        self._ready()
        return await act_within_async(connection, self._database, act)

    # -- closing -------------------------------------------------------------------------------

    def close(self) -> None:
        """Finish what waits, then close every connection. Idempotent."""
        with self._closing:
            if self._closed:
                return
            self._closed = True
            if self._forked:
                return
            self._writer.close()
            self._readers.shutdown()
            self._passage.close()
            self._disconnect()

    async def close_async(self) -> None:
        """Do the same without blocking the event loop."""
        await asyncio.to_thread(self.close)
