"""The kernels of all threads: one for each, so many at a time, and none longer than it is used.

A thread without a kernel gets one when there is room. When there is none, the kernel that has been
idle longest is ended. When all are busy, the call waits its turn: the first that can go goes first.

One OS thread, the keeper, starts all kernels and ends idle ones. A sandboxed kernel dies with the
OS thread that started it, so that one has to live as long as they do.
"""

from __future__ import annotations

import contextlib
import queue
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from dataclasses import dataclass
from pathlib import Path
from threading import Condition, Event, Thread
from typing import Final, TypeAlias

from eventstore.engine.tools.code_interpreter.kernel import Kernel
from eventstore.engine.tools.code_interpreter.limits import CodeLimits
from eventstore.engine.tools.code_interpreter.sandbox import Manner
from eventstore.errors import ToolError

__all__ = ["Kernels", "Turn"]

_PATH_MAX: Final = 80
"""Longest path of a folder of sockets: the address of a Unix socket has 108 bytes."""
_LOOK_SECONDS: Final = 0.1
"""Time between two looks of a waiting call at whether it was cancelled."""

_Launched: TypeAlias = tuple[subprocess.Popen[bytes], int]
_Job: TypeAlias = tuple[Callable[[], _Launched], "Future[_Launched]"] | None


@dataclass(slots=True, eq=False)
class _Seat:
    """Room for one kernel, held by a thread."""

    thread: str
    is_busy: bool = True
    kernel: Kernel | None = None


@dataclass(frozen=True, slots=True)
class Turn:
    """A call's turn with its thread's kernel."""

    kernel: Kernel
    is_new: bool
    last_ended: str | None
    """Reason for which the thread's last kernel is gone, if it had one."""


