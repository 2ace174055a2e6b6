"""Drive a course: the sync way, the async way. Replay is the third (``replaying.py``)."""

from __future__ import annotations

import asyncio
import queue
from collections import deque
from collections.abc import Callable
from functools import partial
from typing import TypeVar

from eventstore import AsyncConversationStore, ConversationStore
from eventstore.engine.courses import Begin, Course, Next, Op
from eventstore.engine.effects import Effect
from eventstore.engine.requests import Ask, Together

__all__ = ["AsyncInbox", "Inbox", "drive", "drive_async"]

T = TypeVar("T")


class Inbox:
    """The results and the news of a run, for a thread that waits for them."""

    def __init__(self) -> None:
        self._arrived: queue.SimpleQueue[object] = queue.SimpleQueue()

    def put(self, arrived: object) -> None:
        """Deliver something, from any thread."""
        self._arrived.put(arrived)

    def take(self, seconds: float | None) -> object:
        """Return the next thing; None once the seconds are over."""
        try:
            return self._arrived.get(timeout=seconds)
        except queue.Empty:
            return None


class AsyncInbox:
    """The same, for one task. A future and a timer take half the steps of a queue and a timeout."""

    def __init__(self) -> None:
        self._arrived: deque[object] = deque()
        self._waits: asyncio.Future[None] | None = None

    def put(self, arrived: object) -> None:
        """Deliver something, on the loop."""
        self._arrived.append(arrived)
        self._wake()

    def _wake(self) -> None:
        if self._waits is not None and not self._waits.done():
            self._waits.set_result(None)

    async def take(self, seconds: float | None) -> object:
        """Return the next thing; None once the seconds are over."""
        if not self._arrived:
            loop = asyncio.get_running_loop()
            self._waits = loop.create_future()
            timer = None if seconds is None else loop.call_later(seconds, self._wake)
            try:
                await self._waits
            finally:
                self._waits = None
                if timer is not None:
                    timer.cancel()
        return self._arrived.popleft() if self._arrived else None


def drive(
    course: Course[T], store: ConversationStore, begin: Callable[[Effect], None], inbox: Inbox
) -> T:
    """Run a course to its end in this thread."""
    act: Callable[[], Op] = partial(next, course)
    while True:
        try:
            op = act()
        except StopIteration as end:
            return end.value  # type: ignore[no-any-return]
        try:
            answer = _done(op, store, begin, inbox)
        except BaseException as error:  # noqa: BLE001 (it is raised in the course)
            act = partial(course.throw, error)
        else:
            act = partial(course.send, answer)


def _done(
    op: Op, store: ConversationStore, begin: Callable[[Effect], None], inbox: Inbox
) -> object:
    match op:
        case Ask(call):
            return call(store)
        case Together(thread_id, collect, options):
            with store.threads.batch(thread_id, **options) as batch:
                return collect(batch)
        case Begin(effect):
            begin(effect)
            return None
        case Next(seconds):
            return inbox.take(seconds)


async def drive_async(
    course: Course[T],
    store: AsyncConversationStore,
    begin: Callable[[Effect], None],
    inbox: AsyncInbox,
) -> T:
    """Do the same in a task."""
    act: Callable[[], Op] = partial(next, course)
    while True:
        try:
            op = act()
        except StopIteration as end:
            return end.value  # type: ignore[no-any-return]
        try:
            answer = await _done_async(op, store, begin, inbox)
        except BaseException as error:  # noqa: BLE001 (it is raised in the course)
            act = partial(course.throw, error)
        else:
            act = partial(course.send, answer)


async def _done_async(
    op: Op, store: AsyncConversationStore, begin: Callable[[Effect], None], inbox: AsyncInbox
) -> object:
    match op:
        case Ask(call):
            return await call(store)
        case Together(thread_id, collect, options):
            async with store.threads.batch(thread_id, **options) as batch:
                return collect(batch)
        case Begin(effect):
            begin(effect)
            return None
        case Next(seconds):
            return await inbox.take(seconds)
