"""W4b: the operations whose cost grows with the thread, and the time that others wait meanwhile.

Every operation of the table is measured on a short thread and on a long one, round by round, and
the ratio is printed. Some grow with something else: how many threads there are, how often a message
was amended or has siblings, how deep forks of forks are; the two counts stand in their row.
Beside the time stands the longest own time that one transaction of it held the write lock, without
COMMIT: CPU time of the thread, so that a busy machine does not count. What this process holds
beside the stores (the peers' modules, above all) is frozen, so that the garbage collector does not
walk through it within a transaction: that took 70 ms, and would count as the operation's.

An operation without a limit (``most=None``) returns or reads the whole thread or, like an erasure,
is planned outside of the lock: its time may grow, its lock may not.
"""

from __future__ import annotations

import gc
import itertools
import statistics
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from benchmarks import goals
from benchmarks.contenders import Face, Kind
from benchmarks.field import Entrant, Plan, say
from benchmarks.goals import Comparison
from benchmarks.places import Place
from benchmarks.results import Column, Result, Row, Table
from benchmarks.work import messages

TITLE = "operations on a short and on a long thread, and how long they hold up others"
SIZES = (1_000, 100_000)
SIZES_QUICK = (200, 2_000)
ROUNDS_MAX = 3
_COUNT = 20
_SECONDS_MAX = 6.0
_DEEP = 3.0
COLUMNS = (
    Column("small", "ms, small", 3),
    Column("large", "ms, large", 3),
    Column("ratio", "ratio", 2),
    Column("held small", "lock ms, small", 2),
    Column("held large", "lock ms, large", 2),
    Column("from", "from"),
    Column("to", "to"),
)

Act = Callable[[], object]


@dataclass(slots=True)
class _Lock:
    """The longest own time within a write transaction since it was asked last."""

    longest: float = 0.0
    begun: float = 0.0

    def take(self) -> float:
        longest, self.longest = self.longest, 0.0
        return longest * 1000


@dataclass(slots=True)
class _Talk:
    """A thread of many messages, and what the operations need of it."""

    store: Any
    size: int
    thread: str
    trunk: list[str]
    place: Place
    spare: Iterator[str] = field(default_factory=lambda: iter(()))


