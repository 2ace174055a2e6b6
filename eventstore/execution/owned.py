"""Run transactions on engines that the application owns.

Everything goes through SQLAlchemy's ``Connection``, so any driver works. Correctness is promised,
speed is not. ``run_sync`` reaches the connections of an async engine. Connections are checked for
safe settings, since SQLite's pragmas are not stored in the file.

The module is long because it holds two faces, with their common part above them.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from typing import Any, Final, Generic, TypeAlias, TypeVar

from sqlalchemy import Connection, Engine
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.pool import SingletonThreadPool, StaticPool

from eventstore.errors import (
    StoreBusy,
    StoreClosed,
    StoreUnavailable,
)
from eventstore.execution import forks, inherited
from eventstore.execution.database import (
    Database,
    Left,
    OpenTransaction,
    Postponed,
    not_wiped,
)
from eventstore.execution.doors import Mark, door, is_inside_twice, reading_door
from eventstore.execution.host_transaction import (
    run_in_host_transaction,
)
from eventstore.execution.new_connections import checking_new
from eventstore.execution.owned_pools import check_shared, only_one_of, roll_back
from eventstore.execution.retrying import (
    says_what_became_of_it,
    struck_while_committing,
    tried_again,
)
from eventstore.execution.settings import Settings
from eventstore.execution.shared_writer import SharedWriter
from eventstore.execution.signals import Signals, are_news
from eventstore.execution.transaction_gate import TransactionGate

__all__ = ["OwnedEngine"]

T = TypeVar("T")
X = TypeVar("X", bound=OpenTransaction)
Q = TypeVar("Q")
R = TypeVar("R")
Perform: TypeAlias = Callable[[X, Sequence[Q], bool], list[R | Postponed]]


class Owned(Generic[X, Q, R]):
    """The common part of running on an owned engine, sync or async."""

    reads_ahead: Final = False
    """Never reads ahead: the application's pool is used no more than necessary."""

    def __init__(
        self,
        engine: object,
        database: Database[Any, X],
        settings: Settings,
        perform: Perform[X, Q, R],
    ) -> None:
        self._lender = engine
        self._database = database
        self._settings = settings
        self._perform = perform
        self._closed = False
        self._forked = False
        self.changed: Signals = Signals()
        """Signals every commit of this store, but no commits by others."""
        forks.watch(self)

    def before_fork(self, until: float) -> None:
        """Do nothing: the application closes its connections."""

    def after_fork_in_parent(self) -> None:
        """Do nothing: the fork changed nothing in the parent."""

    def after_fork(self) -> None:
        self._forked = True
        inherited.keep(self._lender)

    def _ready(self) -> None:
        if self._closed:
            raise StoreClosed
        if self._forked:
            raise StoreUnavailable(
                "forked",
                "the store uses an engine created before this process was forked",
                "Create engine and store in the child, and dispose of the engine before you fork.",
            )

    def _check_free(self, driver: object) -> None:
        """Check that no transaction is open where the store's would begin, and so end it.

        Raises:
            StoreBusy: the application has, on a connection that its pool hands out to everybody.
        """
        if driver is not None and self._database.is_taken(driver):
            raise StoreBusy(
                "a transaction is open on the one connection of the engine's pool; give it as"
                " connection=, or end it first"
            )

    def _write_on(
        self, connection: Connection, requests: Sequence[Q], *, patient: bool = False
    ) -> list[R | Postponed]:
        """Run one transaction on a connection, from BEGIN to COMMIT."""
        tx = self._database.on_connection(connection)
        try:
            inherited.refuse_lent(connection, self._database)
            self._database.check(connection)
            connection.rollback()
            self._database.begin_on(connection, write=True)
            self._database.recognise(tx)
            outcomes = self._perform(tx, requests, patient)
        except BaseException as error:
            roll_back(connection)
            if isinstance(error, self._database.driver_errors):
                raise self._database.translated(error) from error
            raise
        driver = connection.connection.driver_connection
        try:
            with self._database.committing(driver):
                connection.commit()
            self._database.committed(tx)
        except self._database.driver_errors as error:
            undone = self._database.in_transaction(driver)
            roll_back(connection)
            if not undone:
                undone = self._database.is_undone(tx)
                roll_back(connection)
            raise self._database.translated_commit(error, rolled_back=undone) from error
        except Exception as error:
            if says_what_became_of_it(error):
                raise
            raise struck_while_committing() from error  # a signal handler raised it
        return outcomes

    def _read_on(self, connection: Connection, look: Callable[[X], T]) -> T:
        tx = self._database.on_connection(connection)
        try:
            inherited.refuse_lent(connection, self._database)
            self._database.begin_on(connection, write=False)
            self._database.recognise(tx)
            found = look(tx)
        except self._database.driver_errors as error:
            raise self._database.translated(error) from error
        finally:
            roll_back(connection)
        self._database.committed(tx)
        return found

    def _wipe_on(self, connection: Connection) -> Sequence[Left]:
        try:
            inherited.refuse_lent(connection, self._database)
            self._database.begin_on(connection, write=None)
            return self._database.wipe(lambda sql: connection.exec_driver_sql(sql).fetchone())
        except self._database.driver_errors as error:
            raise self._database.translated(error) from error
        finally:
            roll_back(connection)

    def _migrate_on(self, connection: Connection) -> None:
        try:
            inherited.refuse_lent(connection, self._database)
            if self._database.is_private(connection):
                check_shared(connection.engine)
            self._database.check(connection)
            connection.rollback()
            self._database.begin_on(connection, write=None)
            self._database.migrate(connection)
        except self._database.driver_errors as error:
            raise self._database.translated(error) from error


