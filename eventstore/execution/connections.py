"""Run transactions on the store's own connections: one held to write, and a pool to read.

Statements run on the driver's connection, because SQLAlchemy's own ``execute`` costs 40 µs and a
driver's 2. The writing connection is held, because returning it to the pool costs a round trip to
the server. Everything here is plain sync code: it runs in threads for sync drivers, and inside a
greenlet for async ones, where a statement hands its await to the event loop.

A connection that was lost while idle (the server was restarted) is replaced before it executes
anything; a read is simply repeated. A write is retried only where the database reports that another
transaction won a race and nothing was written.

An interrupt (``KeyboardInterrupt``, ``SystemExit``) may strike anywhere, also during the handling
of an earlier one, and possibly in the middle of a driver's statement. So correctness does not
depend on cleanup. The writing connection is marked as struck before a transaction begins and until
its end is known; the next transaction closes a connection that is still marked. Where possible it
is closed at once, so that it holds no lock meanwhile.
"""

from __future__ import annotations

import weakref
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import Any, Final, Generic, NamedTuple, TypeVar, cast

from sqlalchemy import Engine, event
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.pool import ConnectionPoolEntry, PoolProxiedConnection

from eventstore.errors import StoreBusy, StoreUnavailable
from eventstore.execution import inherited
from eventstore.execution.database import (
    Database,
    Left,
    OpenTransaction,
    Postponed,
    not_wiped,
)
from eventstore.execution.retrying import (
    Tries,
    says_what_became_of_it,
    struck_while_committing,
    tried_again,
)

__all__ = ["Connections"]

T = TypeVar("T")
X = TypeVar("X", bound=OpenTransaction)
Q = TypeVar("Q")
R = TypeVar("R")


class _NotKept(Exception):
    """The database refused COMMIT or did not answer; the argument is the error for the caller."""


class _Writing(NamedTuple, Generic[X]):
    """The writing connection as one value, so that no interrupt leaves a part of it."""

    pooled: PoolProxiedConnection
    driver: Any
    tx: X
    """The transactions of the connection, one after another, and their caches."""


