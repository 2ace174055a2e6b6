"""The parts that both engines share: a desk, a backlog, and the inboxes of the runs at work."""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Mapping, Sequence
from concurrent.futures import Future
from datetime import datetime
from typing import Final, Generic, Protocol, TypeVar

from eventstore import (
    AsyncConversationStore,
    ConversationStore,
    ConversationStoreError,
    EngineClosed,
    InvalidInput,
    RecordedEvent,
    Run,
)
from eventstore.engine.backlog import Backlog, Key
from eventstore.engine.courses import Clock, TakenOver
from eventstore.engine.desk import Desk, own_name
from eventstore.engine.effects import CancelRequested
from eventstore.engine.models.estimate import Estimate, estimate_tokens
from eventstore.engine.models.registry import Models, Target
from eventstore.engine.recording import Asked
from eventstore.engine.sweeping import Swept
from eventstore.engine.toolbox import AnyTool, Toolbox
from eventstore.engine.working import Claimed, Held, NotYet, Outcome, Rested

__all__ = ["HAND_BACK_SECONDS", "NEWS", "PAUSE_SECONDS", "EngineBase", "key_of"]

_ENDS: Final = ("RunCompleted", "RunIncomplete", "RunFailed", "RunCancelled", "RunExpired")
NEWS: Final = (
    *_ENDS,
    *("RunQueued", "RunCancelling", "RunTakenOver"),
    *("RunActionRequired", "ToolOutputsSubmitted"),
)
"""Types of the events that an engine wants to hear of."""
PAUSE_SECONDS: Final = 0.1
"""Least time between two looks for them: a look of an engine at work costs as much as a step."""

HAND_BACK_SECONDS: Final = 10.0
"""Longest time that handing back runs may take: their tools and models are stopped first."""
_SOON_SECONDS: Final = 0.5
"""Least time between two looks through the runs."""

_EARLY_MAX: Final = 1_000
_CONCURRENCY_MAX: Final = 10_000
_LEASE_SECONDS_MAX: Final = 86_400
_log = logging.getLogger("eventstore.engine")


Store = TypeVar("Store", ConversationStore, AsyncConversationStore)


class _Inbox(Protocol):
    def put(self, arrived: object) -> None: ...


