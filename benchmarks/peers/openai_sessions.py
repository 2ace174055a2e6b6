"""The session stores of `openai-agents`: SQLiteSession and SQLAlchemySession. Both are async only.

A session is one conversation, so there is a session object for each thread; SQLAlchemy sessions
share one engine. They have no metadata beside an item, so ours travels inside it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, cast
from uuid import uuid4

from agents import SQLiteSession
from agents.extensions.memory import SQLAlchemySession
from sqlalchemy.ext.asyncio import create_async_engine

from benchmarks.contenders import Contender, Face, Kind
from benchmarks.places import Database, Place
from benchmarks.work import WorkMessage


class _Sessions:
    """The common part of both kinds of session. `open` begins one."""

    _begin: Callable[[str], Any]

    def __init__(self) -> None:
        self._sessions: dict[str, Any] = {}

    async def new_thread(self) -> str:
        thread = uuid4().hex
        self._sessions[thread] = self._begin(thread)
        return thread

    async def append(self, thread: str, message: WorkMessage) -> None:
        await self._sessions[thread].add_items([message.as_dict()])

    async def extend(self, thread: str, messages: Sequence[WorkMessage]) -> None:
        await self._sessions[thread].add_items([message.as_dict() for message in messages])

    async def last(self, thread: str, count: int) -> Sequence[object]:
        return cast("Sequence[object]", await self._sessions[thread].get_items(limit=count))


class SqliteSessions(_Sessions):
    """SQLiteSession: plain sqlite3 in worker threads."""

    async def open(self, place: Place) -> None:
        self._begin = lambda thread: SQLiteSession(thread, place.file)

    async def close(self) -> None:
        for session in self._sessions.values():
            session.close()


class SqlAlchemySessions(_Sessions):
    """SQLAlchemySession over aiosqlite or asyncpg, with SQLAlchemy's own pool."""

    async def open(self, place: Place) -> None:
        engine = self._engine = create_async_engine(_engine_url(place))
        self._begin = lambda thread: SQLAlchemySession(thread, engine=engine, create_tables=True)

    async def close(self) -> None:
        await self._engine.dispose()


def _engine_url(place: Place) -> str:
    return place.url("asyncpg") if place.dsn else f"sqlite+aiosqlite:///{place.file}"


CONTENDERS = [
    Contender(
        name="openai-agents SQLiteSession",
        kind=Kind.PEER,
        face=Face.ASYNC,
        make=SqliteSessions,
        distribution="openai-agents",
        length_max=10_000,
    ),
    Contender(
        name="openai-agents SQLAlchemySession",
        kind=Kind.PEER,
        face=Face.ASYNC,
        make=SqlAlchemySessions,
        distribution="openai-agents",
        length_max=10_000,
    ),
    Contender(
        name="openai-agents SQLAlchemySession",
        kind=Kind.PEER,
        face=Face.ASYNC,
        make=SqlAlchemySessions,
        database=Database.POSTGRES,
        distribution="openai-agents",
        length_max=10_000,
    ),
]
