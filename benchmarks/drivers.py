"""Timing one store, in the same words for both faces.

The works know only `Driver`. A sync store is called directly, from OS threads where writers are
concurrent; an async store is awaited on one event loop that lives as long as the driver, from
tasks where writers are concurrent. Every call is timed on its own: the two clock readings cost a
tenth of a microsecond, against tens of microseconds for the cheapest append.
"""

from __future__ import annotations

import asyncio
import gc
import statistics
import threading
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from dataclasses import dataclass
from time import perf_counter
from typing import Any, Protocol, TypeVar, cast

from benchmarks.contenders import (
    AsyncBranching,
    AsyncStore,
    Branching,
    Contender,
    Face,
    Store,
)
from benchmarks.places import Place
from benchmarks.work import WorkMessage, messages

Returned = TypeVar("Returned")
_UNBOUNDED = 10**9


@dataclass(frozen=True, slots=True)
class Burst:
    """Calls made one after the other, or by several writers at once, and how long each took."""

    seconds: float
    latencies: tuple[float, ...]

    @property
    def rate(self) -> float:
        """Calls in a second."""
        return len(self.latencies) / self.seconds

    @property
    def median(self) -> float:
        """Seconds of the middle call."""
        return statistics.median(self.latencies)

    @property
    def p99(self) -> float:
        """Seconds below which 99 calls of 100 stayed."""
        ordered = sorted(self.latencies)
        return ordered[min(len(ordered) - 1, len(ordered) * 99 // 100)]


class Driver(Protocol):
    """A store that is open, and can be set up and timed."""

    def open(self, place: Place) -> None:
        """Open the store in a place of its own."""

    def close(self) -> None:
        """Close the store."""

    def new_thread(self, length: int = 0) -> str:
        """Begin a thread with `length` messages in it."""

    def extend(self, thread: str, length: int) -> None:
        """Add `length` messages to set up."""

    def new_branched_thread(self, length: int, branches: int) -> str | None:
        """Begin a thread with branches; None from a store that has none."""

    def append(self, thread: str, *, seconds: float, count: int = _UNBOUNDED) -> Burst:
        """Append until `seconds` have gone by or `count` messages are in."""

    def append_at_once(self, threads: Sequence[str], *, seconds: float) -> Burst:
        """Append with one writer for each thread until `seconds` have gone by."""

    def last(self, thread: str, page: int, *, seconds: float) -> Burst:
        """Read the last `page` messages until `seconds` have gone by."""

    def sample(self, thread: str, page: int) -> Sequence[object]:
        """The last `page` messages."""

    def ask(self, act: Callable[[Any], Any]) -> Any:
        """Return the result of `act` on the store; an awaitable is awaited."""

    def repeat(
        self, act: Callable[[Any], Any], *, seconds: float, count: int = _UNBOUNDED
    ) -> Burst:
        """Do something with the store until `seconds` have gone by or it was done `count` times."""


def driver(contender: Contender) -> Driver:
    """The driver for a contender's face."""
    if contender.face is Face.SYNC:
        return SyncDriver(cast("Store", contender.make()))
    return AsyncDriver(cast("AsyncStore", contender.make()))


class SyncDriver:
    """Times a sync store."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def open(self, place: Place) -> None:
        self._store.open(place)

    def close(self) -> None:
        self._store.close()

    def new_thread(self, length: int = 0) -> str:
        thread = self._store.new_thread()
        self.extend(thread, length)
        return thread

    def extend(self, thread: str, length: int) -> None:
        if length:
            self._store.extend(thread, list(messages(length)))

    def new_branched_thread(self, length: int, branches: int) -> str | None:
        if isinstance(self._store, Branching):
            return self._store.new_branched_thread(length, branches)
        return None

    def append(self, thread: str, *, seconds: float, count: int = _UNBOUNDED) -> Burst:
        gc.collect()
        return _pace(lambda message: self._store.append(thread, message), seconds, count)

    def append_at_once(self, threads: Sequence[str], *, seconds: float) -> Burst:
        gc.collect()
        starting = threading.Barrier(len(threads) + 1)
        bursts: list[Burst] = []
        failures: list[Exception] = []

        def write(thread: str) -> None:
            starting.wait()
            try:
                append = self._store.append
                bursts.append(_pace(lambda message: append(thread, message), seconds))
            except Exception as error:  # noqa: BLE001 - handed to the main thread below
                failures.append(error)

        writers = [threading.Thread(target=write, args=(thread,)) for thread in threads]
        for writer in writers:
            writer.start()
        starting.wait()
        started = perf_counter()
        for writer in writers:
            writer.join()
        if failures:
            raise failures[0]
        return _together(perf_counter() - started, bursts)

    def last(self, thread: str, page: int, *, seconds: float) -> Burst:
        gc.collect()
        return _pace(lambda _: self._store.last(thread, page), seconds)

    def sample(self, thread: str, page: int) -> Sequence[object]:
        return self._store.last(thread, page)

    def ask(self, act: Callable[[Any], Any]) -> Any:
        return act(self._store)

    def repeat(
        self, act: Callable[[Any], Any], *, seconds: float, count: int = _UNBOUNDED
    ) -> Burst:
        gc.collect()
        return _pace(lambda _: act(self._store), seconds, count)


class AsyncDriver:
    """Times an async store, on one event loop of its own."""

    def __init__(self, store: AsyncStore) -> None:
        self._store = store
        self._loop = asyncio.Runner()

    def _run(self, work: Coroutine[object, object, Returned]) -> Returned:
        return self._loop.run(work)

    def open(self, place: Place) -> None:
        self._run(self._store.open(place))

    def close(self) -> None:
        try:
            self._run(self._store.close())
        finally:
            self._loop.close()

    def new_thread(self, length: int = 0) -> str:
        thread = self._run(self._store.new_thread())
        self.extend(thread, length)
        return thread

    def extend(self, thread: str, length: int) -> None:
        if length:
            self._run(self._store.extend(thread, list(messages(length))))

    def new_branched_thread(self, length: int, branches: int) -> str | None:
        if isinstance(self._store, AsyncBranching):
            return self._run(self._store.new_branched_thread(length, branches))
        return None

    def append(self, thread: str, *, seconds: float, count: int = _UNBOUNDED) -> Burst:
        gc.collect()
        return self._run(
            _pace_async(lambda message: self._store.append(thread, message), seconds, count)
        )

    def append_at_once(self, threads: Sequence[str], *, seconds: float) -> Burst:
        gc.collect()
        return self._run(self._append_at_once(threads, seconds))

    async def _append_at_once(self, threads: Sequence[str], seconds: float) -> Burst:
        async def write(thread: str) -> Burst:
            append = self._store.append
            return await _pace_async(lambda message: append(thread, message), seconds)

        started = perf_counter()
        async with asyncio.TaskGroup() as group:
            writers = [group.create_task(write(thread)) for thread in threads]
        return _together(perf_counter() - started, [writer.result() for writer in writers])

    def last(self, thread: str, page: int, *, seconds: float) -> Burst:
        gc.collect()
        return self._run(_pace_async(lambda _: self._store.last(thread, page), seconds))

    def sample(self, thread: str, page: int) -> Sequence[object]:
        return self._run(self._store.last(thread, page))

    def ask(self, act: Callable[[Any], Any]) -> Any:
        async def asked() -> Any:
            return await act(self._store)

        return self._run(asked())

    def repeat(
        self, act: Callable[[Any], Any], *, seconds: float, count: int = _UNBOUNDED
    ) -> Burst:
        gc.collect()
        return self._run(_pace_async(lambda _: act(self._store), seconds, count))


def _pace(call: Callable[[WorkMessage], object], seconds: float, count: int = _UNBOUNDED) -> Burst:
    latencies: list[float] = []
    started = now = perf_counter()
    for message in messages(count):
        call(message)
        then, now = now, perf_counter()
        latencies.append(now - then)
        if now - started >= seconds:
            break
    return Burst(now - started, tuple(latencies))


async def _pace_async(
    call: Callable[[WorkMessage], Awaitable[object]], seconds: float, count: int = _UNBOUNDED
) -> Burst:
    latencies: list[float] = []
    started = now = perf_counter()
    for message in messages(count):
        await call(message)
        then, now = now, perf_counter()
        latencies.append(now - then)
        if now - started >= seconds:
            break
    return Burst(now - started, tuple(latencies))


def _together(seconds: float, bursts: Sequence[Burst]) -> Burst:
    return Burst(seconds, tuple(one for burst in bursts for one in burst.latencies))
