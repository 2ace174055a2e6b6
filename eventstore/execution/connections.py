"""Connections of our own: one that is held to write, a pool that reads; transactions on either.

Statements run on the driver's connection, because SQLAlchemy's own ``execute`` costs 40 µs and a
driver's 2. The writing connection is held, because giving it back to the pool costs a trip to the
server. Everything here is plain sync code: it runs in threads for sync drivers, and inside a
greenlet for async ones, where a statement hands its await to the event loop.

A connection that was lost while idle (the server was restarted) is made again before anything is
said on it; a read is simply done again. A write is tried again only where the database says that
another transaction won a race, and nothing was written.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import Any, Final, TypeVar

from sqlalchemy import Engine
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.pool import PoolProxiedConnection

from eventstore.errors import StoreBusy, StoreUnavailable
from eventstore.execution.database import Database, Left, not_wiped
from eventstore.execution.retrying import tried_again

__all__ = ["Connections"]

T = TypeVar("T")


class Connections:
    """What an engine of ours is used for. One writes at a time, many may read."""

    def __init__(
        self,
        engine: Engine,
        database: Database,
        perform: Callable[[Any, Sequence[Any], bool], list[Any]],
        *,
        pool_size: int,
        single: bool = False,
    ) -> None:
        """``single``: everything happens on one connection, which cannot be replaced."""
        self._pool_size: Final = pool_size
        self.engine: Final = engine
        self._database: Final = database
        self._perform = perform
        self._single: Final = single
        self._writing: PoolProxiedConnection | None = None
        self._driver: Any = None
        self._written: Any = None

    def open(self) -> None:
        """Bring the tables up to date and make the connection that writes."""
        try:
            with self.engine.connect() as connection:
                self._database.migrate(connection)
            self._connect()
        except BaseException as error:
            self.engine.dispose()
            if isinstance(error, self._database.driver_errors):
                raise self._database.translated(error) from error
            raise

    def close(self) -> None:
        """Close every connection; the next transaction makes new ones."""
        if self._writing is not None:
            self._writing.close()
        self._writing = self._driver = None
        self.engine.dispose()

    def held(self) -> tuple[object, ...]:
        """Return what a forked child must never let its garbage collector close."""
        return (self.engine, self._writing, self._driver)

    def _connect(self) -> Any:  # noqa: ANN401 (a driver's connection)
        """Hold a connection to write: the first of the pool that is not lost."""
        for again in range(self._pool_size, -1, -1):
            self._writing = self.engine.raw_connection()
            self._driver = self._writing.driver_connection
            try:
                self._written = self._database.on_writer(self._driver)
            except BaseException:
                lost = self._database.is_lost(self._driver)
                self._drop_writing()
                if not (lost and again):
                    raise
            else:
                break
        return self._driver

    # -- writing -------------------------------------------------------------------------------

    def write(self, requests: Sequence[Any]) -> list[Any]:
        """Run one transaction on the connection that writes."""
        return tried_again(
            self._database, lambda: self._write_held(requests), alone=len(requests) == 1
        )

    def _write_held(self, requests: Sequence[Any]) -> list[Any]:
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

    def write_alone(self, request: Any) -> Any:  # noqa: ANN401
        """Run one request's transaction on a connection of its own, and wait for what it needs."""
        [outcome] = tried_again(self._database, lambda: self._write_pooled(request), alone=True)
        return outcome

    def _write_pooled(self, request: Any) -> list[Any]:  # noqa: ANN401
        with self._pooled_to_write() as pooled:
            driver: Any = pooled.driver_connection
            tx = self._database.on_driver(driver)
            try:
                outcomes = self._perform(tx, [request], True)  # noqa: FBT003
                self._commit(driver)
            except BaseException as error:
                with suppress(*self._database.driver_errors):  # then it does not go back
                    self._roll_back(driver)
                if isinstance(error, self._database.driver_errors):
                    raise self._database.translated(error) from error
                raise
            self._database.committed(tx)
            return outcomes

    @contextmanager
    def _pooled_to_write(self) -> Iterator[PoolProxiedConnection]:
        """Lend a connection of the pool with a transaction open: the first that is not lost."""
        for again in range(self._pool_size, -1, -1):
            with self._pooled() as pooled:
                driver: Any = pooled.driver_connection
                try:
                    self._database.say(driver, self._database.begin_write)
                except self._database.driver_errors as error:
                    if again and self._database.is_lost(driver):
                        continue
                    raise self._database.translated(error) from error
                yield pooled
                return

    def _begun(self) -> Any:  # noqa: ANN401
        """Return the writing connection with a transaction open, made anew if it was lost."""
        driver: Any = self._driver or self._connect()
        try:
            self._roll_back(driver)  # what an interrupted or failed rollback left open
            self._database.say(driver, self._database.begin_write)
        except self._database.driver_errors:
            if not self._database.is_lost(driver):
                raise
            self._drop_writing()
            driver = self._connect()
            self._database.say(driver, self._database.begin_write)
        return driver

    def _commit(self, driver: Any) -> None:  # noqa: ANN401
        try:
            kept = self._database.commit(driver)
        except self._database.driver_errors as error:
            open_still = self._database.in_transaction(driver)
            raise self._database.translated_commit(error, rolled_back=open_still) from error
        if not kept:
            raise StoreUnavailable(
                "driver",
                "an error of the database was passed over inside the transaction, which the"
                " database therefore rolled back",
                "Let the error out; nothing was written.",
            )

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
        if self._writing is not None and not self._single:
            self._writing.invalidate()
            self._writing = self._driver = None

    def _roll_back(self, driver: Any) -> None:  # noqa: ANN401
        if self._database.in_transaction(driver):
            self._database.say(driver, "ROLLBACK")

    # -- reading -------------------------------------------------------------------------------

    def read(self, look: Callable[[Any], T], *, snapshot: bool = True) -> T:
        """Run a function on one snapshot; or on one a statement."""
        if self._single:
            return self._look(self._driver, look, snapshot=snapshot)
        for _ in range(self._pool_size):  # all that were idle in the pool may be lost
            with self._pooled() as pooled:
                driver = pooled.driver_connection
                try:
                    return self._look(driver, look, snapshot=snapshot)
                except StoreUnavailable:
                    if not self._database.is_lost(driver):
                        raise
        with self._pooled() as pooled:
            return self._look(pooled.driver_connection, look, snapshot=snapshot)

    @contextmanager
    def _pooled(self) -> Iterator[PoolProxiedConnection]:
        """Lend a connection of the pool; one that was lost meanwhile does not go back."""
        try:
            pooled = self.engine.raw_connection()
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

    def wipe(self) -> Sequence[Left]:
        """Leave nothing of what was overwritten in the files; return what is left."""
        try:
            if self._single:
                return self._wiped(self._driver)
            with self._pooled() as pooled:
                return self._wiped(pooled.driver_connection)
        except (StoreUnavailable, StoreBusy) as error:
            return not_wiped(error)

    def _wiped(self, driver: Any) -> Sequence[Left]:  # noqa: ANN401
        try:
            self._roll_back(driver)  # what an interrupted or failed rollback left open
            return self._database.wipe(lambda sql: driver.execute(sql).fetchone())
        except self._database.driver_errors as error:
            raise self._database.translated(error) from error

    def _look(self, driver: Any, look: Callable[[Any], T], *, snapshot: bool) -> T:  # noqa: ANN401
        tx = self._database.on_driver(driver)
        try:
            self._roll_back(driver)  # what an interrupted or failed rollback left open
            if snapshot:
                self._database.say(driver, self._database.begin_read)
            try:
                found = look(tx)
            finally:
                self._roll_back(driver)
        except self._database.driver_errors as error:
            raise self._database.translated(error) from error
        self._database.committed(tx)
        return found
