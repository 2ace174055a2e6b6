"""Run a sync function beside an event loop."""

from __future__ import annotations

import asyncio
import contextlib
import contextvars
import threading
from collections.abc import Callable
from typing import TypeVar

__all__ = ["in_thread"]

T = TypeVar("T")


async def in_thread(function: Callable[[], T]) -> T:
    """Run a function in a thread of its own, which does not keep the interpreter from ending.

    A thread cannot be stopped. If the waiting task is cancelled, the thread goes on, and its result
    is dropped.
    """
    loop = asyncio.get_running_loop()
    future: asyncio.Future[T] = loop.create_future()
    context = contextvars.copy_context()

    def work() -> None:
        try:
            result = context.run(function)
        except BaseException as error:  # noqa: BLE001 (handed to whoever waits)
            _tell(loop, _fail, future, _as_exception(error))
        else:
            _tell(loop, _settle, future, result)

    threading.Thread(target=work, name="eventstore-tool", daemon=True).start()
    return await future


def _as_exception(error: BaseException) -> BaseException:
    """A future does not take StopIteration, and re-raises an exit in the loop."""
    if isinstance(error, Exception) and not isinstance(error, StopIteration):
        return error
    return RuntimeError(type(error).__name__)


def _tell(loop: asyncio.AbstractEventLoop, call: Callable[..., object], *given: object) -> None:
    with contextlib.suppress(RuntimeError):  # the loop was closed meanwhile
        loop.call_soon_threadsafe(call, *given)


def _settle(future: asyncio.Future[T], result: T) -> None:
    if not future.done():
        future.set_result(result)


def _fail(future: asyncio.Future[T], error: BaseException) -> None:
    if not future.done():
        future.set_exception(error)
