"""W10b: what encryption costs: an append, a thread with a key of its own, and a page, on and off.

The processor's time is that of the whole process, so it holds the key store in a file, too. Rounds
take the three stores in turn, and every other round the other way round. An append goes to one
thread, whose key is in memory; a new thread makes a key, which is on the disk before the thread is.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final, NamedTuple, TypeAlias

from benchmarks.contenders import Kind
from benchmarks.field import Plan, say
from benchmarks.results import Column, Result, Row, Table
from eventstore import ConversationStore
from eventstore.encryption import DatabaseKeys, Encryption, LocalMasterKey, SqliteKeys

TITLE = "sealing on and off"
COLUMNS = (
    Column("cpu", "µs of processor", 1),
    Column("wall", "µs", 1),
)
TEXT: Final = "The sky is blue because air scatters short waves more than long ones. " * 4
_MASTER: Final = LocalMasterKey(bytes(range(32)))


Act: TypeAlias = Callable[[ConversationStore, str], object]
"""What is measured: done with a store and its thread."""


class _Taken(NamedTuple):
    cpu: float
    wall: float


def run(plan: Plan, result: Result) -> None:
    """Measure on the database of the plan."""
    result.missing.clear()  # no peer seals
    stores = {way: _opened(plan, way) for way in ("off", "keys in a file", "keys in the database")}
    works: dict[str, tuple[int, Act]] = {
        "an append": (500, lambda s, t: s.messages.create(t, role="user", content=TEXT)),
        "a new thread": (100, lambda s, _: s.threads.create(title="a thread")),
        "a page of 50 messages": (50, lambda s, t: list(s.messages.list(t, limit=50))),
    }
    threads = {way: _begun(store) for way, store in stores.items()}
    for title, (count, act) in works.items():
        taken: dict[str, list[_Taken]] = {way: [] for way in stores}
        for number in range(plan.rounds):
            say(f"W10b {title}, round {number + 1}")
            for way, store in list(stores.items())[:: 1 if number % 2 else -1]:
                some = max(count // 10, 5) if plan.quick else count
                taken[way].append(_measured(store, threads[way], act, some))
        rows = [_row(way, taken[way]) for way in stores]
        result.tables.append(Table(title, COLUMNS, rows, []))
    for store in stores.values():
        store.close()


def _opened(plan: Plan, way: str) -> ConversationStore:
    folder = plan.scratch / f"w10b-{way.replace(' ', '-')}"
    folder.mkdir()
    if plan.server is not None:
        url = plan.server.place().url("psycopg")
    else:
        url = f"sqlite:///{folder}/chat.db"
    return ConversationStore.open(url, encryption=_encryption(folder, way))


def _encryption(folder: Path, way: str) -> Encryption | None:
    if way == "off":
        return None
    return Encryption(
        _MASTER, SqliteKeys(folder / "keys.db") if way == "keys in a file" else DatabaseKeys()
    )


def _begun(store: ConversationStore) -> str:
    thread = store.threads.create().id
    for _ in range(60):
        store.messages.create(thread, role="user", content=TEXT)
    return thread


def _measured(
    store: ConversationStore,
    thread: str,
    act: Act,
    count: int,
) -> _Taken:
    cpu, wall = time.process_time(), time.perf_counter()
    for _ in range(count):
        act(store, thread)
    cpu, wall = time.process_time() - cpu, time.perf_counter() - wall
    return _Taken(cpu / count * 1e6, wall / count * 1e6)


def _row(way: str, taken: list[_Taken]) -> Row:
    figures = {
        "cpu": statistics.median([one.cpu for one in taken]),
        "wall": statistics.median([one.wall for one in taken]),
    }
    return Row(way, Kind.OURS, figures, "FULL")
