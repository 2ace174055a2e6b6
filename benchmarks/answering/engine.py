"""Ours: the engine over a store, through public names only, in both faces.

A run is its question, the run itself, and the answer that is read at the end.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AsyncExitStack, ExitStack
from typing import Any

from benchmarks.answering.task import (
    EXCHANGES,
    INSTRUCTIONS,
    MODEL,
    QUESTION,
    TOOLS,
    Task,
    base_url,
)
from benchmarks.contenders import Contender, Face, Kind
from benchmarks.ours import DISTRIBUTION
from benchmarks.places import Database, Place
from benchmarks.work import WorkMessage
from eventstore import AsyncConversationStore, ConversationStore, Message
from eventstore.engine import AsyncEngine, Engine, tool
from eventstore.engine.models import Endpoint, Models

CONCURRENCY = 200


def _models() -> Models:
    return Models({MODEL: Endpoint(MODEL, base_url=base_url(), key_variable=None)})


def _assistants(tools: list[Any]) -> dict[str, dict[str, Any]]:
    plain = {"model": MODEL, "instructions": INSTRUCTIONS}
    return {"plain": plain, "able": {**plain, "tools": tools}}


def _text(message: Message) -> str:
    return "".join(part.text for part in message.content if part.type == "text")


class Ours:
    """The sync engine."""

    def __init__(self) -> None:
        self._stack = ExitStack()
        self._asked = EXCHANGES

    def open(self, place: Place) -> None:
        enter, tools = self._stack.enter_context, [tool(one) for one in TOOLS.values()]
        self._store = enter(ConversationStore.open(place.url("psycopg")))
        self._engine = enter(Engine(self._store, tools=tools, models=_models()))
        self._assistants = {
            name: self._store.assistants.create(**given).id
            for name, given in _assistants(tools).items()
        }

    def answer(self, task: Task) -> str:
        if self._asked >= EXCHANGES:
            self._thread, self._asked = self.new_thread(), 0
        self._asked += 1
        return self._answer(self._thread, task)

    def _answer(self, thread: str, task: Task) -> str:
        store, engine = self._store, self._engine
        assistant = self._assistants["able" if task is Task.TOOLS else "plain"]
        run = engine.run(thread, assistant, messages=[{"role": "user", "content": QUESTION}])
        if task is Task.STREAMED:
            pieces = [
                event.text
                for event in store.runs.stream(thread, run.id)
                if event.type == "message.delta"
            ]
            return "".join(pieces)
        run = engine.execute(thread, run.id)
        return _text(store.messages.get(thread, str(run.last_message_id)))

    def new_thread(self) -> str:
        return str(self._store.threads.create().id)

    def append(self, thread: str, message: WorkMessage) -> None:  # noqa: ARG002
        """Answer once: what the proof of durability counts syncs of."""
        self._answer(thread, Task.ANSWER)

    def extend(self, thread: str, messages: Sequence[WorkMessage]) -> None:
        for message in messages:
            self.append(thread, message)

    def close(self) -> None:
        self._stack.close()


class AsyncOurs:
    """The async engine."""

    def __init__(self) -> None:
        self._stack = AsyncExitStack()
        self._asked = EXCHANGES

    async def open(self, place: Place) -> None:
        enter, tools = self._stack.enter_async_context, [tool(one) for one in TOOLS.values()]
        self._store = await enter(AsyncConversationStore.open(place.url("asyncpg")))
        engine = AsyncEngine(self._store, tools=tools, models=_models(), concurrency=CONCURRENCY)
        self._engine = await enter(engine)
        self._assistants = {
            name: (await self._store.assistants.create(**given)).id
            for name, given in _assistants(tools).items()
        }

    async def answer(self, task: Task) -> str:
        if self._asked >= EXCHANGES:
            self._thread, self._asked = await self.new_thread(), 0
        self._asked += 1
        return await self._answer(self._thread, task)

    async def answer_apart(self) -> str:
        """Answer in a thread of its own."""
        return await self._answer(await self.new_thread(), Task.ANSWER)

    async def _answer(self, thread: str, task: Task) -> str:
        store, engine = self._store, self._engine
        assistant = self._assistants["able" if task is Task.TOOLS else "plain"]
        run = await engine.run(thread, assistant, messages=[{"role": "user", "content": QUESTION}])
        if task is Task.STREAMED:
            pieces = [
                event.text
                async for event in store.runs.stream(thread, run.id)
                if event.type == "message.delta"
            ]
            return "".join(pieces)
        run = await engine.execute(thread, run.id)
        return _text(await store.messages.get(thread, str(run.last_message_id)))

    async def new_thread(self) -> str:
        return str((await self._store.threads.create()).id)

    async def append(self, thread: str, message: WorkMessage) -> None:  # noqa: ARG002
        """Answer once: what the proof of durability counts syncs of."""
        await self._answer(thread, Task.ANSWER)

    async def extend(self, thread: str, messages: Sequence[WorkMessage]) -> None:
        for message in messages:
            await self.append(thread, message)

    async def close(self) -> None:
        await self._stack.aclose()


CONTENDERS = [
    Contender(
        name=name,
        kind=Kind.OURS,
        face=face,
        make=make,
        database=database,
        distribution=DISTRIBUTION,
    )
    for database in Database
    for name, face, make in (
        ("ours", Face.SYNC, Ours),
        ("ours (async)", Face.ASYNC, AsyncOurs),
    )
]
