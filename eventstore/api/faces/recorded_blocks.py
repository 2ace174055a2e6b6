"""The ``with`` blocks in which an application's own loop is recorded, and their heartbeats."""

from __future__ import annotations

import asyncio
import contextlib
import threading
import weakref
from collections.abc import Awaitable, Callable
from functools import partial
from types import TracebackType
from typing import Any, Final

from eventstore.api.faces.recorded import AsyncRecordedRun, RecordedRun
from eventstore.api.operations.recording import Recording
from eventstore.api.operations.routine import Routine, drive, drive_async
from eventstore.errors import LeaseLost, NotFound, Refused, StoreBusy, StoreClosed

__all__ = ["AsyncRecordedBlock", "RecordedBlock"]

_OVER: Final = (Refused, LeaseLost, NotFound, StoreClosed)
"""The run ended, or is another's, and the loop's next write says so; or everything ends."""


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
        self._do = partial(drive, perform=perform, pause=_never_waits)
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


class _Heart(threading.Thread):
    """Renews a lease beside the loop that holds it.

    It ends with the block. If an interrupt keeps the block from ending it, it ends when the block
    is gone: a lease that nobody needs must not be renewed for ever.
    """

    def __init__(
        self, block: RecordedBlock, recording: Recording, do: Callable[[Routine[Any]], Any]
    ) -> None:
        super().__init__(name="eventstore-heartbeat", daemon=True)
        self._block: Final = weakref.ref(block)
        self._recording: Final = recording
        self._do: Final = do
        self._over = threading.Event()

    def stop(self) -> None:
        """End it, and do not wait: a renewal under way does no harm to a run that has ended."""
        self._over.set()

    def run(self) -> None:
        while not self._over.wait(self._recording.beat_seconds) and self._beat():
            pass

    def _beat(self) -> bool:
        """Renew the lease; return whether there may be more to renew."""
        if self._block() is None:
            return False
        with contextlib.suppress(StoreBusy):
            try:
                self._do(self._recording.beat())
            except _OVER:
                return False
        return True


class AsyncRecordedBlock:
    """The same for ``async with``, with a task for the heartbeats."""

    def __init__(self, recording: Recording, perform: Callable[[Any], Awaitable[Any]]) -> None:
        self._recording = recording
        self._do = partial(drive_async, perform=perform, pause=_never_waits_async)
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


async def _beating(
    block: weakref.ref[AsyncRecordedBlock],
    recording: Recording,
    do: Callable[[Routine[Any]], Awaitable[Any]],
) -> None:
    await asyncio.sleep(recording.beat_seconds)
    while block() is not None:
        with contextlib.suppress(StoreBusy):
            try:
                await do(recording.beat())
            except _OVER:
                return
        await asyncio.sleep(recording.beat_seconds)
