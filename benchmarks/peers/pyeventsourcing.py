"""pyeventsourcing (`eventsourcing`), at two levels: its recorder and its aggregates.

The recorder stores bytes under (originator, version), without model or decision. An aggregate is
what an application of that library would write; it is held in memory between appends, which
spares it the replay that each command would otherwise begin with, and is replayed to be read.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any
from uuid import UUID, uuid4

from eventsourcing.application import Application
from eventsourcing.domain import Aggregate, event
from eventsourcing.persistence import StoredEvent
from eventsourcing.postgres import PostgresApplicationRecorder, PostgresDatastore
from eventsourcing.sqlite import SQLiteApplicationRecorder, SQLiteDatastore
from psycopg.conninfo import conninfo_to_dict

from benchmarks.contenders import Contender, Face, Kind
from benchmarks.places import Database, Place
from benchmarks.work import WorkMessage


class Recorder:
    """Events written by hand through the recorder."""

    def __init__(self) -> None:
        self._versions: dict[str, int] = {}

    def open(self, place: Place) -> None:
        self._datastore: Any = SQLiteDatastore(str(place.file))
        self._recorder: Any = SQLiteApplicationRecorder(self._datastore)
        self._recorder.create_table()

    def new_thread(self) -> str:
        thread = uuid4().hex
        self._versions[thread] = 0
        return thread

    def append(self, thread: str, message: WorkMessage) -> None:
        self._recorder.insert_events([self._stored(thread, message)])

    def extend(self, thread: str, messages: Sequence[WorkMessage]) -> None:
        self._recorder.insert_events([self._stored(thread, message) for message in messages])

    def _stored(self, thread: str, message: WorkMessage) -> StoredEvent:
        version = self._versions[thread] = self._versions[thread] + 1
        state = json.dumps(message.as_dict()).encode()
        return StoredEvent(UUID(thread), version, "MessageAdded", state)

    def last(self, thread: str, count: int) -> Sequence[object]:
        stored = self._recorder.select_events(UUID(thread), desc=True, limit=count)
        return [json.loads(one.state) for one in stored]

    def close(self) -> None:
        self._datastore.close()


class PostgresRecorder(Recorder):
    """The same on PostgreSQL, with a pool that is large enough for all writers."""

    def open(self, place: Place) -> None:
        self._datastore = PostgresDatastore(**_server(place), **POOL)
        self._recorder = PostgresApplicationRecorder(self._datastore)
        self._recorder.create_table()


POOL: dict[str, Any] = {"pool_size": 5, "max_overflow": 59, "connect_timeout": 30}


def _server(place: Place) -> dict[str, Any]:
    """The server's address and user, in the terms of the library."""
    given = conninfo_to_dict(place.dsn)
    known = {key: given.get(key, "") for key in ("dbname", "host", "port", "user")}
    return {**known, "password": given.get("password", "")}


class Conversation(Aggregate):
    """A conversation as an aggregate."""

    @event("Started")
    def __init__(self) -> None:
        self.messages: list[dict[str, Any]] = []

    @event("MessageAdded")
    def add(self, role: str, content: str, metadata: dict[str, str]) -> None:
        """Add a message."""
        self.messages.append({"role": role, "content": content, "metadata": metadata})


class Aggregates:
    """Aggregates saved through an application."""

    def __init__(self) -> None:
        self._held: dict[str, Conversation] = {}

    def open(self, place: Place) -> None:
        self._application = Application[UUID](env=self._settings(place))

    def _settings(self, place: Place) -> dict[str, str]:
        return {"PERSISTENCE_MODULE": "eventsourcing.sqlite", "SQLITE_DBNAME": str(place.file)}

    def new_thread(self) -> str:
        conversation = Conversation()
        self._application.save(conversation)
        self._held[conversation.id.hex] = conversation
        return conversation.id.hex

    def append(self, thread: str, message: WorkMessage) -> None:
        self.extend(thread, [message])

    def extend(self, thread: str, messages: Sequence[WorkMessage]) -> None:
        conversation = self._held[thread]
        for message in messages:
            conversation.add(message.role, message.text, message.metadata)
        self._application.save(conversation)

    def last(self, thread: str, count: int) -> Sequence[object]:
        conversation: Conversation = self._application.repository.get(UUID(thread))
        return list(conversation.messages[-count:])

    def close(self) -> None:
        self._application.close()


class PostgresAggregates(Aggregates):
    """The same on PostgreSQL."""

    def _settings(self, place: Place) -> dict[str, str]:
        server = {f"POSTGRES_{key.upper()}": str(value) for key, value in _server(place).items()}
        pool = {f"POSTGRES_{key.upper()}": str(value) for key, value in POOL.items()}
        return {"PERSISTENCE_MODULE": "eventsourcing.postgres", **server, **pool}


CONTENDERS = [
    Contender(
        name="pyeventsourcing recorder",
        kind=Kind.PEER,
        face=Face.SYNC,
        make=Recorder,
        distribution="eventsourcing",
    ),
    Contender(
        name="pyeventsourcing aggregate",
        kind=Kind.PEER,
        face=Face.SYNC,
        make=Aggregates,
        distribution="eventsourcing",
        length_max=10_000,
    ),
    Contender(
        name="pyeventsourcing recorder",
        kind=Kind.PEER,
        face=Face.SYNC,
        make=PostgresRecorder,
        database=Database.POSTGRES,
        distribution="eventsourcing",
    ),
    Contender(
        name="pyeventsourcing aggregate",
        kind=Kind.PEER,
        face=Face.SYNC,
        make=PostgresAggregates,
        database=Database.POSTGRES,
        distribution="eventsourcing",
        length_max=10_000,
    ),
]
