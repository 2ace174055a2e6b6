"""The limits on PostgreSQL: the plain drivers doing the least that has to be done.

An append takes a thread's head and moves it on, which locks it, inserts a row like our event and a
row like our message, and commits: five trips to the server. One writer holds a connection; many
share a pool of 20 (8 and 64 gave no more on two cores) and pay what asyncpg's pool asks for giving
a connection back. psycopg's are taken out of a queue and put back as they are.

`Rows` hold our own messages as JSON, and pydantic makes messages of them again.
"""

from __future__ import annotations

import json
import os
import queue
import time
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from itertools import cycle
from typing import Any

import asyncpg
import psycopg
from pydantic import BaseModel

from benchmarks.contenders import Contender, Face, Kind
from benchmarks.places import Database, Place
from benchmarks.work import WorkMessage

POOL = 20
_SCHEMA = """
CREATE TABLE head (stream uuid PRIMARY KEY, version bigint NOT NULL);
CREATE TABLE event (
    position bigserial PRIMARY KEY, stream uuid NOT NULL, version bigint NOT NULL,
    event_id uuid NOT NULL, type text NOT NULL, recorded_at bigint NOT NULL,
    content text NOT NULL, hash bytea NOT NULL, UNIQUE (stream, version)
);
CREATE TABLE message (
    thread uuid NOT NULL, depth bigint NOT NULL, message_id uuid NOT NULL,
    role text NOT NULL, PRIMARY KEY (thread, depth)
)
"""
_NEW = "INSERT INTO head VALUES ($1, 0)"
_LOCK = "UPDATE head SET version = version + $2 WHERE stream = $1 RETURNING version"
_EVENT = """
INSERT INTO event (stream, version, event_id, type, recorded_at, content, hash)
VALUES ($1, $2, $3, 'MessageAdded', $4, $5, $6)
"""
_MESSAGE = "INSERT INTO message VALUES ($1, $2, $3, $4)"
_LAST = """
SELECT content FROM message JOIN event ON stream = thread AND version = depth
WHERE thread = $1 ORDER BY depth DESC LIMIT $2
"""
_ROWS_SCHEMA = "CREATE TABLE message (depth bigint PRIMARY KEY, body text)"
_ROWS_PAGE = "SELECT body FROM message ORDER BY depth DESC LIMIT $1"
_ROWS_ALL = "SELECT body FROM message ORDER BY depth"
_PREFETCH = 2_000


