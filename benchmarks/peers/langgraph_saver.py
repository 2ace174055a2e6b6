"""LangGraph's SQLite checkpointer, sync and async.

A checkpoint holds the whole state, so adding a message writes all messages once more. A graph
would read the state before and write more than one checkpoint for a turn; here the state is held
in memory and one checkpoint is put for each message.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from contextlib import AsyncExitStack
from typing import Any
from uuid import uuid4

from langchain_core.messages import AIMessage, BaseMessage, HumanMessage
from langgraph.checkpoint.base import empty_checkpoint
from langgraph.checkpoint.sqlite import SqliteSaver
from langgraph.checkpoint.sqlite.aio import AsyncSqliteSaver

from benchmarks.contenders import Contender, Face, Kind
from benchmarks.places import Place
from benchmarks.work import WorkMessage


class _State:
    """The messages of one thread, as a graph would hold them between two steps."""

    def __init__(self, thread: str) -> None:
        self.config: Any = {"configurable": {"thread_id": thread, "checkpoint_ns": ""}}
        self.messages: list[BaseMessage] = []

    def add(self, messages: Sequence[WorkMessage]) -> tuple[Any, Any, Any, Any]:
        """Take messages in and return what has to be put."""
        for message in messages:
            kind = HumanMessage if message.role == "user" else AIMessage
            self.messages.append(
                kind(message.text, id=uuid4().hex, additional_kwargs=dict(message.metadata))
            )
        checkpoint = empty_checkpoint()
        checkpoint["channel_values"] = {"messages": self.messages}
        checkpoint["channel_versions"] = {"messages": len(self.messages)}
        step = {"source": "loop", "step": len(self.messages), "parents": {}}
        return self.config, checkpoint, step, {"messages": len(self.messages)}


class Saver:
    """SqliteSaver, on the one connection that its documentation shows."""

    def __init__(self) -> None:
        self._states: dict[str, _State] = {}

    def open(self, place: Place) -> None:
        self._connection = sqlite3.connect(place.file, check_same_thread=False)
        self._saver = SqliteSaver(self._connection)
        self._saver.setup()

    def new_thread(self) -> str:
        thread = uuid4().hex
        self._states[thread] = _State(thread)
        return thread

    def append(self, thread: str, message: WorkMessage) -> None:
        self.extend(thread, [message])

    def extend(self, thread: str, messages: Sequence[WorkMessage]) -> None:
        state = self._states[thread]
        state.config = self._saver.put(*state.add(messages))

    def last(self, thread: str, count: int) -> Sequence[object]:
        config: Any = {"configurable": {"thread_id": thread, "checkpoint_ns": ""}}
        return _messages(self._saver.get_tuple(config), count)

    def close(self) -> None:
        self._connection.close()


class AsyncSaver:
    """AsyncSqliteSaver, over aiosqlite."""

    def __init__(self) -> None:
        self._states: dict[str, _State] = {}
        self._stack = AsyncExitStack()

    async def open(self, place: Place) -> None:
        saver = AsyncSqliteSaver.from_conn_string(str(place.file))
        self._saver = await self._stack.enter_async_context(saver)
        await self._saver.setup()

    async def new_thread(self) -> str:
        thread = uuid4().hex
        self._states[thread] = _State(thread)
        return thread

    async def append(self, thread: str, message: WorkMessage) -> None:
        await self.extend(thread, [message])

    async def extend(self, thread: str, messages: Sequence[WorkMessage]) -> None:
        state = self._states[thread]
        state.config = await self._saver.aput(*state.add(messages))

    async def last(self, thread: str, count: int) -> Sequence[object]:
        config: Any = {"configurable": {"thread_id": thread, "checkpoint_ns": ""}}
        return _messages(await self._saver.aget_tuple(config), count)

    async def close(self) -> None:
        await self._stack.aclose()


def _messages(found: Any, count: int) -> Sequence[object]:
    state: list[object] = found.checkpoint["channel_values"]["messages"]
    return state[-count:]


CONTENDERS = [
    Contender(
        name="LangGraph SqliteSaver",
        kind=Kind.PEER,
        face=Face.SYNC,
        make=Saver,
        distribution="langgraph-checkpoint-sqlite",
        length_max=10_000,
    ),
    Contender(
        name="LangGraph AsyncSqliteSaver",
        kind=Kind.PEER,
        face=Face.ASYNC,
        make=AsyncSaver,
        distribution="langgraph-checkpoint-sqlite",
        length_max=10_000,
    ),
]
