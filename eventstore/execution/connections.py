"""Connections of our own: one that is held to write, a pool that reads; transactions on either.

Statements run on the driver's connection, because SQLAlchemy's own ``execute`` costs 40 µs and a
driver's 2. The writing connection is held, because giving it back to the pool costs a trip to the
server. Everything here is plain sync code: it runs in threads for sync drivers, and inside a
greenlet for async ones, where a statement hands its await to the event loop.

A connection that was lost while idle (the server was restarted) is made again before anything is
said on it; a read is simply done again. A write is tried again only where the database says that
another transaction won a race, and nothing was written.

An interrupt (``KeyboardInterrupt``, ``SystemExit``) may strike anywhere, also while the one before
it is dealt with, and a driver may be in the middle of a statement then. So nothing rests on tidying
up: the writing connection counts as struck from before a transaction begins until its end is known,
and is closed when the next one finds it so. It is closed at once where that is possible, so that
it holds no lock meanwhile.
"""

from __future__ import annotations

import weakref
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from functools import partial
from typing import Any, Final, NamedTuple, TypeVar, cast

from sqlalchemy import Engine, event
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.pool import ConnectionPoolEntry, PoolProxiedConnection

from eventstore.errors import OutcomeUnknown, StoreBusy, StoreUnavailable
from eventstore.execution import inherited
from eventstore.execution.database import Database, Left, not_wiped
from eventstore.execution.retrying import struck_while_committing, tried_again

__all__ = ["Connections"]

T = TypeVar("T")


class _NotKept(Exception):
    """The database said no to COMMIT, or did not answer; the argument is what the caller gets."""


class _Writing(NamedTuple):
    """The connection that writes: one value, so that no interrupt leaves a part of it."""

    pooled: PoolProxiedConnection
    driver: Any
    tx: Any
    """Its transactions, one after another, with what they remember."""


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
        self._writing: _Writing | None = None
        self._struck = False
        """A transaction has begun on it whose end is not known."""
        self._made: Final[weakref.WeakSet[ConnectionPoolEntry]] = weakref.WeakSet()
        event.listen(engine, "connect", lambda _, made: self._made.add(made))

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
        if self._struck:
            self._abandon()
        if self._writing is not None:
            self._writing.pooled.close()
        self._writing = None
        self.engine.dispose()

    def strand(self) -> None:
        """Leave every connection that is open to the parent: this is a forked child."""
        left = [one.dbapi_connection for one in self._made if one.dbapi_connection is not None]
        if left:
            inherited.keep(self, self.engine, self._writing)
            for driver in left:
                inherited.strand(driver)

    def _connect(self) -> _Writing:
        """Hold a connection to write: the first of the pool that is not lost."""
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
        return cast("_Writing", self._writing)

    # -- writing -------------------------------------------------------------------------------

    def write(self, requests: Sequence[Any]) -> list[Any]:
        """Run one transaction on the connection that writes."""
        try:
            attempt = partial(self._write_held, requests)
            return tried_again(self._database, attempt, alone=len(requests) == 1)
        except BaseException:
            if self._struck:  # again, while the interrupt before it was dealt with
                self._abandon()
            raise

    def _write_held(self, requests: Sequence[Any]) -> list[Any]:
        if self._struck:
            self._abandon()
        self._struck = True
        said = False
        try:
            _, driver, tx = self._begun()
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

    def write_alone(self, request: Any) -> Any:  # noqa: ANN401
        """Run one request's transaction on a connection of its own, and wait for what it needs."""
        [outcome] = tried_again(self._database, lambda: self._write_pooled(request), alone=True)
        return outcome

    def _write_pooled(self, request: Any) -> list[Any]:  # noqa: ANN401
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
                self._try_to_roll_back(driver)  # else it does not go back
                self._tell(error, said=said)
                raise
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

    def _begun(self) -> _Writing:
        """Return the writing connection with a transaction open, made anew if it was lost."""
        writing = self._writing or self._connect()
        try:
            self._roll_back(writing.driver)  # what a failed rollback left open
            self._database.say(writing.driver, self._database.begin_write)
        except self._database.driver_errors:
            if not self._database.is_lost(writing.driver):
                raise
            self._drop_writing()
            writing = self._connect()
            self._database.say(writing.driver, self._database.begin_write)
        return writing

    def _commit(self, driver: Any, tx: Any) -> None:  # noqa: ANN401
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
                    "an error of the database was passed over inside the transaction, which the"
                    " database therefore rolled back",
                    "Let the error out; nothing was written.",
                )
            )

    def _tell(self, error: BaseException, *, said: bool) -> None:
        """Raise what the caller of a write gets for an error, if that is another one.

        ``said``: COMMIT was said before it. Then what is neither the database's answer nor an
        interrupt was raised by a signal handler, and must not pass for a failure: whoever tries
        again after one would write twice.
        """
        if isinstance(error, _NotKept):
            raise error.args[0] from error.__cause__
        if isinstance(error, self._database.driver_errors):
            raise self._database.translated(error) from error
        if said and isinstance(error, Exception) and not isinstance(error, OutcomeUnknown):
            raise struck_while_committing() from error

    def _abandon(self, *, closes: bool = True) -> None:
        """Leave nothing of a transaction; a connection that cannot roll back is closed, too."""
        if self._writing is not None:
            kept = self._try_to_roll_back(self._writing.driver)  # lets go of every lock at once
            if closes or not kept:
                self._drop_writing()
        self._struck = False

    def _drop_writing(self) -> None:
        if self._writing is not None and not self._single:
            self._drop(self._writing.pooled)
            self._writing = None

    def _drop(self, pooled: PoolProxiedConnection) -> None:
        """Close a connection, unless it is the only one, or an interrupted attempt has done it."""
        if not self._single and pooled.dbapi_connection is not None:
            pooled.invalidate()

    def _try_to_roll_back(self, driver: Any) -> bool:  # noqa: ANN401
        """Return whether a connection has no transaction open any more, and can be used again."""
        with suppress(*self._database.driver_errors):
            self._roll_back(driver)
            return not self._database.is_lost(driver)
        return False

    def _roll_back(self, driver: Any) -> None:  # noqa: ANN401
        if self._database.in_transaction(driver):
            self._database.say(driver, "ROLLBACK")

    # -- reading -------------------------------------------------------------------------------

    def read(self, look: Callable[[Any], T], *, snapshot: bool = True) -> T:
        """Run a function on one snapshot; or on one a statement."""
        if self._single:
            return self._look(self._only(), look, snapshot=snapshot)
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
        """Lend a connection of the pool; one that was lost or struck does not go back."""
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

    def _only(self) -> Any:  # noqa: ANN401
        """Return the one connection there is, where everything happens on one."""
        return (self._writing or self._connect()).driver

    def wipe(self) -> Sequence[Left]:
        """Leave nothing of what was overwritten in the files; return what is left."""
        try:
            if self._single:
                return self._wiped(self._only())
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
        tx = self._database.on_driver(driver)  # before the snapshot, see storage.recognising
        try:
            self._roll_back(driver)  # what an interrupted or failed rollback left open
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
