"""The plan of each writer: drawn from the seed, and from nothing else."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from random import Random
from string import ascii_lowercase
from typing import Final, NamedTuple

from eventstore.testing.schedules.protocol import Append, Ending, StoreUnderTest, Transaction

__all__ = [
    "END",
    "Life",
    "Schedule",
    "Work",
    "is_phantom",
    "life_here",
    "lives",
    "long_schedule",
    "transactions",
]

END: Final = "end.0"
"""The last event: a reader that receives it has come to the end."""

_TAKEN_BACK: Final = "!"
"""Ends the names of events whose transaction is rolled back."""

_BATCHES_PERCENT: Final = 15
_BATCH_MAX: Final = 6
_STREAMS_MAX: Final = 3

_MANY: Final = 100_000
_SECONDS_AN_APPEND: Final = 0.02
"""More than any machine takes: a schedule that takes longer has stopped."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Schedule:
    """The number of appends, the number of writers, and the time they may take.

    Writers are threads of this process, unless ``processes`` says otherwise. Processes can be
    killed, and find what a lock within one process hides; the store is pickled into them.
    """

    appends: int
    """Number of transactions, of all writers together."""
    seed: int = 0
    """Seed of everything that the writers do. The machine decides their order."""
    streams: int = 8
    """Number of streams; all writers append to all of them."""
    processes: int = 0
    """Number of processes with writers. With 0 the writers are threads of this process."""
    threads: int = 8
    """Number of writers in each process, or in this one."""
    kills: int = 0
    """Number of processes that are killed by SIGKILL while they write; another follows each."""
    server_kills: int = 0
    """The number of times the server is killed and started again while writers write."""
    readers: int = 2
    """Number of readers that ask for page after page."""
    subscribers: int = 0
    """Number of readers that subscribe to the store."""
    several_percent: float = 20
    """Percentage of transactions that append to several streams, if the store can do that."""
    writes_first_percent: float = 30
    """Percentage of transactions that first write something else, if the store can do that."""
    keyed_percent: float = 100
    """Percentage of transactions that are sent again while their outcome is unknown."""
    rolled_back_percent: float = 4
    """Percentage of transactions that are rolled back, if the store can do that."""
    killed_percent: float = 1
    """Percentage of transactions whose connection the server ends, if it can do that."""
    unheard_percent: float = 1
    """Percentage of transactions whose client sends its commit and goes away."""
    page: int = 50
    """Most events that a reader asks for at once."""
    poll_seconds: float = 0.001
    """The time a reader waits after a page that was not full."""
    settle_seconds: float = 10.0
    """The time readers may take to reach the end after the last writer has ended."""
    seconds: float = 60.0
    """The time the writers may take."""


@dataclass(frozen=True, slots=True)
class Life:
    """One process of writers, from its start to its end or its killing."""

    name: str
    appends: tuple[int, ...]
    """By each of its writers."""
    dies_at: int | None = None
    """The number of transactions its writers begin together before they are killed."""


class Work(NamedTuple):
    """Everything that a process of writers gets."""

    schedule: Schedule
    store: StoreUnderTest
    streams: Sequence[str]
    life: Life = Life("", ())


def long_schedule(appends: int, *, seed: int = 0, server_kills: int = 0) -> Schedule:
    """Return a schedule of tens of thousands of appends, or a million.

    Most are requests that share commits. A transaction of the application's takes ten times as
    long, and so does a request for a stream that the other process holds: there are fewer of them
    than in a short schedule, and still thousands.

    Args:
        appends: transactions, by all writers together.
        seed: what each writer does is drawn from it.
        server_kills: how often the server is killed while they write.
    """
    return Schedule(
        appends=appends,
        seed=seed,
        streams=max(50, min(400, appends // 100)),
        processes=2,
        threads=24,
        kills=2 if appends < _MANY else 6,
        server_kills=server_kills,
        readers=1,
        subscribers=1,
        several_percent=3,
        writes_first_percent=2,
        keyed_percent=20,  # to look a key up is a trip to the server for each
        rolled_back_percent=1,
        killed_percent=0.05,
        unheard_percent=0.05,
        page=1_000,
        poll_seconds=0.02,
        settle_seconds=60 + appends * _SECONDS_AN_APPEND / 10,
        seconds=60 + appends * _SECONDS_AN_APPEND,
    )


def life_here(schedule: Schedule) -> Life:
    """Return the work of writers that are threads of this process."""
    return Life("w", tuple(_shares(schedule, schedule.threads)))


def lives(schedule: Schedule) -> list[list[Life]]:
    """Return the lives of each process, one after another."""
    shares = _shares(schedule, schedule.processes * schedule.threads)
    return [
        _lives_of(process, schedule, tuple(shares[process :: schedule.processes]))
        for process in range(schedule.processes)
    ]


def _shares(schedule: Schedule, writers: int) -> list[int]:
    return [(schedule.appends + number) // writers for number in range(writers)]


def _lives_of(process: int, schedule: Schedule, shares: tuple[int, ...]) -> list[Life]:
    """A life that will be killed gets almost its share before that; the rest is not done."""
    kills = (schedule.kills + schedule.processes - 1 - process) // schedule.processes
    planned = []
    for number in range(kills + 1):
        appends = tuple((share + number) // (kills + 1) for share in shares)
        dies_at = sum(appends) * 15 // 16 if number < kills else None
        planned.append(Life(f"p{process}{ascii_lowercase[number]}", appends, dies_at))
    return planned


def transactions(
    schedule: Schedule, life: Life, thread: int, store: StoreUnderTest, streams: Sequence[str]
) -> Iterator[Transaction]:
    """Yield the transactions of one writer in its life, with events numbered from 0."""
    writer = f"{life.name}.{thread}"
    chance = Random(f"{schedule.seed}/{writer}")  # noqa: S311 (a seed is the point)
    events = 0
    for number in range(life.appends[thread]):
        ending = _ending(schedule, chance, store)
        mark = _TAKEN_BACK if ending is Ending.ROLLBACK else ""
        appends = []
        for stream in chance.sample(streams, min(_how_many(schedule, chance, store), len(streams))):
            size = chance.randint(2, _BATCH_MAX) if _drawn(chance, _BATCHES_PERCENT) else 1
            names = (f"{writer}.{n}{mark}" for n in range(events, events + size))
            appends.append(Append(stream, tuple(names)))
            events += size
        first = store.several_streams and _drawn(chance, schedule.writes_first_percent)
        yield Transaction(
            f"{writer}/{number}",
            tuple(appends),
            writes_first=first,
            ending=ending,
            keyed=_drawn(chance, schedule.keyed_percent),
        )


def _drawn(chance: Random, percent: float) -> bool:
    return chance.random() * 100 < percent


def _how_many(schedule: Schedule, chance: Random, store: StoreUnderTest) -> int:
    several = store.several_streams and _drawn(chance, schedule.several_percent)
    return chance.randint(2, _STREAMS_MAX) if several else 1


def _ending(schedule: Schedule, chance: Random, store: StoreUnderTest) -> Ending:
    shares = {
        Ending.ROLLBACK: schedule.rolled_back_percent,
        Ending.KILLED: schedule.killed_percent,
        Ending.UNHEARD: schedule.unheard_percent,
    }
    drawn = chance.random() * 100
    for ending, share in shares.items():
        drawn -= share
        if drawn < 0:
            return ending if ending in store.endings else Ending.COMMIT
    return Ending.COMMIT


def is_phantom(event_id: str) -> bool:
    """Return whether an event was rolled back, so that no reader may receive it."""
    return event_id.endswith(_TAKEN_BACK)
