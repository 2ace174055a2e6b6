"""Count the outcomes of writes, and call the hook for appended events.

Both happen where a write's outcome reaches its caller, so they are the same for every database and
both faces. They block nobody, because no lock is held any more. Nothing here ever holds content.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from itertools import count
from typing import Final, NamedTuple, TypeAlias

from eventstore.core.codec import KeysWanted
from eventstore.core.events import Position, StreamKey
from eventstore.core.values import Value
from eventstore.errors import ConversationStoreError, OutcomeUnknown, StoreBusy
from eventstore.execution import forks
from eventstore.write_path.requests import Appended, AppendRequest, Failed, Outcome, Request

__all__ = ["AppendNotice", "Counters", "Metrics", "OnAppend"]

_log = logging.getLogger("eventstore.hooks")


class AppendNotice(NamedTuple):
    """The place of an append, without its content: the argument of ``on_append``."""

    tenant: str
    """Tenant of the stream."""
    stream_id: str
    """The stream."""
    version: int
    """Version of the stream after the append."""
    positions: tuple[Position, ...]
    """Positions of the events just appended."""


OnAppend: TypeAlias = Callable[[AppendNotice], object]


class Counters(Value):
    """Counts of the writes of one open store, in this process, since it was opened."""

    appends: int
    """Writes that added events."""
    events: int
    """Events that they added."""
    unchanged: int
    """Writes without a change: a repeated key, or a state that existed already."""
    refused: int
    """Writes that a domain rule, or one of their guards, refused."""
    busy: int
    """Writes that ended in StoreBusy."""
    unknown: int
    """Writes that ended in OutcomeUnknown."""
    failed: int
    """Writes that ended in another error of the store, such as StoreUnavailable."""
    transactions: int
    """Transactions begun to write, retries included: fewer than writes where writers share commits.
    """


class Metrics:
    """Counts for one open store and those bound to it; used from many threads."""

    __slots__ = (
        *("_appends", "_events", "_lock", "_looks", "_on_append", "_others", "begun"),
        "__weakref__",
    )

    def __init__(self, on_append: OnAppend | None = None) -> None:
        self._on_append = on_append
        # A reentrant lock: a signal handler may run in the middle of a call and write. None runs
        # between reading a number and setting it, where nothing is called.
        self._lock = threading.RLock()
        self._appends = self._events = self._looks = 0
        self.begun: Final[Callable[[], int]] = count().__next__
        """Counts a transaction that writes: in C, so it needs no lock."""
        self._others = {"unchanged": 0, "refused": 0, "busy": 0, "unknown": 0, "failed": 0}
        forks.watch(self)

    def before_fork(self, until: float) -> None:
        """Do nothing: no lock here hinders a fork."""

    def after_fork_in_parent(self) -> None:
        """Do nothing: the fork changed nothing in the parent."""

    def after_fork(self) -> None:
        """Replace the lock: a thread of the parent may have held it."""
        self._lock = threading.RLock()

    def counters(self) -> Counters:
        """Return the present counts."""
        with self._lock:
            begun, self._looks = self.begun() - self._looks, self._looks + 1
            return Counters(
                appends=self._appends,
                events=self._events,
                transactions=begun,
                **self._others,
            )

    def failed(self, error: ConversationStoreError) -> None:
        """Count a write without an outcome, by the error that its caller gets."""
        busy, unknown = isinstance(error, StoreBusy), isinstance(error, OutcomeUnknown)
        self._count("busy" if busy else "unknown" if unknown else "failed")

    def record(self, request: Request, outcome: Outcome, *, committed: bool = True) -> None:
        """Count a write's outcome, and call the hook if it was committed."""
        if isinstance(outcome, Failed):
            if not isinstance(outcome.error, KeysWanted):  # else it is tried again
                self._count("refused")
        elif outcome.positions:
            events = len(outcome.positions)
            with self._lock:
                self._appends += 1
                self._events += events
            if self._on_append is not None and committed and request.stream is not None:
                self._tell(self._on_append, request.stream, outcome)
        elif isinstance(request, AppendRequest):
            self._count("unchanged")

    def _count(self, name: str) -> None:
        with self._lock:
            self._others[name] += 1

    def _tell(self, on_append: OnAppend, stream: StreamKey, appended: Appended) -> None:
        """Call the hook. Its errors are logged: the write is committed, and must not look lost."""
        notice = AppendNotice(stream.tenant, stream.text, appended.version, appended.positions)
        try:
            on_append(notice)
        except Exception:  # noqa: BLE001 (whatever it is: it is the hook's)
            _log.exception("on_append failed after %s was appended to", notice.stream_id)