class EngineBase(Generic[Store]):
    """An engine without its threads or tasks."""

    def __init__(
        self,
        store: Store,
        *,
        tools: Sequence[AnyTool] = (),
        models: Mapping[str, Target] | Models | None = None,
        queue: str | None = None,
        concurrency: int = 8,
        recover: bool = True,
        lease_seconds: float = 30.0,
        holder: str | None = None,
        external_tools: Sequence[str] = (),
        estimate: Estimate | None = None,
        clock: Clock | None = None,
    ) -> None:
        """Make an engine: it begins at once, an ``AsyncEngine`` when it is first used.

        Args:
            store: Store of the runs; it stays the application's to close.
            tools: Functions that models may call, made with ``tool``.
            models: Models by name, before those that the names stand for by themselves.
            queue: Queue whose runs it executes; None executes runs of the application.
            concurrency: Most runs at work at once.
            recover: Take over runs whose engine died.
            lease_seconds: Time after which others may take over a run of an engine that is silent.
            holder: Name of this engine; no two may share one.
            external_tools: Names of tools whose outputs the application hands in, beside those that
                a run's settings name. A run with other unknown tools is not taken over from an
                engine that died.
            estimate: Function that estimates the tokens of a request.
            clock: Time, for tests.

        Raises:
            InvalidInput: an option is malformed.
        """
        if not 0 < lease_seconds <= _LEASE_SECONDS_MAX:
            most = f"Give more than 0 and up to {_LEASE_SECONDS_MAX:,} seconds."
            raise InvalidInput("lease_seconds", f"{lease_seconds} is not allowed", most)
        if not 1 <= concurrency <= _CONCURRENCY_MAX:
            most = f"Give 1 to {_CONCURRENCY_MAX:,}."
            raise InvalidInput("concurrency", f"{concurrency} is not allowed", most)
        self.queue: Final = queue
        """Queue whose runs it executes; None executes those of the application."""
        self._recover = recover
        self._desk = Desk(
            holder=own_name() if holder is None else holder,
            tools=Toolbox(tools),
            models=models.fresh() if isinstance(models, Models) else Models(models),
            external=frozenset(external_tools),
            lease_seconds=lease_seconds,
            clock=Clock() if clock is None else clock,
            estimate=estimate_tokens if estimate is None else estimate,
        )
        self._backlog = Backlog(concurrency)
        self._inboxes: dict[Key, _Inbox] = {}
        self._own: set[Key] = set()
        """Runs that it made or worked on, and that have not ended."""
        self._early: deque[tuple[Key, CancelRequested | TakenOver]] = deque(maxlen=_EARLY_MAX)
        """The latest news of runs that may be in creation here, so that they have no inbox yet."""
        self._unsure: set[Key] = set()
        """Runs that go on, perhaps of another queue."""
        self._swept_at = self._sweep_at = float("-inf")
        """Times of the last look through the runs of the store, and of the next one."""
        self._sweep_wanted = False
        """A run began to wait for people since the last look, and its time may be short."""
        self._closed = False
        self.store: Store = store
        """The store that it works on."""
        self._open()

    def _open(self) -> None:
        """Make what its threads or tasks need."""
        raise NotImplementedError

    @property
    def holder(self) -> str:
        """The name under which it holds runs."""
        return self._desk.holder

    def _queue_of(self, key: Key) -> str | None:
        """Return the queue that a run must have to be worked on; None for any."""
        if key not in self._unsure:
            return None
        self._unsure.discard(key)
        return self.queue

    async def _close_equipment(self) -> None:
        """Close the models that were made here, and the tools that want it."""
        await self._desk.models.aclose()
        for one in self._desk.tools:
            if hasattr(one, "aclose"):
                await one.aclose()

    def _goes_on(self, run: Run) -> bool:
        """Return whether a run that was left here goes on: elsewhere, or once it is taken over."""
        if run.status not in {"queued", "in_progress", "cancelling"}:
            return False
        return self._closed or (run.status != "queued" and run.holder != self.holder)

    def _check_open(self) -> None:
        if self._closed:
            raise EngineClosed

    def _came_to(self, key: Key, outcome: Outcome) -> None:
        """Note how a run's work ended."""
        match outcome:
            case NotYet(until) | Held(until):
                self._backlog.later(key, self._monotonic_at(until))
                self._look_again()
            case Rested(run):
                self._backlog.rested(key, run)

    def _reserve(self, asked: Asked) -> bool:
        """Return whether to claim a run with its creation; a place is kept for it then.

        Not so if a caller may repeat the creation or commits it later, or if the run is one of a
        queue, whose workers hear of it.
        """
        if any(asked.options.get(one) is not None for one in ("idempotency_key", "connection")):
            return False
        return self.queue is None and asked.run.get("queue") is None and self._backlog.reserve()

    def _made(self, run: Run, claim: Claimed | None, *, reserved: bool) -> None:
        """Begin the work on a run that was just created."""
        key = key_of(run)
        self._own.add(key)
        if reserved and self._backlog.filled(None if claim is None else key):
            self._begin(key, claim)
            for one, news in list(self._early):
                if one == key:
                    self._tell(key, news)
        elif claim is None:
            self._want(key)
        if not self._backlog.reserving:
            self._early.clear()

    def _begin(self, key: Key, claim: Claimed | None) -> None:
        """Work on a run, which may be claimed already."""
        raise NotImplementedError

    def _pump(self) -> None:
        """Begin the runs that there is room for."""
        while (key := self._backlog.take()) is not None:
            self._begin(key, None)

    def _want(self, key: Key, *, changed: bool = False) -> Future[Run | None]:
        """Work on a run as soon as there is room; the future is done when it rests."""
        future = self._backlog.want(key, changed=changed)
        self._pump()
        return future

    def _swept(self, swept: Swept | None) -> None:
        """Take what a look found, and choose the time of the next one."""
        now = self._desk.clock.monotonic()
        self._swept_at, self._sweep_at = now, now + self._desk.lease_seconds
        if swept is None:
            return
        for key in swept.found:
            self._backlog.want(key)
        ends = self._monotonic_at(swept.expires_at)
        if ends is not None:
            self._sweep_at = min(self._sweep_at, max(ends, now + _SOON_SECONDS))

    @property
    def _next_sweep(self) -> float:
        soon = self._swept_at + _SOON_SECONDS
        return min(self._sweep_at, soon) if self._sweep_wanted else self._sweep_at

    def _sweep_begins(self) -> bool:
        """Return whether it is time to look through the runs."""
        begins = self._desk.clock.monotonic() >= self._next_sweep
        if begins:
            self._sweep_wanted = False
        return begins

    def _until(self) -> float:
        """Make ready what is due; return the time at which there is something to do."""
        due = self._backlog.due(self._desk.clock.monotonic())
        return self._next_sweep if due is None else min(due, self._next_sweep)

    def _look_again(self) -> None:
        """Look at the clock once more: there is something to do earlier than known before."""
        raise NotImplementedError

    def _heard(self, event: RecordedEvent) -> None:
        """Take note of an event. It is a hint: the run itself is read before anything is done."""
        key = Key(event.stream_id, event.data["run_id"])
        match event.type:
            case "RunQueued":
                if self.queue is not None and event.data.get("queue") == self.queue:
                    self._want(key)
            case "ToolOutputsSubmitted":
                if event.data["all_in"] and key in self._own:
                    self._want(key, changed=True)
                elif event.data["all_in"] and self.queue is not None:
                    self._unsure.add(key)
                    self._want(key)
            case "RunActionRequired":
                self._sweep_wanted = True
                self._look_again()
            case "RunTakenOver":
                if event.data.get("holder") != self.holder:
                    self._tell(key, TakenOver())
            case kind:
                self._tell(key, CancelRequested())  # the course finds out if it ended
                if kind in _ENDS:
                    self._own.discard(key)
                    self._backlog.turn(event.stream_id)

    def _tell(self, key: Key, news: CancelRequested | TakenOver) -> None:
        inbox = self._inboxes.get(key)
        if inbox is None and self._backlog.reserving:
            self._early.append((key, news))
            inbox = self._inboxes.get(key)  # another thread may have made it just now
        if inbox is not None:
            inbox.put(news)

    def _monotonic_at(self, moment: datetime | None) -> float | None:
        if moment is None:
            return None
        clock = self._desk.clock
        return clock.monotonic() + max(0.0, (moment - clock.now()).total_seconds())

    def _broke(self, key: Key, error: BaseException) -> None:
        """Note that the work on a run broke off; its lease ends, and somebody takes it over."""
        if isinstance(error, ConversationStoreError):
            _log.warning("%s was left: %s", key.run_id, error)
        else:  # an error of the engine itself; its text may hold words
            _log.error("%s was left because of %s", key.run_id, type(error).__name__)
        self._backlog.rested(key)


def key_of(run: Run) -> Key:
    """Return the key of a run."""
    return Key(run.thread_id, run.id)