class Kernels:
    """Hands out kernels, one call at a time for each thread."""

    def __init__(self, manner: Manner, python: str, limits: CodeLimits) -> None:
        self._manner = manner
        self._python = python
        self._limits = limits
        self._folder = _folder()
        self._changed = Condition()
        self._seats: dict[str, _Seat] = {}
        self._waiting: list[tuple[str, object]] = []
        self._ended: dict[str, str] = {}
        self._closed = False
        self._jobs: queue.SimpleQueue[_Job] = queue.SimpleQueue()
        self._keeper = Thread(target=self._keep, name="code-interpreter", daemon=True)
        self._keeper.start()

    def __len__(self) -> int:
        """Return the number of kernels."""
        return len(self._seats)

    @property
    def memory_bytes(self) -> int:
        """Memory of all kernels."""
        with self._changed:
            kernels = [seat.kernel for seat in self._seats.values()]
        return sum(kernel.memory_bytes for kernel in kernels if kernel is not None)

    def process_of(self, thread: str) -> int | None:
        """Return the process of a thread's kernel."""
        seat = self._seats.get(thread)
        return None if seat is None or seat.kernel is None else seat.kernel.pid

    @contextlib.contextmanager
    def turn(self, thread: str, cancelled: Event) -> Iterator[Turn | None]:
        """Yield a turn with the thread's kernel, or None if none was free in time.

        Raises:
            KernelDied: a kernel did not start.
            ToolError: closed.
        """
        seat = self._claim(thread, cancelled)
        if seat is None:
            yield None
            return
        try:
            if seat.kernel is not None and seat.kernel.has_ended:
                seat.kernel.close()
                seat.kernel = None
                self._ended[thread] = "it had ended"
            is_new = seat.kernel is None
            if seat.kernel is None:
                seat.kernel = self._started()
            yield Turn(seat.kernel, is_new, self._ended.pop(thread, None))
        finally:
            self._give_back(seat)

    # -- seats -------------------------------------------------------------------------------------

    def _claim(self, thread: str, cancelled: Event) -> _Seat | None:
        ends = time.monotonic() + self._limits.queue_seconds
        ticket = (thread, object())
        with self._changed:
            self._waiting.append(ticket)
            try:
                while self._next() is not ticket:
                    left = ends - time.monotonic()
                    if left <= 0 or cancelled.is_set():
                        return None
                    self._changed.wait(min(left, _LOOK_SECONDS))
                    self._check_open()
                self._check_open()
                seat, ended = self._seat(thread)
            finally:
                self._waiting.remove(ticket)
                self._changed.notify_all()
        if ended is not None:
            ended.close()
        return seat

    @property
    def _is_free(self) -> bool:
        return len(self._seats) < self._limits.kernels_max

    def _check_open(self) -> None:
        if self._closed:
            raise ToolError("closed", "the code interpreter is closed", "Make another one.")

    def _next(self) -> tuple[str, object] | None:
        """Return the first of those that wait that can go."""
        is_room = self._is_free or any(not seat.is_busy for seat in self._seats.values())
        for ticket in self._waiting:
            seat = self._seats.get(ticket[0])
            if (is_room and seat is None) or (seat is not None and not seat.is_busy):
                return ticket
        return None

    def _seat(self, thread: str) -> tuple[_Seat, Kernel | None]:
        """Return the thread's seat, and the kernel that has to end for it."""
        seat = self._seats.get(thread)
        if seat is not None:
            seat.is_busy = True
            return seat, None
        ended = None
        if not self._is_free:
            longest = min(
                (seat for seat in self._seats.values() if not seat.is_busy), key=_last_used
            )
            ended = longest.kernel
            del self._seats[longest.thread]
            self._ended[longest.thread] = "another conversation needed its place"
        self._seats[thread] = seat = _Seat(thread)
        return seat, ended

    def _give_back(self, seat: _Seat) -> None:
        with self._changed:
            seat.is_busy = False
            if seat.kernel is None or seat.kernel.is_dead:
                del self._seats[seat.thread]
            self._changed.notify_all()
            closed = self._closed
        if closed and seat.kernel is not None:
            seat.kernel.close()
        self._jobs.put(None)  # there is one more to end when it has been idle for long

    # -- the keeper --------------------------------------------------------------------------------

    def _started(self) -> Kernel:
        kernel = Kernel(
            manner=self._manner,
            python=self._python,
            limits=self._limits,
            folder=Path(tempfile.mkdtemp(dir=self._folder.name, prefix="")),
            on_keeper=self._on_keeper,
        )
        kernel.wait_until_ready()
        return kernel

    def _on_keeper(self, launch: Callable[[], _Launched]) -> _Launched:
        future: Future[_Launched] = Future()
        self._jobs.put((launch, future))
        return future.result()

    def _keep(self) -> None:
        while not self._closed:
            job: _Job = None
            with contextlib.suppress(queue.Empty):
                job = self._jobs.get(timeout=self._seconds_to_idle())
            if job is None:
                self._end_idle()
                continue
            launch, future = job
            try:
                future.set_result(launch())
            except BaseException as error:  # noqa: BLE001 (it is raised where it was asked for)
                future.set_exception(error)

    def _seconds_to_idle(self) -> float | None:
        with self._changed:
            idle = [_last_used(seat) for seat in self._seats.values() if not seat.is_busy]
        if not idle:
            return None
        return max(0.0, min(idle) + self._limits.idle_seconds - time.monotonic())

    def _end_idle(self) -> None:
        long_ago = time.monotonic() - self._limits.idle_seconds
        with self._changed:
            ended = [
                seat
                for seat in self._seats.values()
                if not seat.is_busy and _last_used(seat) <= long_ago
            ]
            for seat in ended:
                del self._seats[seat.thread]
                self._ended[seat.thread] = "it had been idle for too long"
            self._changed.notify_all()
        for seat in ended:
            if seat.kernel is not None:
                seat.kernel.close()

    def close(self) -> None:
        """End all kernels. Calls that run are over when their kernels are."""
        with self._changed:
            self._closed = True
            idle = [seat for seat in self._seats.values() if not seat.is_busy]
            self._changed.notify_all()
        self._jobs.put(None)
        self._keeper.join()
        for seat in idle:
            if seat.kernel is not None:
                seat.kernel.close()
        with self._changed:
            self._changed.wait_for(lambda: not any(s.is_busy for s in self._seats.values()))
        self._folder.cleanup()


def _last_used(seat: _Seat) -> float:
    return 0.0 if seat.kernel is None else seat.kernel.last_used


def _folder() -> tempfile.TemporaryDirectory[str]:
    made = tempfile.TemporaryDirectory(prefix="code-", ignore_cleanup_errors=True)
    if len(made.name) > _PATH_MAX:
        made.cleanup()
        made = tempfile.TemporaryDirectory(
            prefix="code-",
            dir="/tmp",
            ignore_cleanup_errors=True,
        )
    return made
