"""Usage of each thread on each day, as a projection that follows the log.

::

    store.projections.register(Usage())
    store.projections.catch_up("usage")
    days = store.projections.read("usage", usage(thread_id=thread.id))

It counts what happened, on the day (UTC) it was recorded: a message when it was sent, its text's
characters then, those of an amendment when it was made. Removing or deleting takes nothing back. A
run counts on the day it was asked for, its tokens on the day it ended, as far as they were
recorded. What a fork inherits was used by its source. A thread that is purged is forgotten, with
what it used.
What was erased is not counted back; tables
that are made anew afterwards count the message without its characters.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, date, datetime
from typing import Any, Final, NamedTuple

from eventstore.core import ids
from eventstore.core.events import RecordedEvent
from eventstore.errors import InvalidInput
from eventstore.read_models.catch_up.tables import Tables, WritableTables

__all__ = ["DayOfUse", "Usage", "usage"]

_DAY: Final = "tenant TEXT NOT NULL, thread_id TEXT NOT NULL, day TEXT NOT NULL"
_CREATE: Final = (
    (
        f"CREATE TABLE {{messages}} ({_DAY}, role TEXT NOT NULL, messages BIGINT NOT NULL,"
        " characters BIGINT NOT NULL, PRIMARY KEY (tenant, thread_id, day, role))"
    ),
    (
        f"CREATE TABLE {{runs}} ({_DAY}, runs BIGINT NOT NULL, input_tokens BIGINT NOT NULL,"
        " output_tokens BIGINT NOT NULL, total_tokens BIGINT NOT NULL,"
        " PRIMARY KEY (tenant, thread_id, day))"
    ),
)
_ADD_MESSAGE: Final = (
    "INSERT INTO {messages} AS kept VALUES (?, ?, ?, ?, ?, ?)"
    " ON CONFLICT (tenant, thread_id, day, role) DO UPDATE SET"
    " messages = kept.messages + excluded.messages,"
    " characters = kept.characters + excluded.characters"
)
_ADD_RUN: Final = (
    "INSERT INTO {runs} AS kept VALUES (?, ?, ?, ?, ?, ?, ?)"
    " ON CONFLICT (tenant, thread_id, day) DO UPDATE SET runs = kept.runs + excluded.runs,"
    " input_tokens = kept.input_tokens + excluded.input_tokens,"
    " output_tokens = kept.output_tokens + excluded.output_tokens,"
    " total_tokens = kept.total_tokens + excluded.total_tokens"
)
_FORGET: Final = tuple(
    f"DELETE FROM {{{table}}} WHERE tenant = ? AND thread_id = ?" for table in ("messages", "runs")
)
_BORN: Final = frozenset({"MessageAdded", "MessageEdited", "MessageRegenerated", "MessageQueued"})
_ENDED: Final = frozenset({"RunCompleted", "RunIncomplete", "RunFailed"})
_TOKENS: Final = ("input_tokens", "output_tokens", "total_tokens")


class DayOfUse(NamedTuple):
    """Usage of one thread on one day."""

    thread_id: str
    """The thread."""
    day: date
    """The day, in UTC."""
    messages: Mapping[str, int]
    """Messages sent, by role."""
    characters: int
    """Characters of their texts, and of those that amended others."""
    runs: int
    """Runs that were asked for."""
    input_tokens: int
    """Tokens that went into the runs that ended."""
    output_tokens: int
    """Tokens that came out of them."""
    total_tokens: int
    """All tokens of the runs that ended, as they were recorded."""


def usage(
    thread_id: str | None = None, since: date | None = None, until: date | None = None
) -> Callable[[Tables], list[DayOfUse]]:
    """Return the query of ``store.projections.read("usage", …)``: days in order, ends included.

    Raises:
        InvalidInput: on an argument.
    """
    where, parameters = "tenant = ?", []
    if thread_id is not None:
        ids.parse(ids.THREAD, thread_id, "thread_id")
        where, parameters = f"{where} AND thread_id = ?", [thread_id]
    for field, comparison, edge in (("since", ">=", since), ("until", "<=", until)):
        if edge is not None:
            day = _checked_day(edge, field)
            where, parameters = f"{where} AND day {comparison} ?", [*parameters, day]

    def look(tables: Tables) -> list[DayOfUse]:
        given = (tables.tenant, *parameters)
        said = tables.all(
            f"SELECT day, thread_id, role, messages, characters FROM {{messages}} WHERE {where}",
            given,
        )
        ran = tables.all(
            "SELECT day, thread_id, runs, input_tokens, output_tokens, total_tokens"
            f" FROM {{runs}} WHERE {where}",
            given,
        )
        return _days(said, ran)

    return look


def _checked_day(value: object, field: str) -> str:
    if not isinstance(value, date) or isinstance(value, datetime):  # which is a date to Python
        raise InvalidInput(
            field, f"expected a date, got {type(value).__name__}", "Give a datetime.date (UTC)."
        )
    return value.isoformat()


def _days(said: list[tuple[Any, ...]], ran: list[tuple[Any, ...]]) -> list[DayOfUse]:
    roles: dict[tuple[str, str], dict[str, int]] = {}
    characters: dict[tuple[str, str], int] = {}
    runs = {(row[0], row[1]): row[2:] for row in ran}
    for day, thread, role, count, size in said:
        characters[day, thread] = characters.get((day, thread), 0) + size
        if count:
            roles.setdefault((day, thread), {})[role] = count
    return [
        DayOfUse(
            thread,
            date.fromisoformat(day),
            roles.get((day, thread), {}),
            characters.get((day, thread), 0),
            *runs.get((day, thread), (0, 0, 0, 0)),
        )
        for day, thread in sorted(characters.keys() | runs.keys())
    ]


class Usage:
    """Counts messages, characters, runs and tokens; see the module."""

    name = "usage"
    stores_words = False
    version = 1
    tables: tuple[str, ...] = ("messages", "runs")
    """Names of its tables, without their common beginning."""
    categories: tuple[str, ...] = (ids.THREAD, ids.STORE)
    """Categories of the events that it follows."""

    def contents(self, tables: Tables) -> list[tuple[Any, ...]]:
        """Return every count but that of characters, which erasures do not count back."""
        said = "SELECT tenant, thread_id, day, role, messages FROM {messages}"
        ran = (
            "SELECT tenant, thread_id, day, runs, input_tokens, output_tokens, total_tokens"
            " FROM {runs}"
        )
        return [*tables.all(said), *tables.all(ran)]

    def create(self, tables: WritableTables) -> None:
        """Make the tables."""
        for text in _CREATE:
            tables.run(text)

    def apply(self, tables: WritableTables, event: RecordedEvent) -> None:
        """Count one event."""
        data = event.data
        if event.type == "ThreadPurged":
            for text in _FORGET:
                tables.run(text, (tables.tenant, data["thread_id"]))
            return
        day = event.recorded_at.astimezone(UTC).date().isoformat()
        place = (tables.tenant, event.stream_id, day)
        tokens = data.get("usage") or {}
        if event.type in _BORN and data.get("queued_version") is None:
            tables.run(_ADD_MESSAGE, (*place, data["role"], 1, _characters(event)))
        elif event.type == "MessageAmended":
            tables.run(_ADD_MESSAGE, (*place, "", 0, _characters(event)))
        elif event.type == "RunQueued":
            tables.run(_ADD_RUN, (*place, 1, 0, 0, 0))
        elif event.type in _ENDED and tokens:
            tables.run(_ADD_RUN, (*place, 0, *(tokens.get(name, 0) for name in _TOKENS)))


def _characters(event: RecordedEvent) -> int:
    parts = (event.content or {}).get("parts", ())
    return sum(len(part) for part in parts if isinstance(part, str))
