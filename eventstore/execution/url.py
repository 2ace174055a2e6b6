"""Running on SQLite connections of our own: one that writes, a pool that reads.

Used by both faces for ``sqlite:///…`` and ``sqlite+aiosqlite:///…``. The writing connection belongs to whoever
leads the :class:`~eventstore.execution.shared_writer.SharedWriter`; statements run on the driver's connection, because
SQLAlchemy's own ``execute`` costs 40 µs and a driver's 2. Reads see one snapshot each. In memory
(``sqlite://``) there is a single connection for everything, guarded by a lock: a second one would
see an empty database.
"""

from __future__ import annotations

import asyncio
import sqlite3
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext
from typing import Any, TypeVar

from sqlalchemy import URL, Connection, Engine, create_engine, event
from sqlalchemy.pool import QueuePool, StaticPool

from eventstore.errors import StoreClosed, StoreUnavailable
from eventstore.execution import forks
from eventstore.execution.database import Database
from eventstore.execution.owned import act_within, act_within_async
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
        perform: Callable[[Any, Sequence[Any]], list[Any]],
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
        self._forked = False
        self._open()
        forks.watch(self)

    def _open(self) -> None:
        self._single = threading.RLock() if self._in_memory else nullcontext()
        self._engine = self._made_engine()
        try:
            self._migrate()
            self._writing = self._engine.raw_connection()
        except Exception as error:
            self._engine.dispose()
            raise self._database.translated(error) from error
        self._driver: sqlite3.Connection = self._writing.driver_connection  # type: ignore[assignment]
        self._written = self._database.on_writer(self._driver)
        self._readers = ThreadPoolExecutor(self._settings.readers, "eventstore-reader")
        self._writer: SharedWriter[Any, Any] = SharedWriter(
            self._write_batch,
            queue_max=self._settings.queue_max,
            patience_seconds=self._settings.busy_timeout_seconds,
        )

    def _made_engine(self) -> Engine:
        pool: dict[str, Any] = {"poolclass": StaticPool}
        if not self._in_memory:
            size = self._settings.readers + 1
            pool = {"poolclass": QueuePool, "pool_size": size, "max_overflow": 64}
        engine = create_engine(
            self._url,
            hide_parameters=True,
            connect_args={"check_same_thread": False, **self._settings.connect_args},
            **pool,
        )
        event.listen(engine, "connect", lambda driver, _: self._database.prepare(driver))
        return engine

    def _migrate(self) -> None:
        with self._engine.connect() as connection:
            self._database.migrate(connection)

    # -- forking -------------------------------------------------------------------------------

    def after_fork(self) -> None:
        forks.keep_for_ever(self._engine, self._writing, self._driver, self._writer, self._readers)
        self._forked = True

    def _ready(self) -> None:
        if self._closed:
            raise StoreClosed
        if self._forked:
            if self._in_memory:
                raise StoreUnavailable(
                    "forked",
                    "an in-memory store cannot be shared with a forked child",
                    "Use a file.",
                )
            self._forked = False
            self._database.forget()
            self._open()

    # -- writing -------------------------------------------------------------------------------

    def write(self, request: Q) -> Any:  # noqa: ANN401
        """Perform a request in a transaction shared with whoever waits."""
        self._ready()
        return self._writer.submit(request)

    async def write_async(self, request: Q) -> Any:  # noqa: ANN401
        """Do the same for a task."""
        self._ready()
        return await self._writer.submit_async(request)

    def _write_batch(self, requests: Sequence[Any]) -> list[Any]:
        """Run one transaction on the writing connection."""
        driver = self._driver
        with self._single:
            tx = self._written
            try:
                driver.execute(self._database.begin_write)
                tx.begun()
                outcomes = self._perform(tx, requests)
                self._commit(driver)
            except BaseException as error:
                _roll_back(driver)
                tx.rolled_back()
                if isinstance(error, sqlite3.Error):
                    raise self._database.translated(error) from error
                raise
            self._database.committed(tx)
        return outcomes

    def _commit(self, driver: sqlite3.Connection) -> None:
        try:
            driver.execute("COMMIT")
        except sqlite3.Error as error:
            still_open = driver.in_transaction
            if still_open:
                _roll_back(driver)
            raise self._database.translated_commit(error, rolled_back=still_open) from error

    # -- reading -------------------------------------------------------------------------------

    def read(self, look: Callable[[Any], T]) -> T:
        """Run a function on one snapshot."""
        self._ready()
        with self._single:
            if self._in_memory:
                return self._look(self._driver, look)
            pooled = self._engine.raw_connection()
            try:
                return self._look(pooled.driver_connection, look)  # type: ignore[arg-type]
            finally:
                pooled.close()

    def _look(self, driver: sqlite3.Connection, look: Callable[[Any], T]) -> T:
        tx = self._database.on_driver(driver)
        try:
            driver.execute(self._database.begin_read)
            try:
                found = look(tx)
            finally:
                _roll_back(driver)
        except sqlite3.Error as error:
            raise self._database.translated(error) from error
        self._database.committed(tx)
        return found

    async def read_async(self, look: Callable[[Any], T]) -> T:
        """Do the same for a task, in a reader's thread."""
        self._ready()
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._readers, self.read, look)

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
        if self._closed:
            return
        self._closed = True
        if self._forked:
            return
        self._writer.close()
        self._readers.shutdown()
        self._writing.close()
        self._engine.dispose()

    async def close_async(self) -> None:
        """Do the same without blocking the event loop."""
        await asyncio.to_thread(self.close)


def _roll_back(driver: sqlite3.Connection) -> None:
    if driver.in_transaction:
        driver.execute("ROLLBACK")
