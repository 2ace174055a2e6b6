"""A store, sync or async, with followers that run beside the test and can be waited for."""

import asyncio
import threading
import time
from collections.abc import Callable
from contextlib import contextmanager
from typing import Any

from eventstore import NewEvent

PATIENCE_SECONDS = 30.0
FOREVER = 3600.0
"""An interval that no test lives to see the end of: what arrives, arrived by a signal."""


def until(condition: Callable[[], object]) -> None:
    """Wait until something is so that nobody tells of."""
    deadline, tick = time.monotonic() + PATIENCE_SECONDS, threading.Event()
    while not condition():
        assert time.monotonic() < deadline, "it never came to be so"
        tick.wait(0.002)


def stream(number: int, category: str = "order") -> str:
    return f"{category}_{number:032x}"


def named(*names: str, kind: str = "Happened") -> list[NewEvent]:
    return [NewEvent(type=kind, data={"name": name}) for name in names]


class Follower:
    """What one subscription has delivered. It may be held up, to be a slow consumer."""

    def __init__(self) -> None:
        self.events: list[Any] = []
        self.error = None
        self.ended = threading.Event()
        self._changed = threading.Condition()

    def take(self, event) -> None:
        with self._changed:
            self.events.append(event)
            self._changed.notify_all()

    def end(self, error=None) -> None:
        with self._changed:
            self.error = error
            self._changed.notify_all()
        self.ended.set()

    @property
    def names(self):
        return [event.data.get("name", event.type) for event in self.events]

    def until(self, count: int):
        """Wait for so many events; return all there are."""
        with self._changed:
            met = self._changed.wait_for(
                lambda: len(self.events) >= count or self.error, PATIENCE_SECONDS
            )
        assert self.error is None, self.error
        assert met, f"{len(self.events)} of {count} events came"
        return self.events

    def until_error(self):
        assert self.ended.wait(PATIENCE_SECONDS), "it goes on"
        return self.error


class SyncWay:
    """Followers are threads."""

    def __init__(self, store) -> None:
        self.store = store

    def call(self, method, *args, **options):
        return method(*args, **options)

    def follow(self, *, before=lambda: None, **options) -> Follower:
        """``before`` is called by the consumer with each event it was given."""
        follower = Follower()

        def consume():
            try:
                for event in self.store.events.subscribe(**options):
                    before()
                    follower.take(event)
            except BaseException as error:  # noqa: BLE001 (the test looks at it)
                follower.end(error)

        threading.Thread(target=consume, daemon=True).start()
        return follower


class AsyncWay:
    """Followers are tasks of one event loop."""

    def __init__(self, store, loop) -> None:
        self.store = store
        self.loop = loop
        self.tasks: dict[Any, Any] = {}

    def call(self, method, *args, **options):
        async def called():
            return await method(*args, **options)

        return asyncio.run_coroutine_threadsafe(called(), self.loop).result(PATIENCE_SECONDS)

    def follow(self, *, before=lambda: None, **options) -> Follower:
        follower = Follower()

        async def consume():
            try:
                async for event in self.store.events.subscribe(**options):
                    await asyncio.to_thread(before)
                    follower.take(event)
            except BaseException as error:
                follower.end(error)
                raise

        self.tasks[follower] = asyncio.run_coroutine_threadsafe(consume(), self.loop)
        return follower


def changed(store):
    """Where a store tells of commits."""
    return store._executor.changed  # noqa: SLF001 (who waits is nobody's business but the tests')


class Opened:
    """A store that is open in one way."""

    def __init__(self, way) -> None:
        self.way = way
        self.store = way.store
        self.follow = way.follow

    @property
    def changed(self):
        return changed(self.store)

    def append(self, number, *names, **options):
        options = {"expected_version": "any", **options}
        kind = options.pop("kind", "Happened")
        given = options.pop("stream_id", stream(number))
        return self.way.call(self.store.events.append, given, named(*names, kind=kind), **options)

    def positions(self):
        """The position of every event."""
        if isinstance(self.way, SyncWay):
            return [event.position for event in self.store.events.read_all()]

        async def read():
            return [event.position async for event in self.store.events.read_all()]

        return self.way.call(read)

    def until_waiting(self):
        """Wait until a follower waits, having found nothing more."""
        until(lambda: self.changed.in_demand)

    def close(self):
        self.way.call(self.store.close)


@contextmanager
def opened(kind, *args, **options):
    """Open a store: of a sync or an async class."""
    made = kind.open(*args, **options)
    if not hasattr(made, "__aenter__"):
        with made as store:
            yield Opened(SyncWay(store))
        return
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever)
    thread.start()

    async def entered():
        return await made

    try:
        store = asyncio.run_coroutine_threadsafe(entered(), loop).result(PATIENCE_SECONDS)
        way = AsyncWay(store, loop)
        one = Opened(way)
        try:
            yield one
        finally:
            one.close()
            for task in way.tasks.values():
                task.exception(PATIENCE_SECONDS)
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()


def catch_up_and_follow_large_contents(store):
    """Contents on both sides of where they stand apart, before and after somebody follows."""

    def send(size):
        event = NewEvent(type="Sent", content={"text": "x" * size})
        append = store.store.events.append
        store.way.call(append, stream(size), [event], expected_version="any")

    sizes = [10, 40_000, 32_700, 70_000]
    for size in sizes[:2]:
        send(size)
    follower = store.follow(poll_seconds=FOREVER)
    follower.until(2)
    for size in sizes[2:]:
        send(size)
    assert [len(event.content["text"]) for event in follower.until(4)] == sizes
