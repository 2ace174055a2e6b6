"""``ConversationStore`` under test, over its public names only, on SQLite and on PostgreSQL.

Half of the streams are threads, half are the application's own. A transaction of one append is a
call of the store. One with an idempotency key is sent again while its outcome is unknown: it may
exist once, never twice. A larger one is a transaction of the application's, with ``connection=``.

A process has one store, whose requests share commits, and an engine of the application's beside it.
On SQLite, where one transaction writes at a time, that engine has one connection, so that threads
wait for it in a queue and not asleep in front of the file's lock.
"""

from __future__ import annotations

import threading
import time
import uuid
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import Any, Final, Literal, TypeVar

from sqlalchemy import Connection, Engine, Executable, create_engine, event, make_url, text
from sqlalchemy.exc import DBAPIError, OperationalError, SQLAlchemyError

from eventstore import (
    ConversationStore,
    NewEvent,
    OutcomeUnknown,
    Position,
    RecordedEvent,
    StoreBusy,
    StoreUnavailable,
)
from eventstore.testing.schedules.protocol import (
    Append,
    Delivered,
    Ending,
    LostConnection,
    Transaction,
)
from eventstore.testing.schedules.subscribed import Subscribed

__all__ = ["OurStore"]

T = TypeVar("T")

_THREAD: Final = "thread"
_TYPE: Final = "Happened"
_TRIES: Final = 20
_BUSY_SECONDS: Final = 60.0
_PATIENCE_SECONDS: Final = 60.0
_RETRY_SECONDS: Final = 0.05
_POOL_SIZE: Final = {"sqlite": 1, "postgresql": 4}

_NOTES: Final = text("CREATE TABLE notes (words TEXT)")
_NOTE: Final = text("INSERT INTO notes VALUES (:words)")
_END_ONE: Final = text("SELECT pg_terminate_backend(:process)")
_END_ANY: Final = text(
    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
    "WHERE datname = current_database() AND state <> 'idle' AND pid <> pg_backend_pid() "
    "AND backend_type = 'client backend' ORDER BY random() LIMIT 1"
)
_TROUBLE: Final = (OutcomeUnknown, StoreBusy, StoreUnavailable)


