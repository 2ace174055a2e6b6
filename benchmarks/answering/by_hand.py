"""The limit: the same requests made by hand with the openai SDK.

Once nothing is kept: the messages live in a list. Once each message is a row of a plain table in
SQLite, durable before the next step.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable
from typing import Any
from uuid import uuid4

from openai import AsyncOpenAI, OpenAI

from benchmarks.answering.task import (
    DEFINITIONS,
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

Chat = list[dict[str, Any]]
Keep = Callable[[str, dict[str, Any]], None]


class _Conversation:
    """A list of messages that begins anew after some exchanges."""

    def __init__(self, keep: Keep) -> None:
        self._keep = keep
        self._asked = EXCHANGES

    def ask(self) -> Chat:
        """Add the question."""
        if self._asked >= EXCHANGES:
            self._name, self._asked = uuid4().hex, 0
            self.messages: Chat = [{"role": "system", "content": INSTRUCTIONS}]
        self._asked += 1
        self.add({"role": "user", "content": QUESTION})
        return self.messages

    def add(self, message: dict[str, Any]) -> None:
        """Add a message."""
        self.messages.append(message)
        self._keep(self._name, message)


def _keep_nothing(_: str, __: dict[str, Any]) -> None:
    """Leave everything in memory."""


class _Rows:
    """A table of messages."""

    def open(self, place: Place) -> None:
        self._connection = sqlite3.connect(place.file)
        self._connection.execute("CREATE TABLE messages (id INTEGER PRIMARY KEY, thread, body)")

    def keep(self, thread: str, message: dict[str, Any]) -> None:
        with self._connection as connection:
            connection.execute(
                "INSERT INTO messages (thread, body) VALUES (?, ?)", (thread, json.dumps(message))
            )

    def close(self) -> None:
        self._connection.close()


class ByHand:
    """The sync client."""

    rows: _Rows | None = None

    def open(self, place: Place) -> None:
        if self.rows is not None:
            self.rows.open(place)
        self._client = OpenAI(base_url=base_url(), api_key=KEY, max_retries=0)
        self._talk = _Conversation(self.rows.keep if self.rows else _keep_nothing)

    def answer(self, task: Task) -> str:
        talk = self._talk
        messages = talk.ask()
        if task is Task.STREAMED:
            return self._streamed(messages)
        offered: Any = {"tools": DEFINITIONS} if task is Task.TOOLS else {}
        while True:
            answer = self._client.chat.completions.create(
                model=MODEL, messages=_sent(messages), **offered
            )
            message = answer.choices[0].message
            talk.add(message.to_dict())
            if not message.tool_calls:
                return message.content or ""
            for call in message.tool_calls:
                talk.add(_result(call))

    def _streamed(self, messages: Chat) -> str:
        with self._client.chat.completions.create(
            model=MODEL, messages=_sent(messages), stream=True
        ) as chunks:
            text = "".join([_piece(chunk) for chunk in chunks])
        self._talk.add({"role": "assistant", "content": text})
        return text

    def close(self) -> None:
        self._client.close()
        if self.rows is not None:
            self.rows.close()


class ByHandWithRows(ByHand):
    """The sync client, and rows."""

    def __init__(self) -> None:
        self.rows = _Rows()


class AsyncByHand:
    """The async client."""

    async def open(self, place: Place) -> None:  # noqa: ARG002 (nothing is kept)
        self._client = AsyncOpenAI(base_url=base_url(), api_key=KEY, max_retries=0)
        self._talk = _Conversation(_keep_nothing)

    async def answer(self, task: Task) -> str:
        return await self._answer(task, self._talk)

    async def answer_apart(self) -> str:
        """Answer in a conversation of its own."""
        return await self._answer(Task.ANSWER, _Conversation(_keep_nothing))

    async def _answer(self, task: Task, talk: _Conversation) -> str:
        messages = talk.ask()
        if task is Task.STREAMED:
            return await self._streamed(talk, messages)
        offered: Any = {"tools": DEFINITIONS} if task is Task.TOOLS else {}
        while True:
            answer = await self._client.chat.completions.create(
                model=MODEL, messages=_sent(messages), **offered
            )
            message = answer.choices[0].message
            talk.add(message.to_dict())
            if not message.tool_calls:
                return message.content or ""
            for call in message.tool_calls:
                talk.add(_result(call))

    async def _streamed(self, talk: _Conversation, messages: Chat) -> str:
        chunks = await self._client.chat.completions.create(
            model=MODEL, messages=_sent(messages), stream=True
        )
        async with chunks:
            text = "".join([_piece(chunk) async for chunk in chunks])
        talk.add({"role": "assistant", "content": text})
        return text

    async def close(self) -> None:
        await self._client.close()


def _piece(chunk: Any) -> str:
    return (chunk.choices[0].delta.content or "") if chunk.choices else ""


def _sent(messages: Chat) -> Any:
    return messages


def _result(call: Any) -> dict[str, Any]:
    output = TOOLS[call.function.name](**json.loads(call.function.arguments))
    return {"role": "tool", "tool_call_id": call.id, "content": output}


CONTENDERS = [
    *(
        Contender(
            name=name,
            kind=Kind.LIMIT,
            face=face,
            make=make,
            database=database,
            distribution="openai",
            writes=False,
            pragmas=False,
        )
        for database in Database
        for name, face, make in (
            ("openai SDK by hand, nothing kept", Face.SYNC, ByHand),
            ("openai SDK by hand, nothing kept", Face.ASYNC, AsyncByHand),
        )
    ),
    Contender(
        name="openai SDK by hand, plain rows",
        kind=Kind.LIMIT,
        face=Face.SYNC,
        make=ByHandWithRows,
        distribution="openai",
    ),
]
