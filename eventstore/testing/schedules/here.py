"""Writers in threads of the process that runs the schedule: nothing is pickled or killed.

So the class of the store may stand anywhere, in a notebook or in the program itself.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from contextlib import ExitStack
from itertools import count
from pathlib import Path
from typing import Final, Self

from eventstore.testing.schedules.ledgers import Pen
from eventstore.testing.schedules.plan import Work
from eventstore.testing.schedules.protocol import Connected
from eventstore.testing.schedules.writing import perform

__all__ = ["WritersHere"]

_LAST_TRANSACTION_SECONDS: Final = 30.0


class WritersHere:
    """All writers of one process, each in a thread; they stop at the end of the block."""

    def __init__(self, work: Work, ledger: Path) -> None:
        self._work = work
        self._ledger = ledger
        self._stopped = threading.Event()
        self._opened = ExitStack()
        self._errors: list[tuple[str, BaseException]] = []
        self._threads: list[threading.Thread] = []

    def __enter__(self) -> Self:
        connected = self._opened.enter_context(self._work.store.connect())
        file = os.open(self._ledger, os.O_WRONLY | os.O_APPEND)
        self._opened.callback(os.close, file)
        pen, begun = Pen(file, self._work.streams), _Begun(self._stopped)
        for number in range(len(self._work.life.appends)):
            name = f"{self._work.life.name}.{number}"
            thread = threading.Thread(
                target=self._perform,
                args=(connected, number, begun, pen),
                name=name,
                daemon=True,
            )
            self._threads.append(thread)
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stopped.set()
        for thread in self._threads:
            thread.join(_LAST_TRANSACTION_SECONDS)
        self._opened.close()

    def go_on(self, seconds: float) -> bool:
        """Wait a moment, and return whether some of them still write.

        Raises:
            RuntimeError: one of them failed.
        """
        alive = [thread for thread in self._threads if thread.is_alive()]
        if alive:
            alive[0].join(seconds)
        for name, error in self._errors:
            raise RuntimeError(
                f"writer {name} failed: {type(error).__name__}: {error}. If the store says by this"
                " error that it wrote nothing, name the error in `refusals`."
            ) from error
        return bool(alive)

    def _perform(self, connected: Connected, number: int, begun: Iterator[int], pen: Pen) -> None:
        try:
            perform(self._work, connected, number, begun, pen)
        except _Stopped:
            pass
        except BaseException as error:  # noqa: BLE001 (raised again by `go_on`)
            self._errors.append((threading.current_thread().name, error))
            self._stopped.set()


class _Stopped(Exception):
    """Raised in writers that must stop, as another failed or the time is over."""


class _Begun:
    """Numbers the transactions of all writers; ends them when they are to stop."""

    def __init__(self, stopped: threading.Event) -> None:
        self._stopped = stopped
        self._count = count()

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> int:
        if self._stopped.is_set():
            raise _Stopped
        return next(self._count)
