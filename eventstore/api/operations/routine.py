"""Work of many steps that is written once for both faces.

A routine is a generator. It yields the next read or write, or a time to wait, and is sent the
result; an error is raised in it where it yielded. :func:`drive` runs one for the sync face,
:func:`drive_async` for the other.

A routine may clean up while an error or a cancellation passes through it: work that it yields then
is done, too, before the error goes on.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Awaitable, Callable, Generator
from functools import partial
from typing import Any, NamedTuple, Protocol, TypeAlias, TypeVar

from eventstore.api.operations.operation import Read, Wipe, Write
from eventstore.errors import InvalidInput
from eventstore.execution.signals import Signals

__all__ = [
    "Drives",
    "DrivesAsync",
    "Pause",
    "PauseAsync",
    "Routine",
    "Wait",
    "drive",
    "drive_async",
]

T = TypeVar("T")


class Wait(NamedTuple):
    """Wait for possible news, for that long at most; the result is whether to stop."""

    seconds: float


Step: TypeAlias = Read[Any] | Write[Any] | Wipe[Any] | Wait
Routine: TypeAlias = Generator[Step, Any, T]


class Drives(Protocol):
    """Runs routines to their ends, in a thread."""

    def __call__(self, routine: Routine[T], /) -> T:
        """Return the value that the routine returns."""


class DrivesAsync(Protocol):
    """The same in a task."""

    def __call__(self, routine: Routine[T], /) -> Awaitable[T]:
        """Return the value that the routine returns."""


def drive(routine: Routine[T], perform: Callable[[Any], Any], pause: Callable[[float], bool]) -> T:
    """Run a routine to its end in this thread."""
    act: Callable[[], Step] = partial(next, routine)
    while True:
        try:
            step = act()
        except StopIteration as end:
            return end.value  # type: ignore[no-any-return]
        try:
            answer = pause(step.seconds) if isinstance(step, Wait) else perform(step)
        except BaseException as error:  # noqa: BLE001 (it is raised in the routine)
            act = partial(routine.throw, error)
        else:
            act = partial(routine.send, answer)


async def drive_async(
    routine: Routine[T],
    perform: Callable[[Any], Awaitable[Any]],
    pause: Callable[[float], Awaitable[bool]],
) -> T:
    """Do the same in a task."""
    act: Callable[[], Step] = partial(next, routine)
    while True:
        try:
            step = act()
        except StopIteration as end:
            return end.value  # type: ignore[no-any-return]
        try:
            answer = await (pause(step.seconds) if isinstance(step, Wait) else perform(step))
        except BaseException as error:  # noqa: BLE001 (it is raised in the routine)
            act = partial(routine.throw, error)
        else:
            act = partial(routine.send, answer)


class Pause:
    """Waits for a hint of a commit, and reports whether to stop.

    A hint since the last wait counts, so nothing is missed between looking and waiting.
    """

    def __init__(self, changed: Signals, stop: threading.Event | None) -> None:
        _check_stop(stop)
        self._changed = changed
        self._stop = stop
        self._since = changed.mark

    def __call__(self, seconds: float) -> bool:
        """Wait; return whether to stop."""
        if not self._stopped() and seconds:
            self._changed.wait(self._since, seconds)
        self._since = self._changed.mark
        return self._stopped()

    def _stopped(self) -> bool:
        return self._stop is not None and self._stop.is_set()


class PauseAsync:
    """The same for a task."""

    def __init__(self, changed: Signals, stop: asyncio.Event | None) -> None:
        _check_stop(stop)
        self._changed = changed
        self._stop = stop
        self._since = changed.mark

    async def __call__(self, seconds: float) -> bool:
        """Wait; return whether to stop."""
        if not self._stopped() and seconds:
            await self._changed.wait_async(self._since, seconds)
        self._since = self._changed.mark
        return self._stopped()

    def _stopped(self) -> bool:
        return self._stop is not None and self._stop.is_set()


def _check_stop(stop: object) -> None:
    """Accept any event to stop a routine, of a thread, a task or a process."""
    if stop is not None and not callable(getattr(stop, "is_set", None)):
        raise InvalidInput(
            "stop",
            f"expected an event, got {type(stop).__name__}",
            "Give an Event; set it to stop.",
        )
