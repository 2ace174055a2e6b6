"""W10: verifying a whole store, and signing a tree head after few of many threads changed.

The store has 100,000 threads of ten events (``--events`` gives another number). It is filled with
one write a thread, a few hundred at a time, so that they share commits. A verification recomputes
every hash and compares every table. Its memory is what the process held at the peak above what it
held before. The first tree head covers every thread; the later ones, each after a message to ten
threads, what changed.
"""

from __future__ import annotations

import asyncio
import statistics
from dataclasses import dataclass
from time import perf_counter
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from benchmarks import goals, memory
from benchmarks.contenders import Kind
from benchmarks.field import Plan, say
from benchmarks.goals import Comparison
from benchmarks.results import Column, Result, Row, Table
from benchmarks.work import POOL
from eventstore import AsyncConversationStore, ConversationStore

TITLE = "verifying a whole store; a tree head after few of many threads changed"
EVENTS = 1_000_000
QUICK = 5_000
OF_A_THREAD = 10
CHANGED = 10
HEADS = 7
_AT_ONCE = 400
COLUMNS = (
    Column("verified", "events verified/s"),
    Column("seconds", "seconds", 1),
    Column("MB", "MB gained", 1),
    Column("first head", "s, first head", 2),
    Column("head", f"ms, head after {CHANGED} threads", 1),
)


@dataclass(frozen=True, slots=True)
class _Urls:
    sync: str
    own: str
    durability: str


def run(plan: Plan, result: Result) -> None:
    """Measure on the database of the plan. Sealing has a table of its own, beside this one."""
    events = plan.events or (QUICK if plan.quick else EVENTS)
    urls = _urls(plan)
    say(f"W10 fills a store with {events:,} events")
    asyncio.run(_fill(urls.own, events // OF_A_THREAD))
    with ConversationStore.open(urls.sync) as store:
        say("W10 verifies it")
        figures = _verified(store, events)
        say("W10 signs tree heads")
        figures |= _signed(store)
    result.notes.append(f"{events:,} events over {events // OF_A_THREAD:,} threads.")
    rows = [Row("ours", Kind.OURS, figures, urls.durability)]
    comparisons = [
        Comparison(goals.VERIFY, "", (figures["verified"],)),
        Comparison(goals.VERIFY_MEMORY, "", (figures["MB"],) if "MB" in figures else ()),
        Comparison(goals.TREE_HEAD, "", (figures["head"],)),
    ]
    result.tables.append(Table("one process", COLUMNS, rows, comparisons))


def _urls(plan: Plan) -> _Urls:
    if plan.server is not None:
        place = plan.server.place()
        return _Urls(place.url("psycopg"), place.url("asyncpg"), plan.server.settings())
    folder = plan.scratch / "w10"
    folder.mkdir()
    url = f"sqlite:///{folder}/chat.db"
    return _Urls(url, url, "FULL")


async def _fill(url: str, threads: int) -> None:
    drafts = [one.as_dict() for one in POOL[: OF_A_THREAD - 1]]
    async with AsyncConversationStore.open(url) as store:
        for begun in range(0, threads, _AT_ONCE):
            some = range(begun, min(begun + _AT_ONCE, threads))
            await asyncio.gather(*[store.threads.create(messages=drafts) for _ in some])


def _verified(store: Any, events: int) -> dict[str, float]:
    with memory.growth() as grown:
        started = perf_counter()
        report = store.audit.verify()
        seconds = perf_counter() - started
    if not report.ok or report.events != events:
        raise ValueError(f"verified {report.events} of {events}: {report.findings[:3]}")
    gained = {} if grown.megabytes is None else {"MB": grown.megabytes}
    return {"verified": events / seconds, "seconds": seconds, **gained}


def _signed(store: Any) -> dict[str, float]:
    key = Ed25519PrivateKey.generate()
    started = perf_counter()
    store.audit.sign_tree_head(key)
    figures = {"first head": perf_counter() - started}
    threads = [one.id for one in store.threads.list(limit=CHANGED).data]
    taken = []
    for _ in range(HEADS):
        for thread in threads:
            store.messages.create(thread, role="user", content=POOL[0].text)
        started = perf_counter()
        store.audit.sign_tree_head(key)
        taken.append((perf_counter() - started) * 1_000)
    return {**figures, "head": statistics.median(taken)}
