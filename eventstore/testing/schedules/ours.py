"""``ConversationStore`` under test, over its public names only, on SQLite and on PostgreSQL.

Half of the streams are threads, half are the application's own. A transaction of one append is a
call of the store, with an idempotency key, and sent again while its outcome is unknown: it may be
there once, never twice. A larger one is a transaction of the application's, with ``connection=``.
"""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Any, Final, Literal

from sqlalchemy import Connection, Engine, create_engine, event, make_url, text
from sqlalchemy.exc import DBAPIError, OperationalError, SQLAlchemyError

from eventstore import (
    ConversationStore,
    NewEvent,
    OutcomeUnknown,
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

__all__ = ["OurStore"]

_THREAD: Final = "thread"
_TYPE: Final = "Happened"
_TRIES: Final = 20
_RETRY_SECONDS: Final = 0.1
_BUSY_SECONDS: Final = 60.0

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

    @property
    def several_streams(self) -> bool:
        return True

    @property
    def endings(self) -> Sequence[Ending]:
        """Nobody can end one connection of SQLite's and leave the process alive."""
        on_a_server = make_url(self.url).get_backend_name() == "postgresql"
        return tuple(Ending) if on_a_server else (Ending.COMMIT, Ending.ROLLBACK)

    def prepare(self, streams: int) -> Sequence[str]:
        engine = _engine(self.url)
        with engine.begin() as connection:
            connection.execute(_NOTES)
        engine.dispose()
        with self._opened() as store:
            threads = [store.threads.create().id for _ in range(streams // 2)]
        return [*threads, *(f"order_{uuid.uuid4().hex}" for _ in range(streams - len(threads)))]

    @contextmanager
    def connect(self) -> Iterator[_Connected]:
        engine = _engine(self.url)
        try:
            with self._opened() as store:
                yield _Connected(store, engine)
        finally:
            engine.dispose()

    def _opened(self) -> ConversationStore:
        """Open it, also while others end connections at random, or the server itself."""
        for _ in range(_TRIES):
            with suppress(StoreUnavailable):
                return self._open()
            time.sleep(_RETRY_SECONDS)  # a server that starts tells nobody
        return self._open()

    def _open(self) -> ConversationStore:
        return ConversationStore.open(
            self.url, busy_timeout_seconds=_BUSY_SECONDS, durability=self.durability
        )


def _engine(url: str) -> Engine:
    """The application's own engine, set up as SQLAlchemy advises for SQLite."""
    if make_url(url).get_backend_name() != "sqlite":
        return create_engine(url)
    engine = create_engine(url, connect_args={"timeout": _BUSY_SECONDS})
    event.listen(engine, "connect", lambda driver, _: setattr(driver, "isolation_level", None))
    event.listen(engine, "begin", lambda began: began.exec_driver_sql("BEGIN IMMEDIATE"))
    return engine


@dataclass(frozen=True)
class _Connected:
    """One store in a process, shared by its threads, as users have it."""

    store: ConversationStore
    engine: Engine

    @contextmanager
    def writer(self) -> Iterator[_Connected]:
        yield self

    @contextmanager
    def reader(self) -> Iterator[_Connected]:
        yield self

    # -- writing -----------------------------------------------------------------------------------

    def write(self, transaction: Transaction) -> None:
        """Leave one append to the store; put more into a transaction of the application's."""
        alone = len(transaction.appends) == 1 and not transaction.writes_first
        if alone and transaction.ending is Ending.COMMIT:
            self._persist(transaction)
        elif alone and transaction.ending is Ending.KILLED:
            self._end_anybody()
            self._persist(transaction)
        else:
            self._in_a_transaction(transaction)

    def _persist(self, transaction: Transaction) -> None:
        """Send it until it is known to be there, as the key allows."""
        for _ in range(_TRIES):
            with suppress(*_TROUBLE):
                self._append(transaction.appends[0], idempotency_key=transaction.id)
                return
        raise LostConnection

    def _append(self, append: Append, **options: Any) -> None:  # noqa: ANN401
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
        """End a connection that is at work, whosever it is: one of the store's, mostly."""
        self._end(_END_ANY)

    def _end(self, statement: Any, **values: object) -> None:  # noqa: ANN401
        with suppress(DBAPIError), self.engine.connect() as connection:
            connection.execute(statement, values)

    # -- reading -----------------------------------------------------------------------------------

    def read_after(self, cursor: Any | None, limit: int) -> Sequence[Delivered]:  # noqa: ANN401
        try:
            found = list(self.store.events.read_all(after=cursor, limit=limit))
        except _TROUBLE as error:
            raise LostConnection from error
        return [Delivered(one.position, one.stream_id, one.version, _name(one)) for one in found]


_ENDS: Final[dict[Ending, Callable[[_Connected, Connection], None]]] = {
    Ending.COMMIT: _Connected._commit,  # noqa: SLF001 (a table of this module's)
    Ending.ROLLBACK: _Connected._roll_back,  # noqa: SLF001
    Ending.KILLED: _Connected._be_killed,  # noqa: SLF001
    Ending.UNHEARD: _Connected._leave_unheard,  # noqa: SLF001
}


def _name(recorded: RecordedEvent) -> str:
    """The name that the schedule gave it, or the event's own if it is another."""
    if recorded.type == _TYPE:
        return str(recorded.data["name"])
    parts = (recorded.content or {}).get("parts")
    return str(parts[0]) if parts else recorded.event_id
