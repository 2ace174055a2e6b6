"""The ``with`` blocks in which an application's own loop is recorded, and their heartbeats."""

from __future__ import annotations

import asyncio
import contextlib
import threading
import time
import weakref
from collections.abc import Awaitable, Callable
from functools import partial
from types import TracebackType
from typing import Any, Final, TypeVar

from eventstore.api.faces.recorded import AsyncRecordedRun, RecordedRun
from eventstore.api.operations.recording import Recording
from eventstore.api.operations.routine import Drives, DrivesAsync, Routine, drive, drive_async
from eventstore.errors import (
    LeaseLost,
    NotFound,
    OutcomeUnknown,
    Refused,
    StoreBusy,
    StoreClosed,
    StoreUnavailable,
)

__all__ = ["AsyncRecordedBlock", "RecordedBlock"]

_OVER: Final = (Refused, LeaseLost, NotFound, StoreClosed)
"""The run ended, or is another's, and the loop's next write says so; or everything ends."""
_PASSING: Final = (StoreBusy, StoreUnavailable, OutcomeUnknown)
"""The next beat tries again."""

T = TypeVar("T")


def _never_waits(_: float) -> bool:
    raise NotImplementedError  # no routine of a recording waits


async def _never_waits_async(seconds: float) -> bool:
    return _never_waits(seconds)


class RecordedBlock:
    """``with store.runs.record(…) as run:``; ends the run however the block is left.

    It is no generator: one that is dropped would be closed wherever the garbage collector runs, and
    the store must not be asked for anything there.
    """

    def __init__(self, recording: Recording, perform: Callable[[Any], Any]) -> None:
        self._recording = recording
        self._do = _one_at_a_time(partial(drive, perform=perform, pause=_never_waits))
        self._heart = _Heart(self, recording, self._do)

    def __enter__(self) -> RecordedRun:
        try:
            self._do(self._recording.begin())
            self._heart.start()
            return RecordedRun(self._recording, self._do)
        except BaseException as error:
            self._leave(error)
            raise

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._leave(error)

    def _leave(self, error: BaseException | None) -> None:
        try:
            self._end(error)
        except BaseException as struck:
            if not isinstance(struck, Exception):  # an interrupt, while it was ending
                self._do(self._recording.stop())
            raise
        finally:
            self._heart.stop()

    def _end(self, error: BaseException | None) -> None:
        if error is None:
            try:
                self._do(self._recording.finish())
            except Exception as own:
                self._do(self._recording.fail(own))
                raise
        elif isinstance(error, Exception):
            self._do(self._recording.fail(error))
        else:
            self._do(self._recording.stop())


def _one_at_a_time(do: Drives) -> Drives:
    """Keep the loop and its heart from writing at once: both move the text that waits."""
    alone = threading.RLock()

    def act(routine: Routine[T], /) -> T:
        with alone:
            return do(routine)

    return act


class _Heart(threading.Thread):
    """Renews a lease beside the loop that holds it, and shows text whose time has come.

    It ends with the block. If an interrupt keeps the block from ending it, it ends when the block
    is gone: a lease that nobody needs must not be renewed for ever.
    """

    def __init__(self, block: RecordedBlock, recording: Recording, do: Drives) -> None:
        super().__init__(name="eventstore-heartbeat", daemon=True)
        self._block: Final = weakref.ref(block)
        self._recording: Final = recording
        self._do: Final = do
        self._over = False
        self._woken = threading.Event()
        recording.text_waits = self._woken.set

    def stop(self) -> None:
        """End it, and do not wait: a renewal under way does no harm to a run that has ended."""
        self._over = True
        self._woken.set()

    def run(self) -> None:
        pulse = _Pulse(self._recording)
        while True:
            self._woken.wait(pulse.seconds_left())
            self._woken.clear()
            if self._over or self._block() is None or not self._beat(pulse.due()):
                return

    def _beat(self, routine: Routine[None] | None) -> bool:
        """Do what is due; return whether there may be more to do."""
        with contextlib.suppress(*_PASSING):
            try:
                if routine is not None:
                    self._do(routine)
            except _OVER:
                return False
        return True


class _Pulse:
    """The times at which a heart has something to do."""

    def __init__(self, recording: Recording) -> None:
        self._recording = recording
        self._beat_at = time.monotonic() + recording.beat_seconds

    def seconds_left(self) -> float:
        """Return how long there is nothing to do, unless text begins to wait."""
        left = self._beat_at - time.monotonic()
        due = self._recording.due_seconds
        return max(0.0, left if due is None else min(left, due))

    def due(self) -> Routine[None] | None:
        """Return the routine that is due now, if one is."""
        now = time.monotonic()
        if now >= self._beat_at:
            self._beat_at = now + self._recording.beat_seconds
            return self._recording.beat()
        return self._recording.show_due() if self._recording.due_seconds == 0 else None


class AsyncRecordedBlock:
    """The same for ``async with``, with a task for the heartbeats."""

    def __init__(self, recording: Recording, perform: Callable[[Any], Awaitable[Any]]) -> None:
        self._recording = recording
        self._do = _one_at_a_time_async(
            partial(drive_async, perform=perform, pause=_never_waits_async)
        )
        self._heart: asyncio.Task[None] | None = None

    async def __aenter__(self) -> AsyncRecordedRun:
        try:
            await self._do(self._recording.begin())
            self._heart = asyncio.create_task(
                _beating(weakref.ref(self), self._recording, self._do)
            )
            return AsyncRecordedRun(self._recording, self._do)
        except BaseException as error:
            await self._leave(error)
            raise

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self._leave(error)

    async def _leave(self, error: BaseException | None) -> None:
        try:
            await self._end(error)
        except BaseException as struck:
            if not isinstance(struck, Exception):
                await self._do(self._recording.stop())
            raise
        finally:
            if self._heart is not None:
                self._heart.cancel()
                await asyncio.wait([self._heart])

    async def _end(self, error: BaseException | None) -> None:
        if error is None:
            try:
                await self._do(self._recording.finish())
            except Exception as own:
                await self._do(self._recording.fail(own))
                raise
        elif isinstance(error, Exception):
            await self._do(self._recording.fail(error))
        else:
            await self._do(self._recording.stop())


def _one_at_a_time_async(do: DrivesAsync) -> DrivesAsync:
    """Do the same for tasks."""
    alone = asyncio.Lock()

    async def act(routine: Routine[T], /) -> T:
        async with alone:
            return await do(routine)

    return act


async def _beating(
    block: weakref.ref[AsyncRecordedBlock],
    recording: Recording,
    do: DrivesAsync,
) -> None:
    """Do what :class:`_Heart` does, in a task."""
    woken, pulse = asyncio.Event(), _Pulse(recording)
    recording.text_waits = woken.set
    while True:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(pulse.seconds_left()):
                await woken.wait()
        woken.clear()
        if block() is None:
            return
        routine = pulse.due()
        with contextlib.suppress(*_PASSING):
            try:
                if routine is not None:
                    await do(routine)
            except _OVER:
                return
