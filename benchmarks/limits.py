"""The limits on SQLite: the plain driver doing the least that has to be done.

`PlainSqlite` inserts a row like our event and a row like our message and commits; there is no
check, no hash, no model. `PlainRows` reads rows and validates them into our own `Message`: what a
typed read costs when the store adds nothing to it.
"""

from __future__ import annotations

import json
import os
import sqlite3
import threading
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from itertools import cycle
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict

from benchmarks.contenders import Contender, Face, Kind
from benchmarks.places import Place
from benchmarks.work import WorkMessage, messages

_SCHEMA = """
CREATE TABLE event (
    position INTEGER PRIMARY KEY, stream BLOB NOT NULL, version INTEGER NOT NULL,
    event_id BLOB NOT NULL, type TEXT NOT NULL, recorded_at INTEGER NOT NULL,
    content TEXT NOT NULL, hash BLOB NOT NULL, UNIQUE (stream, version)
);
CREATE TABLE message (
    thread BLOB NOT NULL, depth INTEGER NOT NULL, message_id BLOB NOT NULL,
    role TEXT NOT NULL, position INTEGER NOT NULL, PRIMARY KEY (thread, depth)
) WITHOUT ROWID;
"""
_EVENT = "INSERT INTO event VALUES (NULL, ?, ?, ?, 'MessageAdded', ?, ?, ?)"
_MESSAGE = "INSERT INTO message VALUES (?, ?, ?, ?, ?)"
_LAST = """
SELECT content FROM message JOIN event USING (position)
WHERE thread = ? ORDER BY depth DESC LIMIT ?
"""


def connect(path: Path) -> sqlite3.Connection:
    """A plain connection, as durable as everything that is compared with it."""
    connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
    connection.execute("PRAGMA journal_mode=WAL")
    connection.execute("PRAGMA synchronous=FULL")
    return connection


class PlainSqlite:
    """One connection, two inserts and a commit for each message, one writer at a time."""

    def __init__(self) -> None:
        self._versions: dict[str, int] = {}
        self._one_writer = threading.Lock()

    def open(self, place: Place) -> None:
        self._connection = connect(place.file)
        self._connection.executescript(_SCHEMA)

    def new_thread(self) -> str:
        thread = os.urandom(16).hex()
        self._versions[thread] = 0
        return thread

    def append(self, thread: str, message: WorkMessage) -> None:
        with self._one_writer:
            self._connection.execute("BEGIN IMMEDIATE")
            self._insert(thread, message)
            self._connection.execute("COMMIT")

    def extend(self, thread: str, messages: Sequence[WorkMessage]) -> None:
        self._connection.execute("BEGIN IMMEDIATE")
        for message in messages:
            self._insert(thread, message)
        self._connection.execute("COMMIT")

    def _insert(self, thread: str, message: WorkMessage) -> None:
        stream = bytes.fromhex(thread)
        version = self._versions[thread] = self._versions[thread] + 1
        content = json.dumps({"text": message.text, "metadata": message.metadata})
        identity = os.urandom(16)
        event = (stream, version, identity, time.time_ns() // 1000, content, bytes(32))
        position = self._connection.execute(_EVENT, event).lastrowid
        row = (stream, version, identity, message.role, position)
        self._connection.execute(_MESSAGE, row)

    def last(self, thread: str, count: int) -> Sequence[object]:
        rows = self._connection.execute(_LAST, (bytes.fromhex(thread), count))
        return [json.loads(content) for (content,) in rows]

    def close(self) -> None:
        self._connection.close()


class StandInMessage(BaseModel):
    """Stands in for our own message model where the library is missing. Same fields."""

    model_config = ConfigDict(frozen=True)

    id: str
    thread_id: str
    parent_id: str | None
    role: str
    content: tuple[dict[str, Any], ...]
    name: str | None
    status: str
    created_at: datetime
    version: int
    revision: int
    sibling_index: int
    sibling_count: int
    replaces: str | None
    origin: str | None
    run_id: str | None
    actor: str | None
    external_id: str | None
    metadata: dict[str, Any]


def stand_ins(count: int) -> list[BaseModel]:
    """Messages to read when there are none of our own."""
    thread = f"thread_{os.urandom(16).hex()}"
    return [
        StandInMessage(
            id=f"msg_{os.urandom(16).hex()}",
            thread_id=thread,
            parent_id=None,
            role=message.role,
            content=({"type": "text", "text": message.text},),
            name=None,
            status="completed",
            created_at=datetime.now(UTC),
            version=number,
            revision=0,
            sibling_index=1,
            sibling_count=1,
            replaces=None,
            origin=None,
            run_id=None,
            actor=None,
            external_id=None,
            metadata=dict(message.metadata),
        )
        for number, message in enumerate(messages(count))
    ]


class PlainRows:
    """Rows that hold our own messages as JSON, and pydantic to make messages of them again.

    A store with a single thread, which is there from the beginning and is only read.
    """

    def __init__(self, originals: Sequence[BaseModel], length: int) -> None:
        self._model = type(originals[0])
        self._bodies = [original.model_dump_json(round_trip=True) for original in originals]
        self._length = length

    def open(self, place: Place) -> None:
        self._connection = connect(place.file)
        self._connection.execute("CREATE TABLE message (depth INTEGER PRIMARY KEY, body TEXT)")
        self._connection.execute("BEGIN")
        self._connection.executemany(
            "INSERT INTO message VALUES (?, ?)", zip(range(self._length), cycle(self._bodies))
        )
        self._connection.execute("COMMIT")

    def new_thread(self) -> str:
        return "the only one"

    def append(self, thread: str, message: WorkMessage) -> None:
        raise NotImplementedError

    def extend(self, thread: str, messages: Sequence[WorkMessage]) -> None:
        """The rows are there already."""

    def last(self, thread: str, count: int) -> Sequence[object]:  # noqa: ARG002 - there is one
        validate = self._model.model_validate_json
        statement = "SELECT body FROM message ORDER BY depth DESC LIMIT ?"
        return [validate(body) for (body,) in self._connection.execute(statement, (count,))]

    def read_all(self) -> int:
        """Read every row in order, keep none, and say how many there were."""
        validate = self._model.model_validate_json
        rows = self._connection.execute("SELECT body FROM message ORDER BY depth")
        read = 0
        for (body,) in rows:
            validate(body)
            read += 1
        return read

    def close(self) -> None:
        self._connection.close()


def rows(originals: Sequence[BaseModel], length: int) -> list[Contender]:
    """The limit of reading: `length` rows which hold these messages over and over."""
    plain = Contender(
        name="plain sqlite3 + pydantic",
        kind=Kind.LIMIT,
        face=Face.SYNC,
        make=lambda: PlainRows(originals, length),
        writes=False,
    )
    return [plain]


CONTENDERS = [Contender(name="plain sqlite3", kind=Kind.LIMIT, face=Face.SYNC, make=PlainSqlite)]