@dataclass(frozen=True, slots=True)
class _Operation:
    """One line of the table."""

    name: str
    prepare: Callable[[_Talk], Act]
    most: float | None = 1.3
    """The largest allowed ratio; None for a linear operation."""
    part: int = 1
    """It grows with a count that is this part of the size."""

    def count(self, size: int) -> int:
        return max(1, size // self.part)


def run(plan: Plan, result: Result) -> None:
    """Measure the sync face: both do the same in a transaction."""
    if Face.SYNC not in plan.faces:
        return
    sizes = SIZES_QUICK if plan.quick else SIZES
    with _watched_lock() as lock, plan.field("W4b", plan.ours(Face.SYNC)) as opening:
        rounds = min(plan.rounds, ROUNDS_MAX)
        taken = opening.rounds(1, lambda one: _measured(one, sizes, rounds, lock))
        rows = [
            Row(name, Kind.OURS, figures, one.durability)
            for one in opening.entrants
            for found in taken.get(one.name, ())
            for name, figures in found.items()
        ]
        result.tables.append(Table("sync", COLUMNS, rows, _comparisons(rows)))
    result.missing += opening.failed
    result.notes.append("Not measured: purge, erasing a thread, create_many and migrations.")


def _comparisons(rows: list[Row]) -> list[Comparison]:
    limits = {one.name: one.most for one in OPERATIONS}
    flat = {one.name: one.figures["ratio"] for one in rows if limits[one.name] == 1.3}
    deep = {one.name: one.figures["ratio"] for one in rows if limits[one.name] == _DEEP}
    held = {one.name: one.figures["held large"] for one in rows}
    return [
        _worst(goals.COST_RATIO, flat),
        _worst(goals.COST_DEEP, deep),
        _worst(goals.COST_HELD, held),
    ]


def _worst(goal: goals.Goal, figures: dict[str, float]) -> Comparison:
    name = max(figures, key=figures.__getitem__, default="")
    return Comparison(goal, name, (figures[name],) if name else ())


def _measured(
    entrant: Entrant, sizes: tuple[int, int], rounds: int, lock: _Lock
) -> dict[str, dict[str, float]]:
    store = entrant.driver.ask(lambda ours: ours.store)
    talks = [_talk(store.tenant(f"of {size}"), size, entrant.place) for size in sizes]
    entrant.place.settle()
    found = {}
    gc.collect()
    gc.freeze()
    for operation in OPERATIONS:
        say(f"W4b: {operation.name}")
        acts = [operation.prepare(talk) for talk in talks]
        for act in acts:
            act()  # names are interned, pages are in the cache
        times: list[list[float]] = [[], []]
        held = [0.0, 0.0]
        for _, (number, act) in itertools.product(range(rounds), enumerate(acts)):
            lock.take()
            burst = entrant.driver.repeat(
                lambda _, act=act: act(), seconds=_SECONDS_MAX / rounds, count=_COUNT
            )
            times[number].append(burst.median * 1000)
            held[number] = max(held[number], lock.take())
        small, large = (statistics.median(one) for one in times)
        found[operation.name] = {
            "small": small,
            "large": large,
            "ratio": statistics.median(b / a for a, b in zip(*times, strict=True)),
            "held small": held[0],
            "held large": held[1],
            "from": operation.count(sizes[0]),
            "to": operation.count(sizes[1]),
        }
    gc.unfreeze()
    return found


@contextmanager
def _watched_lock() -> Iterator[_Lock]:
    """Look on while a write transaction is open, on connections that the store has of its own."""
    from eventstore.storage.postgres import PostgresDatabase  # noqa: PLC0415 (may be missing)
    from eventstore.storage.sqlite import SqliteDatabase  # noqa: PLC0415

    lock = _Lock()
    with _watched(SqliteDatabase, lock), _watched(PostgresDatabase, lock):
        yield lock


@contextmanager
def _watched(database: Any, lock: _Lock) -> Iterator[None]:
    say_it, begin, commit = database.say, database.begin, database.commit

    def said(self: Any, driver: Any, text: str) -> None:
        say_it(self, driver, text)
        if text == self.begin_write:
            lock.begun = time.thread_time()

    def begun(self: Any, driver: Any, text: str, *, patient: bool) -> None:
        begin(self, driver, text, patient=patient)
        if text == self.begin_write:
            lock.begun = time.thread_time()

    def committed(self: Any, driver: Any) -> Any:
        lock.longest = max(lock.longest, time.thread_time() - lock.begun)
        return commit(self, driver)

    database.say, database.begin, database.commit = said, begun, committed
    try:
        yield
    finally:
        database.say, database.begin, database.commit = say_it, begin, commit


# -- what is measured ------------------------------------------------------------------------------


def _said(count: int) -> list[dict[str, Any]]:
    return [message.as_dict() for message in messages(count)]


def _talk(store: Any, size: int, place: Place) -> _Talk:
    say(f"W4b: building a thread of {size:,}")
    thread = store.threads.create(title="long").id
    trunk: list[str] = []
    for start in range(0, size, 1_000):
        made = store.messages.create_many(thread, _said(min(1_000, size - start)))
        trunk += [message.id for message in made]
    return _Talk(store, size, thread, trunk, place, iter(trunk[size // 2 :]))


def _retry(talk: _Talk) -> Act:
    def send() -> object:
        return talk.store.messages.create(
            talk.thread, role="user", content="once", idempotency_key="W4b"
        )

    made = send()
    talk.store.messages.amend(talk.thread, made.id, content="twice")  # type: ignore[attr-defined]
    talk.store.messages.create_many(talk.thread, _said(50))
    return send


def _append(talk: _Talk) -> Act:
    return lambda: talk.store.messages.create(talk.thread, role="user", content="more")


def _append_after_removal(talk: _Talk) -> Act:
    last = talk.store.messages.create(talk.thread, role="user", content="to be removed").id
    talk.store.messages.remove(talk.thread, last)
    return _append(talk)


def _branches(talk: _Talk) -> Act:
    return lambda: talk.store.branches.list(talk.thread)


def _diff(talk: _Talk) -> Act:
    last = talk.store.threads.get(talk.thread).version
    middle = last // 2
    return lambda: talk.store.replay.diff(talk.thread, from_version=middle, to_version=middle + 1)


def _page_of_the_past(talk: _Talk) -> Act:
    version = talk.store.threads.get(talk.thread).version - 20
    return lambda: talk.store.messages.list(talk.thread, at_version=version, limit=50, order="desc")


def _fork_of_the_past(talk: _Talk) -> Act:
    version = talk.store.threads.get(talk.thread).version - 20
    return lambda: talk.store.threads.fork(talk.thread, at_version=version)


def _last(talk: _Talk) -> Act:
    return lambda: talk.store.messages.list(talk.thread, limit=50, order="desc")


def _last_beside_removed(talk: _Talk) -> Act:
    store, count = talk.store, max(1, talk.size // 100)
    thread = store.threads.create().id
    first = store.messages.create(thread, role="user", content="first").id
    drafts = [{**one, "parent_id": first} for one in _said(count)]
    made = store.messages.create_many(thread, drafts)
    store.messages.create_many(thread, _said(49))
    store.messages.remove(thread, made[0].id) if count > 1 else None
    return lambda: store.messages.list(thread, limit=50, order="desc")


def _amended(talk: _Talk) -> Act:
    store = talk.store
    thread = store.threads.create().id
    message = store.messages.create(thread, role="user", content="first").id
    for number in range(max(1, talk.size // 100)):
        store.messages.amend(thread, message, content=f"wording {number}")
    return lambda: store.messages.get(thread, message)


def _among_threads(talk: _Talk) -> str:
    for number in range(max(1, talk.size // 10)):
        talk.store.threads.create(metadata={"app": "web", "number": number})
    found: str = talk.store.threads.list(metadata={"number": 3}).data[0].id
    return found


def _metadata(talk: _Talk) -> Act:
    _among_threads(talk)
    return lambda: talk.store.threads.list(metadata={"app": "web", "number": 3})


def _erase_a_fork(talk: _Talk) -> Act:
    """Erase where forks are looked for, beside the threads that were made before."""
    store = talk.store
    thread = store.threads.create().id
    ids = itertools.cycle([one.id for one in store.messages.create_many(thread, _said(200))])
    return lambda: store.privacy.erase(thread, next(ids))


def _erase(talk: _Talk) -> Act:
    return lambda: talk.store.privacy.erase(talk.thread, next(talk.spare))


def _rebuild(talk: _Talk) -> Act:
    return lambda: talk.store.projections.rebuild(talk.thread)


def _rebuild_lost(talk: _Talk) -> Act:
    """Everybody's messages go, so this comes last."""

    def act() -> None:
        talk.place.lose(["messages"])
        talk.store.projections.rebuild(talk.thread)

    return act


def _state(talk: _Talk) -> Act:
    return lambda: talk.store.replay.state(talk.thread)


def _steps(talk: _Talk) -> Act:
    return lambda: sum(len(step.state.messages) for step in talk.store.replay.steps(talk.thread))


def _fork_chain(talk: _Talk) -> str:
    store, thread = talk.store, talk.store.threads.create().id
    store.messages.create_many(thread, _said(20))
    for number in range(max(1, talk.size // 1_000)):
        thread = store.threads.fork(thread).id
        store.messages.create(thread, role="user", content=f"at depth {number}")
    return str(thread)


def _read_deep(talk: _Talk) -> Act:
    thread = _fork_chain(talk)
    return lambda: talk.store.messages.list(thread, limit=10, order="desc")


def _amend_deep(talk: _Talk) -> Act:
    thread = _fork_chain(talk)
    first = talk.store.messages.list(thread, limit=1).data[0].id
    return lambda: talk.store.messages.amend(thread, first, content="reworded")


OPERATIONS = (
    _Operation("append", _append),
    _Operation("retry with an idempotency key", _retry),
    _Operation("last 50", _last),
    _Operation("last 50 as of a version", _page_of_the_past),
    _Operation("replay.diff of neighbours", _diff),
    _Operation("branches.list, one branch", _branches),
    _Operation("append after a removal", _append_after_removal),
    _Operation("last 50 beside removed siblings", _last_beside_removed, part=100),
    _Operation("get a message amended often", _amended, part=100),
    _Operation("threads.list(metadata), one hit", _metadata, part=10),
    _Operation("erase among many threads", _erase_a_fork, part=10),
    _Operation("erase one message", _erase, most=None),  # planned outside of the lock
    _Operation("read a fork of forks", _read_deep, most=_DEEP, part=1_000),
    _Operation("amend in a fork of forks", _amend_deep, most=_DEEP, part=1_000),
    _Operation("fork of an earlier version", _fork_of_the_past, most=None),
    _Operation("projections.rebuild of one thread", _rebuild, most=None),
    _Operation("replay.state", _state, most=None),
    _Operation("replay.steps, counting the path", _steps, most=None),
    _Operation("rebuild after all messages were lost", _rebuild_lost, most=None),
)
