"""W8: the time from an append to its delivery, at 100 appends a second.

Each append says when it began; the subscriber looks at the same clock when it is handed the event.
So the time includes the append itself, down to the disk. The second pair of figures begins when
the append was acknowledged: what following adds to it. (It is below zero where the subscriber was
faster than the writer's own answer.)

In process, writer and subscriber share a store: two threads, or two tasks. Across processes, the
writer is a process of its own. No peer is measured.
"""

from __future__ import annotations

import asyncio
import json
import statistics
import subprocess
import sys
import threading
import time
import uuid
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks import goals
from benchmarks.contenders import Kind
from benchmarks.field import Plan, say
from benchmarks.goals import Comparison, Goal
from benchmarks.results import Column, Result, Row, Table
from eventstore import AsyncConversationStore, ConversationStore, NewEvent, StoreClosed

TITLE = "from an append to its delivery"
RATE = 100
WARMING = 20
"""Appends that are not counted: connections are made, code is compiled."""
COLUMNS = (
    Column("p50", "p50 ms", 2),
    Column("p99", "p99 ms", 2),
    Column("after p50", "after the answer, p50 ms", 2),
    Column("after p99", "p99 ms", 2),
)
Times = dict[int, float]


@dataclass(slots=True)
class _Delivery:
    """The times at which each append began, was answered, and arrived."""

    sent: Times
    answered: Times
    received: Times

    def figures(self) -> dict[str, float]:
        whole, after = (
            sorted((self.received[n] - since[n]) * 1000 for n in since if n >= WARMING)
            for since in (self.sent, self.answered)
        )
        return {
            "p50": statistics.median(whole),
            "p99": _p99(whole),
            "after p50": statistics.median(after),
            "after p99": _p99(after),
        }


def _p99(ordered: Sequence[float]) -> float:
    return ordered[min(len(ordered) - 1, int(len(ordered) * 0.99))]


def run(plan: Plan, result: Result) -> None:
    """Measure on the database of the plan."""
    count = WARMING + int((1 if plan.quick else 10) * RATE)
    across = goals.DELIVERY_ACROSS[plan.database]
    if plan.server is not None:
        place = plan.server.place()
        ways = {driver: place.url(driver) for driver in ("psycopg", "asyncpg")}
        settings = plan.server.settings()
        result.tables.append(_table("PostgreSQL", ways, count, across, settings))
    else:
        file = plan.scratch / "w8"
        file.mkdir()
        ways = {"psycopg": f"sqlite:///{file}/chat.db"}
        result.tables.append(_table("SQLite", ways, count, across, "FULL"))


def _table(name: str, urls: dict[str, str], count: int, across: Goal, durability: str) -> Table:
    url = urls["psycopg"]
    ways: dict[str, tuple[Callable[[], _Delivery], Goal]] = {
        "in process, sync": (lambda: _in_threads(url, count), goals.DELIVERY),
        "in process, async": (lambda: asyncio.run(_in_tasks(url, count)), goals.DELIVERY),
        "across processes, sync": (lambda: _from_elsewhere(url, count), across),
    }
    if "asyncpg" in urls:
        other = urls["asyncpg"]
        ways["in process, asyncpg"] = (
            lambda: asyncio.run(_in_tasks(other, count)),
            goals.DELIVERY,
        )
        ways["across processes, asyncpg"] = (
            lambda: asyncio.run(_from_elsewhere_async(other, url, count)),
            across,
        )
    rows, comparisons = [], []
    for way, (measure, goal) in ways.items():
        say(f"W8 {name}: {way}")
        figures = measure().figures()
        rows.append(Row(way, Kind.OURS, figures, durability))
        comparisons.append(Comparison(goal, way, (figures["p99"],)))
    return Table(f"{name}, {RATE} appends a second", COLUMNS, rows, comparisons)


# -- writing ---------------------------------------------------------------------------------------


def _event(number: int, stream: str) -> tuple[str, list[NewEvent]]:
    return stream, [NewEvent(type="Sent", data={"n": number})]