class Connections(Generic[X, Q, R]):
    """Runs transactions on an engine of the store. One caller writes at a time, many may read."""

    def __init__(
        self,
        engine: Engine,
        database: Database[Any, X],
        perform: Callable[[X, Sequence[Q], bool], list[R | Postponed]],
        *,
        pool_size: int,
        single: bool = False,
    ) -> None:
        """Create them. ``single``: one connection does everything and cannot be replaced."""
        self._pool_size: Final = pool_size
        self.engine: Final = engine
        self._database: Final[Database[Any, X]] = database
        self._perform = perform
        self._single: Final = single
        self._writing: _Writing[X] | None = None
        self._struck = False
        """True while a transaction has begun on it whose end is not known."""
        self._made: Final[weakref.WeakSet[ConnectionPoolEntry]] = weakref.WeakSet()
        event.listen(engine, "connect", lambda _, made: self._made.add(made))

    def open(self) -> None:
        """Migrate the tables and make the writing connection."""
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
        if self._struck:
            self._abandon()
        if self._writing is not None:
            self._writing.pooled.close()
        self._writing = None
        self.engine.dispose()

    def strand(self) -> None:
        """Leave every open connection to the parent: this process is a forked child."""
        left = [one.dbapi_connection for one in self._made if one.dbapi_connection is not None]
        if left:
            inherited.keep(self, self.engine, self._writing)
            for driver in left:
                inherited.strand(driver)

    def _connect(self) -> _Writing[X]:
        """Hold a connection for writing: the first of the pool that is not lost."""
        for again in range(self._pool_size, -1, -1):
            pooled = self.engine.raw_connection()
            driver = pooled.driver_connection
            try:
                self._writing = _Writing(pooled, driver, self._database.on_writer(driver))
            except BaseException:
                lost = self._database.is_lost(driver)
                self._drop(pooled)
                if not (lost and again):
                    raise
            else:
                break
        return cast("_Writing[X]", self._writing)

    # -- writing -------------------------------------------------------------------------------

    def write(self, requests: Sequence[Q], *, patient: bool = True) -> list[R | Postponed]:
        """Run one transaction on the writing connection; repeat it where it lost a race.

        Raises:
            StoreBusy: the database was locked for too long, or at all if not ``patient``.
        """
        tries: Tries | None = None
        try:
            while True:
                try:
                    return self._write_held(requests, patient=patient)
                except (*self._database.retried, *self._database.violated) as error:
                    tries = tries or Tries(self._database, alone=len(requests) == 1)
                    if not tries.after(error):
                        raise
        except BaseException:
            if self._struck:  # a second interrupt struck while the first was handled
                self._abandon()
            raise

    def _write_held(self, requests: Sequence[Q], *, patient: bool) -> list[R | Postponed]:
        if self._struck:
            self._abandon()
        self._struck = True
        said = False
        try:
            _, driver, tx = self._begun(patient=patient)
            tx.begun()
            outcomes = self._perform(tx, requests, False)  # noqa: FBT003 (a callable)
            said = True
            self._commit(driver, tx)
            self._database.committed(tx)
            self._struck = False
        except BaseException as error:
            self._abandon(closes=not isinstance(error, Exception))
            self._tell(error, said=said)
            raise
        return outcomes

    def write_alone(self, request: Q) -> R:
        """Run one request's transaction on a separate connection and wait for its locks."""
        [outcome] = tried_again(self._database, lambda: self._write_pooled(request), alone=True)
        assert not isinstance(outcome, Postponed)  # noqa: S101 (it waited)
        return outcome

    def _write_pooled(self, request: Q) -> list[R | Postponed]:
        with self._pooled_to_write() as pooled:
            driver: Any = pooled.driver_connection
            tx = self._database.on_driver(driver)
            said = False
            try:
                self._database.recognise(tx)
                outcomes = self._perform(tx, [request], True)  # noqa: FBT003
                said = True
                self._commit(driver, tx)
                self._database.committed(tx)
            except BaseException as error:
                self._try_to_roll_back(driver)  # otherwise the pool does not get it back
                self._tell(error, said=said)
                raise
            return outcomes

    @contextmanager
    def _pooled_to_write(self) -> Iterator[PoolProxiedConnection]:
        """Lend a connection of the pool with an open transaction: the first that is not lost."""
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

    def _begun(self, *, patient: bool) -> _Writing[X]:
        """Return the writing connection with an open transaction; replace a lost one."""
        writing = self._writing or self._connect()
        try:
            self._database.begin(writing.driver, self._database.begin_write, patient=patient)
        except self._database.driver_errors:
            if not self._database.is_lost(writing.driver):
                raise
            self._drop_writing()
            writing = self._connect()
            self._database.say(writing.driver, self._database.begin_write)
        return writing

    def _commit(self, driver: object, tx: X) -> None:
        try:
            kept = self._database.commit(driver)
        except self._database.driver_errors as error:
            undone = self._database.in_transaction(driver) or self._database.is_undone(tx)
            told = self._database.translated_commit(error, rolled_back=undone)
            raise _NotKept(told) from error
        if not kept:
            raise _NotKept(
                StoreUnavailable(
                    "driver",
                    "a database error was swallowed inside the transaction, so the database"
                    " rolled it back",
                    "Let the error propagate; nothing was written.",
                )
            )

    def _tell(self, error: BaseException, *, said: bool) -> None:
        """Raise the error that the caller of a write gets, if it differs from the original.

        ``said``: COMMIT was sent before the error. An error that comes neither from the database
        nor from an interrupt was then raised by a signal handler. It must not pass for a failure,
        because a caller that retries after one would write twice.
        """
        if isinstance(error, _NotKept):
            raise error.args[0] from error.__cause__
        if isinstance(error, self._database.driver_errors):
            raise self._database.translated(error) from error
        if said and isinstance(error, Exception) and not says_what_became_of_it(error):
            raise struck_while_committing() from error

    def _abandon(self, *, closes: bool = True) -> None:
        """Roll back a transaction; close a connection that cannot roll back."""
        if self._writing is not None:
            kept = self._try_to_roll_back(self._writing.driver)  # releases every lock at once
            if closes or not kept:
                self._drop_writing()
        self._struck = False

    def _drop_writing(self) -> None:
        if self._writing is not None and not self._single:
            self._drop(self._writing.pooled)
            self._writing = None

    def _drop(self, pooled: PoolProxiedConnection) -> None:
        """Close a connection, unless it is the only one or an interrupted attempt closed it."""
        if not self._single and pooled.dbapi_connection is not None:
            pooled.invalidate()

    def _try_to_roll_back(self, driver: object) -> bool:
        """Return whether a connection has no open transaction any more and is usable again."""
        with suppress(*self._database.driver_errors):
            self._roll_back(driver)
            return not self._database.is_lost(driver)
        return False

    def _roll_back(self, driver: object) -> None:
        if self._database.in_transaction(driver):
            self._database.say(driver, "ROLLBACK")

    # -- reading -------------------------------------------------------------------------------

    def read(self, look: Callable[[X], T], *, snapshot: bool = True) -> T:
        """Run a function on one snapshot, or on one snapshot for each statement."""
        if self._single:
            return self._look(self._only(), look, snapshot=snapshot)
        for _ in range(self._pool_size):  # all idle connections of the pool may be lost
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
        """Lend a connection of the pool; a lost or struck connection is not returned to it."""
        try:
            pooled = self.engine.raw_connection()
        except PoolTimeout as error:
            raise StoreBusy("every connection that reads is in use") from error
        except self._database.driver_errors as error:
            raise self._database.translated(error) from error
        struck = True
        try:
            yield pooled
            struck = False
        except Exception:
            struck = False
            raise
        finally:
            if struck or self._database.is_lost(pooled.driver_connection):
                self._drop(pooled)
            pooled.close()

    def _only(self) -> object:
        """Return the only connection, where one connection does everything."""
        return (self._writing or self._connect()).driver

    def wipe(self) -> Sequence[Left]:
        """Wipe overwritten bytes from the files; return the places that still hold them."""
        try:
            if self._single:
                return self._wiped(self._only())
            with self._pooled() as pooled:
                return self._wiped(pooled.driver_connection)
        except (StoreUnavailable, StoreBusy) as error:
            return not_wiped(error)

    def _wiped(self, driver: object) -> Sequence[Left]:
        asked: Any = driver
        try:
            self._roll_back(driver)  # left open by an interrupted or failed rollback
            return self._database.wipe(lambda sql: asked.execute(sql).fetchone())
        except self._database.driver_errors as error:
            raise self._database.translated(error) from error

    def _look(self, driver: object, look: Callable[[X], T], *, snapshot: bool) -> T:
        tx = self._database.on_driver(driver)  # before the snapshot, see storage.recognising
        try:
            self._roll_back(driver)  # left open by an interrupted or failed rollback
            if snapshot or self._database.reads_snapshots:
                self._database.say(driver, self._database.begin_read)
            self._database.recognise(tx)
            found = look(tx)
            self._roll_back(driver)
        except BaseException as error:
            self._try_to_roll_back(driver)
            if isinstance(error, self._database.driver_errors):
                raise self._database.translated(error) from error
            raise
        self._database.committed(tx)
        return found
