"""Listen for commits of other processes on one dedicated connection for each store.

It begins when the first subscriber waits and ends with the store. It passes hints on to
:class:`~eventstore.execution.signals.Signals`, where every wait has a time limit, so it may fail.
It logs a failure once, retries with growing pauses, and logs again only after it has succeeded and
failed again. ``Database.watch`` defines how to watch a database.

:class:`Watcher` listens in a thread, for sync drivers; :func:`listen` in a task, for async ones.
"""

from __future__ import annotations

import asyncio
import logging
import selectors
import socket
import threading
from collections.abc import Callable
from contextlib import suppress
from time import monotonic
from typing import Any, Final

from sqlalchemy import Engine
from sqlalchemy.util import greenlet_spawn

from eventstore.execution import forks
from eventstore.execution.database import Database
from eventstore.execution.signals import Signals

__all__ = ["Watcher", "listen"]

_PAUSE_LEAST_SECONDS: Final = 0.05
_PAUSE_MOST_SECONDS: Final = 5.0
_JOIN_SECONDS: Final = 2.0
"""The thread ends at once, unless it is connecting to a server that does not answer."""

_log = logging.getLogger("eventstore.subscriptions")


class _Attempts:
    """Computes the pause before the next connection, and whether to log the failure."""

    def __init__(self) -> None:
        self._pause_seconds = _PAUSE_LEAST_SECONDS
        self._said = False

    def succeeded(self) -> None:
        self._pause_seconds, self._said = _PAUSE_LEAST_SECONDS, False

    def failed(self, error: BaseException) -> float:
        """Return the pause in seconds."""
        if not self._said:
            self._said = True
            _log.warning(
                "cannot listen for commits of other processes for now (%s): subscriptions poll at"
                " intervals, and listening is retried",
                type(error).__name__,
            )
        pause = self._pause_seconds
        self._pause_seconds = min(2 * pause, _PAUSE_MOST_SECONDS)
        return pause


def _own_connection(engine: Engine) -> Any:  # noqa: ANN401 (a driver's connection)
    """Return a connection made like the pool's, but detached from the pool."""
    pooled = engine.raw_connection()
    driver = pooled.driver_connection
    pooled.detach()
    return driver


# -- in a thread -----------------------------------------------------------------------------------


class _Thread(threading.Thread):
    """Watches until it is stopped."""

    def __init__(
        self, engine: Callable[[], Engine], database: Database[Any, Any], changed: Signals
    ) -> None:
        super().__init__(name="eventstore-watcher", daemon=True)
        self._engine = engine
        self._database = database
        self._changed = changed
        self._ended = False
        self._parked = False
        self._ear, self._mouth = socket.socketpair()
        self._selector = selectors.DefaultSelector()
        self._selector.register(self._ear, selectors.EVENT_READ)

    def rouse(self) -> None:
        """Make it look again, now that somebody waits."""
        if self._parked:
            self._ring()

    def end(self, seconds: float) -> None:
        """Make it close its connection and end; wait for that."""
        self._ended = True
        self._ring()
        self.join(seconds)

    def _ring(self) -> None:
        with suppress(OSError):  # it has already ended and closed its pipe
            self._mouth.send(b".")

    def run(self) -> None:
        attempts = _Attempts()
        while not self._ended:
            try:
                self._watch(attempts)
            except Exception as error:  # noqa: BLE001 (whatever it is: looking at intervals goes on)
                self._select(attempts.failed(error))
        self._selector.close()
        self._ear.close()
        self._mouth.close()

    def _watch(self, attempts: _Attempts) -> None:
        driver = _own_connection(self._engine())
        try:
            for _ in self._database.watch(driver, self._rest):
                attempts.succeeded()
                self._changed.tell()
        finally:
            driver.close()

    def _rest(self, seconds: float | None, fileno: int | None) -> bool:
        """Wait for a while, or until a file is readable; return False at the end.

        A connection that must be polled is not polled while nobody waits.
        """
        if fileno is None and not self._changed.in_demand:
            self._parked = True
            if not self._changed.in_demand:  # a new waiter sees that the thread is parked
                self._select(None)
            self._parked = False
        else:
            self._select(seconds, fileno)
        return not self._ended

    def _select(self, seconds: float | None, fileno: int | None = None) -> None:
        if self._ended:
            return
        if fileno is not None:
            self._selector.register(fileno, selectors.EVENT_READ)
        try:
            heard = [key.fileobj for key, _ in self._selector.select(seconds)]
        finally:
            if fileno is not None:
                self._selector.unregister(fileno)
        if self._ear in heard:
            self._ear.recv(4096)


class Watcher:
    """Runs a watching thread from the first wait on; the thread does not live across a fork."""

    def __init__(self, engine: Callable[[], Engine], database: Database[Any, Any]) -> None:
        """Create it. ``engine`` is called whenever a connection is to be made."""
        self._engine = engine
        self._database = database
        self._lock = threading.RLock()
        self._halted = self._was_halted = False
        self._thread: _Thread | None = None
        self.changed: Signals = Signals(self._start)
        """Signals every commit, also of this process."""
        forks.watch(self)

    def _start(self) -> None:
        thread = self._thread
        if thread is not None:
            thread.rouse()
            return
        with self._lock:
            if self._thread is None and not self._halted:
                self._thread = _Thread(self._engine, self._database, self.changed)
                self._thread.start()

    def _halt(self, seconds: float = _JOIN_SECONDS) -> None:
        with self._lock:
            self._halted = True
            thread, self._thread = self._thread, None
        if thread is not None:
            thread.end(seconds)

    def close(self) -> None:
        """End every wait with StoreClosed, and end the thread. Idempotent."""
        self.changed.close()
        self._halt()

    def before_fork(self, until: float) -> None:
        self._was_halted = self._halted
        self._halt(max(0.0, until - monotonic()))

    def after_fork_in_parent(self) -> None:
        self._halted = self._was_halted
        if self.changed.in_demand:
            self._start()

    def after_fork(self) -> None:
        self._lock = threading.RLock()
        self._halted = self._was_halted


# -- in a task -------------------------------------------------------------------------------------


async def listen(engine: Engine, database: Database[Any, Any], changed: Signals) -> None:
    """Listen until cancelled, on a dedicated connection of an async driver's engine."""
    attempts = _Attempts()

    def heard() -> None:
        attempts.succeeded()
        changed.tell()

    while True:
        try:
            await _listen_once(engine, database, heard)
        except Exception as error:  # noqa: BLE001 (whatever it is: looking at intervals goes on)
            pause = attempts.failed(error)
        else:
            pause = attempts.failed(ConnectionError())
        await asyncio.sleep(pause)


async def _listen_once(
    engine: Engine, database: Database[Any, Any], heard: Callable[[], None]
) -> None:
    """Listen until the connection is lost."""
    connecting = asyncio.ensure_future(greenlet_spawn(_own_connection, engine))
    try:
        driver = await asyncio.shield(connecting)
        await database.listen(driver, heard)
    finally:
        await asyncio.wait([connecting], timeout=_JOIN_SECONDS)  # otherwise nobody would close it
        if not connecting.done():
            connecting.cancel()
        elif not connecting.cancelled() and connecting.exception() is None:
            connecting.result().terminate()
