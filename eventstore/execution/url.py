"""Run transactions on the store's own connections with a sync driver: one writes, a pool reads.

Both faces use it for ``sqlite:///…``, ``sqlite+aiosqlite:///…`` and ``postgresql+psycopg://…``. The
writing connection belongs to the leader of the
:class:`~eventstore.execution.shared_writer.SharedWriter`. Each read sees one snapshot. In memory
(``sqlite://``) there is a single connection for everything, guarded by a lock: a second one would
see an empty database.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Awaitable, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext, suppress
from functools import partial
from typing import TYPE_CHECKING, Any, Final, Generic, TypeVar, TypeVarTuple

from sqlalchemy import URL, Connection, Engine, create_engine, event
from sqlalchemy.pool import QueuePool, StaticPool

from eventstore.errors import ConversationStoreError, StoreClosed, StoreUnavailable
from eventstore.execution import forks, inherited
from eventstore.execution.connections import Connections
from eventstore.execution.database import Database, Left, OpenTransaction, Postponed
from eventstore.execution.doors import Mark, door, reading_door
from eventstore.execution.host_transaction import (
    run_in_host_transaction,
    run_in_host_transaction_async,
)
from eventstore.execution.new_connections import check_new
from eventstore.execution.pace import AtOnce
from eventstore.execution.retrying import (
    ALONE_MAX,
    finished,
    struck_while_committing,
    too_many_wait,
)
from eventstore.execution.settings import Settings
from eventstore.execution.shared_writer import SharedWriter
from eventstore.execution.signals import Signals, are_news
from eventstore.execution.transaction_gate import TransactionGate
from eventstore.execution.watching import Watcher

if TYPE_CHECKING:
    from sqlalchemy.ext.asyncio import AsyncConnection  # loads the ORM: see `connect`

__all__ = ["UrlExecutor"]

T = TypeVar("T")
X = TypeVar("X", bound=OpenTransaction)
Q = TypeVar("Q")
R = TypeVar("R")
A = TypeVarTuple("A")


class UrlExecutor(Generic[X, Q, R]):
    """Owns the engine behind a URL; keeps both executor protocols, sync and async."""

    reads_ahead: Final = False
    """Never reads ahead: the reading thread would wait for the interpreter lock."""

    def __init__(
        self,
        url: URL,
        database: Database[Any, X],
        settings: Settings,
        perform: Callable[[X, Sequence[Q], bool], list[R | Postponed]],
        is_brief: Callable[[Q], bool],
        *,
        in_memory: bool,
    ) -> None:
        """Open the database and migrate its tables.

        ``is_brief`` returns whether a request may be performed in the thread of an event loop.
        """
        self._url = url
        self._database = database
        self._settings = settings
        self._perform = perform
        self._is_brief = is_brief
        self._in_memory = in_memory
        self.mark: Final = Mark()
        self._closed = self._ended = False
        self._closing = threading.Lock()
        self._forked = False
        self._watcher = None if in_memory else Watcher(lambda: self._connections.engine, database)
        self.changed: Signals = Signals() if self._watcher is None else self._watcher.changed
        """Signals every commit; followers of the log wait on it."""
        with forks.no_fork():
            self._open()
            forks.watch(self)

    def _open(self) -> None:
        self._single = threading.RLock() if self._in_memory else nullcontext()
        # The leader writes alone, so this lock is free; a null context would be two more calls.
        self._leading = self._single if self._in_memory else threading.RLock()
        self._gate = TransactionGate()
        self._connections = Connections(
            self._made_engine(),
            self._database,
            self._perform,
            pool_size=self._settings.readers + 1,
            single=self._in_memory,
        )
        self._connections.open()
        self._readers = ThreadPoolExecutor(self._settings.readers, "eventstore-reader")
        self._patient = ThreadPoolExecutor(ALONE_MAX, "eventstore-patient")
        self._alone = threading.Semaphore(ALONE_MAX)
        self._writer: SharedWriter[Q, R | Postponed] = SharedWriter(
            self._write_batch,
            queue_max=self._settings.queue_max,
            patience_seconds=self._settings.busy_timeout_seconds,
            # A server, or a reader of the one connection in memory, could hold up an event loop.
            at_once=None
            if self._in_memory or self._database.postpones
            else AtOnce(self._write_at_once, self._is_brief),
        )

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
        check_new(engine, self._database)
        event.listen(engine, "do_connect", self._check_not_inherited)
        event.listen(engine, "connect", lambda driver, _: self._database.prepare(driver))
        return engine

    def _check_not_inherited(
        self,
        _dialect: object,
        _pooled: object,
        arguments: Sequence[Any],
        options: dict[str, Any],
    ) -> None:
        """Note the arguments of the driver's ``connect()`` before the call."""
        if not self._in_memory:
            inherited.refuse(self._database.would_open(arguments, options))

    # -- forking -------------------------------------------------------------------------------

    def before_fork(self, until: float) -> None:
        if self._forked or self._in_memory:
            return
        if self._gate.shut(until):
            self._connections.close()

    def after_fork_in_parent(self) -> None:
        self._gate.reopen()

    def after_fork(self) -> None:
        if not self._forked:
            self._connections.strand()
        self._gate = TransactionGate()
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
        with forks.no_fork():
            if self._forked:  # no other thread did it meanwhile
                self._database.forget()
                self._open()
                self._forked = False

    # -- writing -------------------------------------------------------------------------------

    @door
    def write(self, request: Q) -> R:
        """Perform a request in a transaction shared with other waiting callers."""
        if self._closed or self._forked:
            self._ready()
        outcome = self._writer.submit(request)
        # From here a signal handler's call is let in: refusing it would hide the outcome.
        self.mark.inside = False
        if isinstance(outcome, Postponed):
            self.mark.inside = True
            outcome = self._write_alone(request)
            self.mark.inside = False
        return outcome

    def write_async(self, request: Q) -> Awaitable[R]:
        """Do the same for a task."""
        if self._closed or self._forked:
            self._ready()
        written = self._writer.submit_async(request)
        if self._database.postpones:
            return self._patiently(request, written)
        return written  # type: ignore[return-value] # nothing is Postponed

    async def _patiently(self, request: Q, written: Awaitable[R | Postponed]) -> R:
        outcome = await written
        if isinstance(outcome, Postponed):
            return await finished(self._begun_in(self._patient, self._write_alone, request))
        return outcome

    def _write_batch(self, requests: Sequence[Q], *, patient: bool = True) -> list[R | Postponed]:
        outcomes = None
        try:
            with self._gate.way(), self._leading:
                self._gate.check_open()
                outcomes = self._connections.write(requests, patient=patient)
            if are_news(outcomes):
                self.changed.tell()
        except Exception as error:
            if outcomes is not None:
                raise struck_while_committing() from error
            raise
        return outcomes

    @door
    def _write_at_once(self, requests: Sequence[Q]) -> list[R | Postponed]:
        """Write in the thread of an event loop, waiting for no other process."""
        return self._write_batch(requests, patient=False)

    def _write_alone(self, request: Q) -> R:
        if not self._alone.acquire(timeout=self._settings.busy_timeout_seconds):
            raise too_many_wait()
        outcome = None
        try:
            try:
                with self._gate.way(), self._single:
                    self._gate.check_open()
                    outcome = self._connections.write_alone(request)
                if are_news([outcome]):
                    self.changed.tell()
            finally:
                self._alone.release()
        except Exception as error:
            if outcome is not None:
                raise struck_while_committing() from error
            raise
        return outcome

    # -- reading -------------------------------------------------------------------------------

    @reading_door
    def read(self, look: Callable[[X], T], *, snapshot: bool = True) -> T:
        """Run a function on one snapshot, or on one snapshot for each statement."""
        self._ready()
        return self._read(look, snapshot=snapshot)

    def _read(self, look: Callable[[X], T], *, snapshot: bool) -> T:
        with self._gate.way(), self._single:
            self._gate.check_open()
            return self._connections.read(look, snapshot=snapshot)

    async def read_async(
        self, look: Callable[[X], T], *, snapshot: bool = True, brief: bool = False
    ) -> T:
        """Do the same for a task: in a reader's thread, or at once if it is brief."""
        self._ready()
        if brief and self._writer.may_work_at_once:
            return self.read(look, snapshot=snapshot)
        return await self._in_readers(partial(self._read, look, snapshot=snapshot))

    async def _in_readers(self, act: Callable[[], T]) -> T:
        return await self._begun_in(self._readers, act)

    @staticmethod
    def _begun_in(
        pool: ThreadPoolExecutor,
        act: Callable[[*A], T],
        *given: *A,
    ) -> asyncio.Future[T]:
        """Begin a call in a thread of a pool.

        Raises:
            StoreClosed: the pool was shut down since we looked.
        """
        try:
            return asyncio.get_running_loop().run_in_executor(pool, act, *given)
        except RuntimeError:
            raise StoreClosed from None

    @door
    def wipe(self) -> Sequence[Left]:
        """Wipe overwritten bytes from the files; return the places that still hold them."""
        self._ready()
        return self._wipe()

    def _wipe(self) -> Sequence[Left]:
        with self._gate.way(), self._single:
            self._gate.check_open()
            return self._connections.wipe()

    async def wipe_async(self) -> Sequence[Left]:
        """Do the same for a task, in a reader's thread."""
        self._ready()
        return await self._in_readers(self._wipe)

    # -- on the application's own connection -----------------------------------------------------

    @door
    def in_host_transaction(self, connection: Connection, act: Callable[[X], T]) -> T:
        """Run a function inside the application's open transaction."""
        self._ready()
        return run_in_host_transaction(connection, self._database, act, self.changed)

    async def in_host_transaction_async(
        self, connection: AsyncConnection, act: Callable[[X], T]
    ) -> T:
        """Do the same on an ``AsyncConnection``."""
        self._ready()
        return await run_in_host_transaction_async(connection, self._database, act, self.changed)

    # -- closing -------------------------------------------------------------------------------

    @door
    def close(self, last: Q | None = None) -> None:
        """Finish waiting requests, then close every connection. Idempotent.

        ``last`` is performed before, unless another process holds the database, or refuses it.
        """
        with self._closing:
            if self._ended:
                return
            self._closed = True
            if self._watcher is None:
                self.changed.close()
            else:
                self._watcher.close()
            if self._forked:
                return
            self._writer.close()
            self._patient.shutdown()
            self._readers.shutdown()
            self._gate.close()
            with self._gate.way():  # no fork meanwhile
                if last is not None and not self._in_memory:
                    with suppress(ConversationStoreError):
                        self._connections.write([last], patient=False)
                self._connections.close()
            self._ended = True  # set last, so that an interrupted caller may close it again

    async def close_async(self, last: Q | None = None) -> None:
        """Do the same without blocking the event loop."""
        await asyncio.to_thread(self.close, last)
