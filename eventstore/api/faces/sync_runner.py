"""Run operations on the sync face: in the calling thread."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Any, Final, TypeVar

from eventstore.api.executors import SyncExecutor
from eventstore.api.faces.following import Following
from eventstore.api.faces.shared_looks import Woken, calm
from eventstore.api.operations.following import TROUBLES, Await, Follow
from eventstore.api.operations.leaving import left_to_readers, snapshots_due
from eventstore.api.operations.operation import Collected, Paged, Read, Scope, Wipe, Write
from eventstore.errors import ConversationStoreError
from eventstore.execution.database import Left
from eventstore.execution.signals import Signals
from eventstore.storage.transaction import Transaction
from eventstore.subscriptions.subscription_state import SubscriptionState
from eventstore.threads import leaving
from eventstore.write_path.requests import Failed
from eventstore.write_path.transaction_runner import TransactionRunner

__all__ = ["SyncRunner"]

T = TypeVar("T")
K = TypeVar("K", bound=SubscriptionState[Any])
G = TypeVar("G")


class SyncRunner:
    """Runs the operations of one store, and of those bound to it."""

    def __init__(self, executor: SyncExecutor, scope: Scope) -> None:
        self.executor: Final = executor
        self.scope: Final = scope
        """Tenant, actor and correlation of every call."""
        self._runner = TransactionRunner(scope.log, scope.metrics.begun)

    def perform(self, operation: Write[T] | Read[T] | Wipe[T] | Collected[T]) -> T:
        """Run an operation; every method ends here."""
        if isinstance(operation, Write):
            return self.write(operation)
        if isinstance(operation, Read):
            look: Callable[[Transaction], T] = operation.look  # mypy loses T in the narrowing
            return self.executor.read(look, snapshot=operation.snapshot)
        if isinstance(operation, Wipe):
            told: Callable[[Sequence[Left]], T] = operation.told
            return told(self.executor.wipe())
        return operation.report(list(self._walk(operation.walk)))

    def each(self, walk: Paged[T]) -> Iterator[T]:
        """Run an operation that yields."""
        return self._walk(walk)

    def following(self, follow: Follow[T, K, G]) -> Following[T]:
        """Run an operation that yields what comes."""
        course = follow.begin()
        return Following(self._follow(follow, course), course, self.executor.changed)

    def awaited(self, one: Await[T, K, G]) -> T:
        """Run an operation that waits for one value."""
        return next(self._follow(one, one.begin()))

    @property
    def changed(self) -> Signals:
        """Signals every commit; followers of the log wait on it."""
        return self.executor.changed

    def write(self, write: Write[T]) -> T:
        """Run a write for :meth:`perform`."""
        metrics, request, host_transaction = self.scope.metrics, write.request, write.connection
        try:
            if host_transaction is None:
                outcome = self.executor.write(request)
            else:
                outcome = self.executor.in_host_transaction(
                    host_transaction, lambda tx: self._runner.alone(tx, request)
                )
        except ConversationStoreError as error:
            metrics.failed(error)
            raise
        metrics.record(request, outcome, committed=host_transaction is None)
        if isinstance(outcome, Failed):
            raise outcome.error
        if host_transaction is None and outcome.version >= leaving.SPAN:
            due = snapshots_due(self.scope, request, outcome)
            if due is not None:
                with left_to_readers(request.stream):
                    self.perform(due)
        return write.answer(outcome)

    def _walk(self, walk: Paged[T]) -> Iterator[T]:
        place = walk.first
        while place is not None:
            items, place = self.perform(walk.page(place))
            yield from items

    def _follow(self, follow: Follow[T, K, G], course: K) -> Iterator[T]:
        """Yield present and future events; nothing is held while the consumer works."""
        with self.scope.looks.followed(follow.key):
            yield from self._followed(follow, course)

    def _followed(self, follow: Follow[T, K, G], course: K) -> Iterator[T]:
        changed, told = self.executor.changed, False
        while course.goes_on():
            since = changed.mark  # before looking, so that events appended meanwhile are not missed
            woken = Woken(told, since, time.monotonic())
            try:
                page = self._look(follow, course, woken)
            except TROUBLES as error:
                follow.failed(course, error)
            else:
                yield from follow.heard(course, page)
            if course.rest_seconds is not None and course.goes_on():
                if course.calm_seconds:
                    time.sleep(calm(follow, course))
                told = changed.wait(since, course.rest_seconds)
                course.rested(told=told)

    def _look(self, follow: Follow[T, K, G], course: K, woken: Woken) -> G:
        """Return the next page of a follower, or what others looked up for it."""
        shared = follow.shared(course)
        if shared is not None:
            read = partial(self.executor.read, snapshot=shared.snapshot)
            found: G | None = self.scope.looks.look(shared, woken, read)
            if found is not None:
                return found
        asked = follow.page(course)
        return self.executor.read(asked.look, snapshot=asked.snapshot)