def _rows(thread: str, version: int, message: WorkMessage) -> tuple[list[Any], list[Any]]:
    """The values of an event's and of a message's row."""
    identity = os.urandom(16).hex()
    content = json.dumps({"text": message.text, "metadata": message.metadata})
    event = [thread, version, identity, time.time_ns() // 1000, content, bytes(32)]
    return event, [thread, version, identity, message.role]


class PlainAsyncpg:
    """One connection that is held, or a pool of them."""

    def __init__(self, *, pooled: bool) -> None:
        self._pooled = pooled

    async def open(self, place: Place) -> None:
        size = POOL if self._pooled else 1
        self._pool = await asyncpg.create_pool(place.dsn, min_size=size, max_size=size)
        async with self._pool.acquire() as connection:
            await connection.execute(_SCHEMA)
        self._held = None if self._pooled else await self._pool.acquire()

    async def new_thread(self) -> str:
        thread = os.urandom(16).hex()
        async with self._connection() as connection:
            await connection.execute(_NEW, thread)
        return thread

    async def append(self, thread: str, message: WorkMessage) -> None:
        async with self._connection() as connection, connection.transaction():
            version = await connection.fetchval(_LOCK, thread, 1)
            event, row = _rows(thread, version, message)
            await connection.execute(_EVENT, *event)
            await connection.execute(_MESSAGE, *row)

    async def extend(self, thread: str, messages: Sequence[WorkMessage]) -> None:
        async with self._connection() as connection, connection.transaction():
            last = await connection.fetchval(_LOCK, thread, len(messages))
            first = last - len(messages) + 1
            made = [_rows(thread, first + n, one) for n, one in enumerate(messages)]
            await connection.executemany(_EVENT, [event for event, _ in made])
            await connection.executemany(_MESSAGE, [row for _, row in made])

    async def last(self, thread: str, count: int) -> Sequence[object]:
        async with self._connection() as connection:
            rows = await connection.fetch(_LAST, thread, count)
        return [json.loads(content) for (content,) in rows]

    async def close(self) -> None:
        if self._held is not None:
            await self._pool.release(self._held)
        await self._pool.close()

    @asynccontextmanager
    async def _connection(self) -> AsyncIterator[Any]:
        if self._held is not None:
            yield self._held
            return
        async with self._pool.acquire() as connection:
            yield connection


class PlainPsycopg:
    """One connection that is held, or a few that are handed round."""

    def __init__(self, *, pooled: bool) -> None:
        self._size = POOL if pooled else 1

    def open(self, place: Place) -> None:
        self._idle: queue.SimpleQueue[psycopg.Connection[Any]] = queue.SimpleQueue()
        for _ in range(self._size):
            self._idle.put(psycopg.connect(place.dsn))
        with self._connection() as connection:
            connection.execute(_SCHEMA)

    def new_thread(self) -> str:
        thread = os.urandom(16).hex()
        with self._connection() as connection:
            connection.execute(_percent(_NEW), [thread])
        return thread

    def append(self, thread: str, message: WorkMessage) -> None:
        with self._connection() as connection:
            version = _moved_on(connection, thread, 1)
            event, row = _rows(thread, version, message)
            connection.execute(_P_EVENT, event)
            connection.execute(_P_MESSAGE, row)

    def extend(self, thread: str, messages: Sequence[WorkMessage]) -> None:
        with self._connection() as connection:
            first = _moved_on(connection, thread, len(messages)) - len(messages) + 1
            made = [_rows(thread, first + n, one) for n, one in enumerate(messages)]
            cursor = connection.cursor()
            cursor.executemany(_P_EVENT, [event for event, _ in made])
            cursor.executemany(_P_MESSAGE, [row for _, row in made])

    def last(self, thread: str, count: int) -> Sequence[object]:
        with self._connection() as connection:
            rows = connection.execute(_P_LAST, (thread, count)).fetchall()
        return [json.loads(content) for (content,) in rows]

    def close(self) -> None:
        while not self._idle.empty():
            self._idle.get().close()

    @contextmanager
    def _connection(self) -> Iterator[psycopg.Connection[Any]]:
        connection = self._idle.get()
        try:
            yield connection
            connection.commit()
        finally:
            self._idle.put(connection)


def _percent(statement: str) -> bytes:
    """The statement as psycopg takes it; each value occurs once and in order."""
    for number in range(1, 7):
        statement = statement.replace(f"${number}", "%s")
    return statement.encode()


_P_LOCK = b"UPDATE head SET version = version + %s WHERE stream = %s RETURNING version"
_P_EVENT, _P_MESSAGE, _P_LAST = _percent(_EVENT), _percent(_MESSAGE), _percent(_LAST)


def _moved_on(connection: psycopg.Connection[Any], thread: str, by: int) -> int:
    row = connection.execute(_P_LOCK, (by, thread)).fetchone()
    assert row is not None
    return int(row[0])


class _Rows:
    """The common part of the two kinds of rows: a store with one thread, which is only read."""

    def __init__(self, originals: Sequence[BaseModel], length: int) -> None:
        self._validate = type(originals[0]).model_validate_json
        bodies = [original.model_dump_json(round_trip=True) for original in originals]
        self._filling = list(zip(range(length), cycle(bodies)))

    def _models(self, rows: Sequence[Any]) -> list[object]:
        validate = self._validate
        return [validate(body) for (body,) in rows]


class PsycopgRows(_Rows):
    """Rows read with psycopg."""

    def open(self, place: Place) -> None:
        self._connection = psycopg.connect(place.dsn, autocommit=True)
        self._connection.execute(_ROWS_SCHEMA)
        with self._connection.cursor().copy("COPY message FROM STDIN") as copy:
            for row in self._filling:
                copy.write_row(row)
        self._connection.execute("VACUUM ANALYZE message")

    def new_thread(self) -> str:
        return "the only one"

    def append(self, thread: str, message: WorkMessage) -> None:
        raise NotImplementedError

    def extend(self, thread: str, messages: Sequence[WorkMessage]) -> None:
        """The rows are there already."""

    def last(self, thread: str, count: int) -> Sequence[object]:  # noqa: ARG002 - there is one
        return self._models(self._connection.execute(_percent(_ROWS_PAGE), (count,)).fetchall())

    def read_all(self) -> int:
        """Read every row in order, keep none, and say how many there were."""
        read = 0
        with self._connection.transaction(), self._connection.cursor("all") as cursor:
            cursor.execute(_ROWS_ALL.encode())
            while page := cursor.fetchmany(_PREFETCH):
                read += len(self._models(page))
        return read

    def close(self) -> None:
        self._connection.close()


class AsyncpgRows(_Rows):
    """Rows read with asyncpg."""

    async def open(self, place: Place) -> None:
        self._connection = await asyncpg.connect(place.dsn)
        await self._connection.execute(_ROWS_SCHEMA)
        await self._connection.copy_records_to_table("message", records=self._filling)
        await self._connection.execute("VACUUM ANALYZE message")

    async def new_thread(self) -> str:
        return "the only one"

    async def append(self, thread: str, message: WorkMessage) -> None:
        raise NotImplementedError

    async def extend(self, thread: str, messages: Sequence[WorkMessage]) -> None:
        """The rows are there already."""

    async def last(self, thread: str, count: int) -> Sequence[object]:  # noqa: ARG002 - there is one
        return self._models(await self._connection.fetch(_ROWS_PAGE, count))

    async def read_all(self) -> int:
        """Read every row in order, keep none, and say how many there were."""
        read = 0
        async with self._connection.transaction():
            cursor = await self._connection.cursor(_ROWS_ALL)
            while page := await cursor.fetch(_PREFETCH):
                read += len(self._models(page))
        return read

    async def close(self) -> None:
        await self._connection.close()


def rows(originals: Sequence[BaseModel], length: int) -> list[Contender]:
    """The limits of reading: `length` rows which hold these messages over and over."""
    return [
        Contender(
            name=f"plain {make.__name__.removesuffix('Rows').lower()} + pydantic",
            kind=Kind.LIMIT,
            face=face,
            make=lambda make=make: make(originals, length),  # type: ignore[misc]
            database=Database.POSTGRES,
            writes=False,
        )
        for make, face in ((PsycopgRows, Face.SYNC), (AsyncpgRows, Face.ASYNC))
    ]


def _limit(name: str, face: Face, *, pooled: bool) -> Contender:
    kind = PlainPsycopg if face is Face.SYNC else PlainAsyncpg
    return Contender(
        name=name,
        kind=Kind.LIMIT,
        face=face,
        make=lambda: kind(pooled=pooled),
        database=Database.POSTGRES,
        writers="many" if pooled else "one",
    )


CONTENDERS = [
    _limit("plain psycopg", Face.SYNC, pooled=False),
    _limit("plain psycopg, pool", Face.SYNC, pooled=True),
    _limit("plain asyncpg", Face.ASYNC, pooled=False),
    _limit("plain asyncpg, pool", Face.ASYNC, pooled=True),
]
