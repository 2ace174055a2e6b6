"""Streams of the application's own categories: the events are what the caller says they are."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from eventstore.core.events import Decided, Event, StreamKey
from eventstore.storage.requests import AppendRequest, Decider, Log
from eventstore.storage.transaction import Transaction

__all__ = ["PlainDeciding"]


class PlainDeciding:
    """Appends the events given, and projects nothing: decides for every stream alike."""

    looks_elsewhere: frozenset[type[Any]] = frozenset()

    def __init__(self, tx: Transaction, log: Log) -> None:
        """There is nothing to look up."""

    def looks_at(self, _: AppendRequest) -> Iterable[StreamKey]:
        return ()

    def decider(self, _: StreamKey) -> Decider:
        return self

    def check(self, request: AppendRequest) -> None:
        """There are no guards but the expected version."""

    def decide(self, _: AppendRequest, command: Sequence[Decided]) -> Sequence[Decided]:
        return command

    def evolve(self, event: Event) -> None:
        """Nothing is folded."""

    def result(self, _: object, events: Sequence[Event]) -> int:
        """Return how many events were appended."""
        return len(events)

    def repeated(self, _: AppendRequest, __: object, first: int, last: int) -> int:
        return last - first + 1

    def mark(self) -> Any:  # noqa: ANN401 (opaque)
        return None

    def back_to(self, mark: object) -> None:
        """Nothing was folded."""

    def summary(self) -> None:
        """Nothing is kept beside the head."""

    def write(self) -> None:
        """Nothing is projected."""
