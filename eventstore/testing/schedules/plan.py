"""What each writer is going to do: drawn from the seed, and from nothing else."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from random import Random
from typing import Final, NamedTuple

from eventstore.testing.schedules.protocol import Append, Ending, StoreUnderTest, Transaction

__all__ = ["END", "Life", "Schedule", "Work", "is_phantom", "lives", "transactions"]

END: Final = "end.0"
"""The event after all others: who was told of it has come to the end."""

_TAKEN_BACK: Final = "!"
"""Ends the names of events whose transaction is rolled back."""

# Out of a hundred transactions, where the store is able to.
_BATCHES: Final = 15
_ENDINGS: Final = {Ending.ROLLBACK: 4, Ending.KILLED: 1, Ending.UNHEARD: 1}

_BATCH_MAX: Final = 6
_STREAMS_MAX: Final = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Schedule:
    """How much is done, by how many, and for how long at most."""

    appends: int
    """Transactions, by all writers together."""
    seed: int = 0
    streams: int = 8
    processes: int = 2
    threads: int = 4
    """Writers in each process."""
    kills: int = 0
    """Processes that die of SIGKILL about a quarter of the way, and are followed by another."""
    readers: int = 2
    several_percent: int = 20
    """Of the transactions append to several streams."""
    writes_first_percent: int = 30
    """Of the transactions write something else first."""
    page: int = 50
    """The longest page a reader asks for."""
    poll_seconds: float = 0.002
    """How long a reader waits that has found less than a page."""
    settle_seconds: float = 10.0
    """How long readers may take to come to the end after the last writer."""
    seconds: float = 60.0
    """How long the writers may take."""


@dataclass(frozen=True, slots=True)
class Life:
    """One process of writers, from its start to its end or its killing."""

    name: str
    appends: tuple[int, ...]
    """By each of its writers."""
    dies_at: int | None = None
    """Killed a moment after its first writer has begun its n-th transaction."""


class Work(NamedTuple):
    """All that a process of writers is told."""

    schedule: Schedule
    store: StoreUnderTest
    streams: Sequence[str]
    life: Life = Life("", ())


def lives(schedule: Schedule) -> list[list[Life]]:
    """For each process, the lives it has one after another."""
    writers = schedule.processes * schedule.threads
    shares = [(schedule.appends + number) // writers for number in range(writers)]
    return [
        _lives_of(process, schedule, tuple(shares[process :: schedule.processes]))
        for process in range(schedule.processes)
    ]


def _lives_of(process: int, schedule: Schedule, shares: tuple[int, ...]) -> list[Life]:
    name = f"p{process}"
    if process >= schedule.kills:
        return [Life(name, shares)]
    half = tuple(share // 2 for share in shares)
    rest = tuple(share - share // 2 for share in shares)
    return [
        Life(f"{name}a", half, dies_at=half[0] // 2),
        Life(f"{name}b", rest),
    ]


def transactions(
    schedule: Schedule, life: Life, thread: int, store: StoreUnderTest, streams: Sequence[str]
) -> Iterator[Transaction]:
    """What one writer does in its life."""
    writer = f"{life.name}.{thread}"
    chance = Random(f"{schedule.seed}/{writer}")  # noqa: S311 (a seed is the point)
    for number in range(life.appends[thread]):
        yield _transaction(schedule, chance, f"{writer}.{number}", store, streams)


def _transaction(
    schedule: Schedule, chance: Random, name: str, store: StoreUnderTest, streams: Sequence[str]
) -> Transaction:
    ending = _ending(chance, store)
    mark = _TAKEN_BACK if ending is Ending.ROLLBACK else ""
    many = store.several_streams and chance.randrange(100) < schedule.several_percent
    count = chance.randint(2, _STREAMS_MAX) if many else 1
    size = chance.randint(2, _BATCH_MAX) if chance.randrange(100) < _BATCHES else 1
    chosen = chance.sample(streams, min(count, len(streams)))
    appends = tuple(
        Append(stream, tuple(f"{name}.{part}.{n}{mark}" for n in range(size)))
        for part, stream in enumerate(chosen)
    )
    first = store.several_streams and chance.randrange(100) < schedule.writes_first_percent
    return Transaction(name, appends, writes_first=first, ending=ending)


def _ending(chance: Random, store: StoreUnderTest) -> Ending:
    drawn = chance.randrange(100)
    for ending, share in _ENDINGS.items():
        drawn -= share
        if drawn < 0:
            return ending if ending in store.endings else Ending.COMMIT
    return Ending.COMMIT


def is_phantom(event_id: str) -> bool:
    """Whether an event was taken back, so that nobody may ever be told of it."""
    return event_id.endswith(_TAKEN_BACK)