@dataclass(frozen=True)
class OurStore:
    """The store of a URL, whose database is empty."""

    url: str
    durability: Literal["full", "as_is"] = "full"
    room: int = 500
    """The most events that wait for a subscriber."""

    @property
    def several_streams(self) -> bool:
        return True

    @property
    def endings(self) -> Sequence[Ending]:
        """SQLite cannot end one connection and leave the process alive."""
        on_a_server = make_url(self.url).get_backend_name() == "postgresql"
        return tuple(Ending) if on_a_server else (Ending.COMMIT, Ending.ROLLBACK)

    def prepare(self, streams: int) -> Sequence[str]:
        with _engine(self.url) as engine, engine.begin() as connection:
            connection.execute(_NOTES)
        with self._opened() as store:
            threads = [store.threads.create().id for _ in range(streams // 2)]
        return [*threads, *(f"order_{uuid.uuid4().hex}" for _ in range(streams - len(threads)))]

    @contextmanager
    def connect(self) -> Iterator[_Connected]:
        with _engine(self.url) as engine, _engine(self.url) as other, self._opened() as store:
            yield _Connected(store, engine, other, self.room)

    def _opened(self) -> ConversationStore:
        """Open it, even while others end connections at random, or the server itself."""
        return _patiently(
            lambda: ConversationStore.open(
                self.url, busy_timeout_seconds=_BUSY_SECONDS, durability=self.durability
            )
        )


def _patiently(act: Callable[[], T]) -> T:
    """Call a function until the store can be reached: a server sends no signal when it starts."""
    deadline = time.monotonic() + _PATIENCE_SECONDS
    while True:
        try:
            return act()
        except (StoreBusy, StoreUnavailable):
            if time.monotonic() > deadline:
                raise
        time.sleep(_RETRY_SECONDS)


@contextmanager
def _engine(url: str) -> Iterator[Engine]:
    """The application's own engine, set up as SQLAlchemy advises for SQLite."""
    backend = make_url(url).get_backend_name()
    engine = create_engine(
        url,
        pool_size=_POOL_SIZE[backend],
        max_overflow=0,
        pool_timeout=_PATIENCE_SECONDS + _BUSY_SECONDS,
        connect_args={"timeout": _BUSY_SECONDS} if backend == "sqlite" else {},
    )
    if backend == "sqlite":
        event.listen(engine, "connect", lambda driver, _: setattr(driver, "isolation_level", None))
        event.listen(engine, "begin", lambda began: began.exec_driver_sql("BEGIN IMMEDIATE"))
    try:
        yield engine
    finally:
        engine.dispose()


@dataclass(frozen=True)
class _Connected:
    """One store in a process, shared by its threads, as users have it."""

    store: ConversationStore
    engine: Engine
    other: Engine
    """Another engine, to end connections of the first, all of which may be in use."""
    room: int
    asking: threading.Lock = field(default_factory=threading.Lock)

    @contextmanager
    def writer(self) -> Iterator[_Connected]:
        yield self

    @contextmanager
    def reader(self) -> Iterator[_Connected]:
        yield self

    @contextmanager
    def subscriber(self) -> Iterator[Subscribed]:
        subscribed = Subscribed(self.store, _delivered, self.room)
        try:
            yield subscribed
        finally:
            subscribed.end()

    # -- writing -----------------------------------------------------------------------------------

    def write(self, transaction: Transaction) -> None:
        """Append through the store; put several appends into the application's transaction."""
        alone = len(transaction.appends) == 1 and not transaction.writes_first
        if alone and transaction.ending is Ending.COMMIT:
            self._send(transaction)
        elif alone and transaction.ending is Ending.KILLED:
            self._end_anybody()
            self._send(transaction)
        else:
            self._in_a_transaction(transaction)

    def _send(self, transaction: Transaction) -> None:
        if transaction.keyed:
            self._persist(transaction)
            return
        try:
            self._append(transaction.appends[0])
        except _TROUBLE as error:
            self._wait_until_it_answers()
            raise LostConnection from error

    def _persist(self, transaction: Transaction) -> None:
        """Send it, with its key, until it is known to be stored."""
        for _ in range(_TRIES):
            with suppress(*_TROUBLE):
                self._append(transaction.appends[0], idempotency_key=transaction.id)
                return
            self._wait_until_it_answers()
        raise LostConnection

    def _wait_until_it_answers(self) -> None:
        """One thread asks, and the others wait for it: asking costs more than waiting."""
        try:
            with self.asking:
                _patiently(lambda: list(self.store.events.read_all(limit=1)))
        except _TROUBLE as error:
            raise LostConnection from error

    def _append(self, append: Append, **options: Any) -> None:  # noqa: ANN401 (of a write)
        names = append.event_ids
        if not append.stream.startswith(_THREAD):
            events = [NewEvent(type=_TYPE, data={"name": name}) for name in names]
            self.store.events.append(append.stream, events, expected_version="any", **options)
        elif len(names) == 1:
            self.store.messages.create(append.stream, role="user", content=names[0], **options)
        else:
            messages = [{"role": "user", "content": name} for name in names]
            self.store.messages.create_many(append.stream, messages, **options)

    def _in_a_transaction(self, transaction: Transaction) -> None:
        with self._connection() as connection:
            try:
                if transaction.writes_first:
                    connection.execute(_NOTE, {"words": transaction.id})
                for append in sorted(transaction.appends, key=lambda append: append.stream):
                    self._append(append, connection=connection)
                _ENDS[transaction.ending](self, connection)
            except _TROUBLE as error:
                raise LostConnection from error
            except SQLAlchemyError as error:
                if not connection.invalidated:
                    raise
                raise LostConnection from error

    @contextmanager
    def _connection(self) -> Iterator[Connection]:
        try:
            connection = self.engine.connect()
        except OperationalError as error:
            self._wait_until_it_answers()
            raise LostConnection from error
        with connection:
            yield connection

    def _commit(self, connection: Connection) -> None:
        connection.commit()

    def _roll_back(self, connection: Connection) -> None:
        connection.rollback()

    def _be_killed(self, connection: Connection) -> None:
        """Have the server end this connection, and then try to commit."""
        process = connection.scalar(text("SELECT pg_backend_pid()"))
        self._end(_END_ONE, process=process)
        connection.commit()

    def _leave_unheard(self, connection: Connection) -> None:
        driver: Any = connection.connection.driver_connection
        driver.pgconn.send_query(b"COMMIT")
        driver.pgconn.flush()
        connection.invalidate()
        raise LostConnection

    def _end_anybody(self) -> None:
        """End a connection that is at work: mostly one of the store's."""
        self._end(_END_ANY)

    def _end(self, statement: Executable, **values: object) -> None:
        with suppress(DBAPIError), self.other.connect() as connection:
            connection.execute(statement, values)

    # -- reading -----------------------------------------------------------------------------------

    def read_after(self, cursor: object, limit: int) -> Sequence[Delivered]:
        assert cursor is None or isinstance(cursor, Position)
        try:
            found = list(self.store.events.read_all(after=cursor, limit=limit))
        except _TROUBLE as error:
            raise LostConnection from error
        return [_delivered(one) for one in found]


_ENDS: Final[dict[Ending, Callable[[_Connected, Connection], None]]] = {
    Ending.COMMIT: _Connected._commit,  # noqa: SLF001 (a table of this module's)
    Ending.ROLLBACK: _Connected._roll_back,  # noqa: SLF001
    Ending.KILLED: _Connected._be_killed,  # noqa: SLF001
    Ending.UNHEARD: _Connected._leave_unheard,  # noqa: SLF001
}


def _delivered(one: RecordedEvent) -> Delivered:
    return Delivered(one.position, one.stream_id, one.version, _name(one))


def _name(recorded: RecordedEvent) -> str:
    """Return the name that the schedule gave it, or the event's own if it is another."""
    if recorded.type == _TYPE:
        return str(recorded.data["name"])
    parts = (recorded.content or {}).get("parts")
    return str(parts[0]) if parts else recorded.event_id
