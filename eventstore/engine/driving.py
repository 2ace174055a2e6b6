"""Drive a course: the sync way, the async way. Replay is the third (``replaying.py``)."""

from __future__ import annotations

import asyncio
import queue
from collections.abc import Callable
from functools import partial
from typing import TypeVar

from eventstore import AsyncConversationStore, ConversationStore
from eventstore.engine.conducting import Begin, Course, Next, Op
from eventstore.engine.effects import Effect
from eventstore.engine.recording import Ask, Together

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
    """The same, for a task."""

    def __init__(self) -> None:
        self._arrived: asyncio.Queue[object] = asyncio.Queue()

    def put(self, arrived: object) -> None:
        """Deliver something, on the loop."""
        self._arrived.put_nowait(arrived)

    async def take(self, seconds: float | None) -> object:
        """Return the next thing; None once the seconds are over."""
        if not self._arrived.empty():
            return self._arrived.get_nowait()
        try:
            async with asyncio.timeout(seconds):
                return await self._arrived.get()
        except TimeoutError:
            return None


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
