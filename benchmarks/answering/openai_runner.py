"""The `Runner` of `openai-agents` with a session: SQLiteSession, or SQLAlchemySession on a server.

Tracing is off, since it would send each run to a service. The sync form is `Runner.run_sync`, which
keeps an event loop of its own; it cannot stream.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any
from uuid import uuid4

from agents import (
    Agent,
    OpenAIChatCompletionsModel,
    Runner,
    SQLiteSession,
    function_tool,
    set_tracing_disabled,
)
from agents.extensions.memory import SQLAlchemySession
from openai import AsyncOpenAI
from sqlalchemy.ext.asyncio import create_async_engine

from benchmarks.answering.task import (
    EXCHANGES,
    INSTRUCTIONS,
    KEY,
    MODEL,
    QUESTION,
    TOOLS,
    Task,
    base_url,
)
from benchmarks.contenders import Contender, Face, Kind
from benchmarks.places import Database, Place
from benchmarks.work import WorkMessage


class _Agents:
    """The common part: agents, and sessions of some exchanges each."""

    def _begin(self, place: Place) -> None:
        set_tracing_disabled(disabled=True)
        self._place = place
        self._asked = EXCHANGES
        self._session: Any = None
        self._client = AsyncOpenAI(base_url=base_url(), api_key=KEY, max_retries=0)
        model = OpenAIChatCompletionsModel(model=MODEL, openai_client=self._client)
        given: dict[str, Any] = {"name": "assistant", "instructions": INSTRUCTIONS, "model": model}
        self._plain = Agent(**given)
        self._able = Agent(**given, tools=[function_tool(one) for one in TOOLS.values()])

    def _agent(self, task: Task) -> Agent:
        return self._able if task is Task.TOOLS else self._plain

    def _next_session(self) -> Any:
        if self._asked >= EXCHANGES:
            self._let_go(self._session)
            self._session, self._asked = self._make(uuid4().hex), 0
        self._asked += 1
        return self._session

    def _make(self, name: str) -> Any:
        return SQLiteSession(name, self._place.file)

    def _let_go(self, session: Any) -> None:
        if session is not None:
            session.close()


class SyncRunner(_Agents):
    """`Runner.run_sync`."""

    def open(self, place: Place) -> None:
        self._begin(place)

    def answer(self, task: Task) -> str:
        session = self._next_session()
        return str(Runner.run_sync(self._agent(task), QUESTION, session=session).final_output)

    def close(self) -> None:
        asyncio.get_event_loop_policy().get_event_loop().run_until_complete(self._client.close())
        self._let_go(self._session)


class AsyncRunner(_Agents):
    """`Runner.run`, and `Runner.run_streamed`."""

    async def open(self, place: Place) -> None:
        self._begin(place)

    async def answer(self, task: Task) -> str:
        session = self._next_session()
        if task is Task.STREAMED:
            return await self._streamed(session)
        done = await Runner.run(self._agent(task), QUESTION, session=session)
        return str(done.final_output)

    async def answer_apart(self) -> str:
        """Answer in a session of its own."""
        session = self._make(uuid4().hex)
        done = await Runner.run(self._plain, QUESTION, session=session)
        self._let_go(session)
        return str(done.final_output)

    async def _streamed(self, session: Any) -> str:
        running = Runner.run_streamed(self._plain, QUESTION, session=session)
        return "".join([_piece(event) async for event in running.stream_events()])

    async def new_thread(self) -> str:
        return uuid4().hex

    async def append(self, thread: str, message: WorkMessage) -> None:  # noqa: ARG002
        """Answer once: what the proof of durability counts syncs of."""
        await Runner.run(self._plain, QUESTION, session=self._make(thread))

    async def extend(self, thread: str, messages: Sequence[WorkMessage]) -> None:
        for message in messages:
            await self.append(thread, message)

    async def close(self) -> None:
        await self._client.close()
        self._let_go(self._session)


def _piece(event: Any) -> str:
    if event.type != "raw_response_event" or event.data.type != "response.output_text.delta":
        return ""
    return str(event.data.delta)


class AsyncServerRunner(AsyncRunner):
    """The same with SQLAlchemySession over asyncpg; sessions share one engine."""

    async def open(self, place: Place) -> None:
        self._begin(place)
        self._engine = create_async_engine(place.url("asyncpg"))
        await SQLAlchemySession("first", engine=self._engine, create_tables=True).get_items()

    def _make(self, name: str) -> Any:
        return SQLAlchemySession(name, engine=self._engine)

    def _let_go(self, session: Any) -> None:
        """The engine is shared."""

    async def close(self) -> None:
        await super().close()
        await self._engine.dispose()


CONTENDERS = [
    Contender(
        name=name,
        kind=Kind.PEER,
        face=face,
        make=make,
        database=database,
        distribution="openai-agents",
    )
    for name, face, make, database in (
        ("openai-agents, SQLiteSession", Face.SYNC, SyncRunner, Database.SQLITE),
        ("openai-agents, SQLiteSession", Face.ASYNC, AsyncRunner, Database.SQLITE),
        ("openai-agents, SQLAlchemySession", Face.ASYNC, AsyncServerRunner, Database.POSTGRES),
    )
]