class OwnedEngine(Owned[X, Q, R]):
    """Runs transactions on the application's ``Engine``."""

    def __init__(
        self,
        engine: Engine,
        database: Database[Any, X],
        settings: Settings,
        perform: Perform[X, Q, R],
    ) -> None:
        super().__init__(engine, database, settings, perform)
        self._engine = engine
        self.mark: Final = Mark()
        self._gate = TransactionGate()
        self._mine = threading.local()
        """``lent``: the connections that the pool lent this thread and has not got back."""
        self._single = threading.RLock() if isinstance(engine.pool, StaticPool) else nullcontext()
        with checking_new(engine, database), self._connected() as connection:
            self._migrate_on(connection)
        self._writer: SharedWriter[Q, R | Postponed] = SharedWriter(
            self._write_batch,
            queue_max=settings.queue_max,
            patience_seconds=settings.busy_timeout_seconds,
        )

    def _write_batch(self, requests: Sequence[Q], *, patient: bool = False) -> list[R | Postponed]:
        outcomes: list[R | Postponed] = []

        def attempt() -> None:
            with self._connected() as connection:
                outcomes[:] = self._write_on(connection, requests, patient=patient)

        try:
            with self._gate.way(), self._single:
                tried_again(self._database, attempt, alone=len(requests) == 1)
            if are_news(outcomes):
                self.changed.tell()
        except Exception as error:
            if outcomes:
                raise struck_while_committing() from error
            raise
        return outcomes

    @door
    def write(self, request: Q) -> R:
        """Perform a request in a transaction shared with other waiting callers."""
        self._ready()
        outcome = self._writer.submit(request)
        # From here a signal handler's call is let in: refusing it would hide the outcome.
        self.mark.inside = False
        if isinstance(outcome, Postponed):
            self.mark.inside = True
            [outcome] = self._write_batch([request], patient=True)
            assert not isinstance(outcome, Postponed)  # noqa: S101 (it waited)
        return outcome

    @reading_door
    def read(self, look: Callable[[X], T], *, snapshot: bool = True) -> T:  # noqa: ARG002
        """Run a function on one snapshot; an engine begins a transaction in any case."""
        self._ready()
        with self._gate.way(), self._single, self._connected() as connection:
            return self._read_on(connection, look)

    @door
    def wipe(self) -> Sequence[Left]:
        """Wipe overwritten bytes from the files; return the places that still hold them."""
        self._ready()
        try:
            with self._gate.way(), self._single, self._connected() as connection:
                return self._wipe_on(connection)
        except (StoreUnavailable, StoreBusy) as error:
            return not_wiped(error)

    @contextmanager
    def _connected(self) -> Iterator[Connection]:
        self._gate.check_open()
        outer = getattr(self._mine, "lent", None)  # a function that reads has called the store
        if outer is not None and not is_inside_twice(self):  # an interrupt left it
            outer = None
        if outer is None:
            self._check_free(only_one_of(self._engine.pool))  # returning it rolls back
        try:
            connection = self._engine.connect()
        except self._database.driver_errors as error:
            raise self._database.translated(error) from error
        except PoolTimeout as error:
            raise StoreBusy("every connection of the engine's pool is in use") from error
        with connection:
            if outer is None and isinstance(self._engine.pool, SingletonThreadPool):
                self._check_free(connection.connection.driver_connection)
            self._mine.lent = (connection, *(outer or ()))
            try:
                yield connection
            finally:
                self._mine.lent = outer

    def after_fork(self) -> None:
        super().after_fork()
        for connection in getattr(self._mine, "lent", None) or ():
            inherited.strand_lent(connection)

    @door
    def in_host_transaction(self, connection: Connection, act: Callable[[X], T]) -> T:
        """Run a function inside the application's open transaction."""
        self._ready()
        return run_in_host_transaction(connection, self._database, act, self.changed)

    @door
    def close(self, _: Q | None = None) -> None:
        """Finish waiting requests, and begin none; the engine stays the application's."""
        self._closed = True
        self.changed.close()
        if self._forked:  # waiting requests are the parent's
            return
        self._writer.close()
        self._gate.close()  # the engine may be disposed of afterwards
