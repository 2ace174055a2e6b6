"""The `Agent` of `pydantic-ai` with a store of one's own, as its pages advise: a row for each run.

The new messages of a run are written as JSON when the run is over, in one commit, and read again
before the next. A run that breaks off leaves nothing.
"""

from __future__ import annotations

import sqlite3
from typing import Any
from uuid import uuid4

from openai import AsyncOpenAI
from pydantic_ai import Agent
from pydantic_ai.messages import ModelMessage, ModelMessagesTypeAdapter
from pydantic_ai.models.openai import OpenAIChatModel
from pydantic_ai.providers.openai import OpenAIProvider

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
from benchmarks.places import Place


class _Agents:
    """The common part: agents, and a table of runs."""

    def _begin(self, place: Place) -> None:
        self._asked = EXCHANGES
        self._client = AsyncOpenAI(base_url=base_url(), api_key=KEY, max_retries=0)
        provider = OpenAIProvider(openai_client=self._client)
        model = OpenAIChatModel(MODEL, provider=provider)
        self._plain = Agent(model, instructions=INSTRUCTIONS)
        self._able = Agent(model, instructions=INSTRUCTIONS, tools=list(TOOLS.values()))
        self._rows = sqlite3.connect(place.file, check_same_thread=False)
        self._rows.execute("CREATE TABLE runs (id INTEGER PRIMARY KEY, thread TEXT, messages BLOB)")
        self._rows.execute("CREATE INDEX threads ON runs (thread)")

    def _agent(self, task: Task) -> Agent:
        return self._able if task is Task.TOOLS else self._plain

    def _next_thread(self) -> str:
        if self._asked >= EXCHANGES:
            self._thread, self._asked = uuid4().hex, 0
        self._asked += 1
        return self._thread

    def _history(self, thread: str) -> list[ModelMessage]:
        found = self._rows.execute(
            "SELECT messages FROM runs WHERE thread = ? ORDER BY id", (thread,)
        )
        return [one for (row,) in found for one in ModelMessagesTypeAdapter.validate_json(row)]

    def _keep(self, thread: str, done: Any) -> None:
        with self._rows as rows:
            rows.execute(
                "INSERT INTO runs (thread, messages) VALUES (?, ?)",
                (thread, done.new_messages_json()),
            )


class SyncAgent(_Agents):
    """`run_sync`, and `run_stream_sync`."""

    def open(self, place: Place) -> None:
        self._begin(place)

    def answer(self, task: Task) -> str:
        thread = self._next_thread()
        history = self._history(thread)
        if task is Task.STREAMED:
            streamed = self._plain.run_stream_sync(QUESTION, message_history=history)
            text = "".join(streamed.stream_text(delta=True, debounce_by=None))
            self._keep(thread, streamed)
            return text
        done = self._agent(task).run_sync(QUESTION, message_history=history)
        self._keep(thread, done)
        return str(done.output)

    def close(self) -> None:
        self._rows.close()


class AsyncAgent(_Agents):
    """`run`, and `run_stream`."""

    async def open(self, place: Place) -> None:
        self._begin(place)

    async def answer(self, task: Task) -> str:
        return await self._answer(task, self._next_thread())

    async def answer_apart(self) -> str:
        """Answer in a conversation of its own."""
        return await self._answer(Task.ANSWER, uuid4().hex)

    async def _answer(self, task: Task, thread: str) -> str:
        history = self._history(thread)
        if task is Task.STREAMED:
            async with self._plain.run_stream(QUESTION, message_history=history) as streamed:
                pieces = [one async for one in streamed.stream_text(delta=True, debounce_by=None)]
            self._keep(thread, streamed)
            return "".join(pieces)
        done = await self._agent(task).run(QUESTION, message_history=history)
        self._keep(thread, done)
        return str(done.output)

    async def close(self) -> None:
        await self._client.close()
        self._rows.close()


CONTENDERS = [
    Contender(
        name="pydantic-ai, a row for each run",
        kind=Kind.PEER,
        face=face,
        make=make,
        distribution="pydantic-ai-slim",
    )
    for face, make in ((Face.SYNC, SyncAgent), (Face.ASYNC, AsyncAgent))
]
