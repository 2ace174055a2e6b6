"""The parts that both engines share: a desk, a backlog, and the inboxes of the runs at work."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Final, Protocol

from eventstore import ConversationStoreError, EngineClosed, InvalidInput, Run
from eventstore.engine.backlog import Backlog, Key
from eventstore.engine.conducting import Clock
from eventstore.engine.desk import AnyTool, Desk, named_tools, own_name
from eventstore.engine.models.estimate import Estimate, estimate_tokens
from eventstore.engine.models.registry import Models, Target
from eventstore.engine.working import Held, NotYet, Outcome

__all__ = ["EngineBase"]

_CONCURRENCY_MAX: Final = 10_000
_log = logging.getLogger("eventstore.engine")


class _Inbox(Protocol):
    def put(self, arrived: Any) -> None: ...  # noqa: ANN401


class EngineBase:
    """An engine without its threads or tasks."""

    def __init__(
        self,
        *,
        tools: Sequence[AnyTool],
        models: Mapping[str, Target] | Models | None,
        queue: str | None,
        concurrency: int,
        recover: bool,
        lease_seconds: float,
        holder: str | None,
        estimate: Estimate | None,
        clock: Clock | None,
    ) -> None:
        if not 1 <= concurrency <= _CONCURRENCY_MAX:
            most = f"Give 1 to {_CONCURRENCY_MAX:,}."
            raise InvalidInput("concurrency", f"{concurrency} is not allowed", most)
        self.queue: Final = queue
        """Queue whose runs it executes; None executes those of the application."""
        self._recover = recover
        self._desk = Desk(
            holder=own_name() if holder is None else holder,
            tools=named_tools(tools),
            models=models if isinstance(models, Models) else Models(models),
            lease_seconds=lease_seconds,
            clock=Clock() if clock is None else clock,
            estimate=estimate_tokens if estimate is None else estimate,
        )
        self._backlog = Backlog(concurrency)
        self._inboxes: dict[Key, _Inbox] = {}
        self._closed = False

    @property
    def holder(self) -> str:
        """The name under which it holds runs."""
        return self._desk.holder

    def _check_open(self) -> None:
        if self._closed:
            raise EngineClosed

    def _came_to(self, key: Key, outcome: Outcome) -> None:
        """Note how a run's work ended."""
        match outcome:
            case NotYet():
                self._backlog.later(key)
            case Held(until):
                self._backlog.later(key, self._monotonic_at(until))
            case _:
                self._backlog.rested(key)

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