def _write(store: ConversationStore, count: int) -> tuple[Times, Times]:
    sent, answered, stream = {}, {}, f"order_{uuid.uuid4().hex}"
    start = time.monotonic()
    for n in range(count):
        time.sleep(max(0.0, start + n / RATE - time.monotonic()))
        sent[n] = time.monotonic()
        store.events.append(*_event(n, stream), expected_version=n or "no_stream")
        answered[n] = time.monotonic()
    return sent, answered


async def _write_async(store: AsyncConversationStore, count: int) -> tuple[Times, Times]:
    sent, answered, stream = {}, {}, f"order_{uuid.uuid4().hex}"
    start = time.monotonic()
    for n in range(count):
        await asyncio.sleep(max(0.0, start + n / RATE - time.monotonic()))
        sent[n] = time.monotonic()
        await store.events.append(*_event(n, stream), expected_version=n or "no_stream")
        answered[n] = time.monotonic()
    return sent, answered


@contextmanager
def _writer(url: str, count: int) -> Iterator[Callable[[], tuple[Times, Times]]]:
    """A process that writes; what is yielded waits for its account."""
    command = [sys.executable, "-m", "benchmarks.works.w8_delivery", url, str(count)]
    root = Path(__file__).parents[2]
    with subprocess.Popen(command, stdout=subprocess.PIPE, cwd=root) as process:

        def account() -> tuple[Times, Times]:
            told, _ = process.communicate()
            sent, answered = json.loads(told)
            return dict(enumerate(sent)), dict(enumerate(answered))

        yield account


# -- following -------------------------------------------------------------------------------------


def _last(store: ConversationStore) -> Any:
    """The end of what earlier measurements left."""
    found = list(store.events.read_all())
    return found[-1].position if found else None


def _follow(store: ConversationStore, after: Any, count: int) -> Times:
    received: Times = {}
    for event in store.events.subscribe(after=after):
        received[event.data["n"]] = time.monotonic()
        if len(received) == count:
            break
    return received


async def _follow_async(store: AsyncConversationStore, after: Any, count: int) -> Times:
    received: Times = {}
    with suppress(StoreClosed):
        async for event in store.events.subscribe(after=after):
            received[event.data["n"]] = time.monotonic()
            if len(received) == count:
                break
    return received


def _in_threads(url: str, count: int) -> _Delivery:
    with ConversationStore.open(url) as store:
        received: Times = {}
        after = _last(store)
        follower = threading.Thread(target=lambda: received.update(_follow(store, after, count)))
        follower.start()
        sent, answered = _write(store, count)
        follower.join()
    return _Delivery(sent, answered, received)


async def _in_tasks(url: str, count: int) -> _Delivery:
    async with AsyncConversationStore.open(url) as store:
        found = [event.position async for event in store.events.read_all()]
        after = found[-1] if found else None
        follower = asyncio.create_task(_follow_async(store, after, count))
        sent, answered = await _write_async(store, count)
        return _Delivery(sent, answered, await follower)


def _from_elsewhere(url: str, count: int) -> _Delivery:
    with ConversationStore.open(url) as store, _writer(url, count) as account:
        received = _follow(store, _last(store), count)
        return _Delivery(*account(), received)


async def _from_elsewhere_async(url: str, writers: str, count: int) -> _Delivery:
    async with AsyncConversationStore.open(url) as store:
        found = [event.position async for event in store.events.read_all()]
        with _writer(writers, count) as account:
            received = await _follow_async(store, found[-1], count)
            return _Delivery(*account(), received)


def _elsewhere(url: str, count: int) -> None:
    """Write, in a process that does nothing else, and say when."""
    with ConversationStore.open(url) as store:
        times = _write(store, count)
    sys.stdout.write(json.dumps([list(one.values()) for one in times]))


if __name__ == "__main__":
    _elsewhere(sys.argv[1], int(sys.argv[2]))
