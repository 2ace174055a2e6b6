"""Run operations on the async face: awaited."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable
from contextlib import aclosing
from functools import partial
from typing import Any, Final, TypeVar

from eventstore.api.executors import AsyncExecutor
from eventstore.api.faces.shared_looks import Woken, calm
from eventstore.api.operations.following import TROUBLES, Await, Follow
from eventstore.api.operations.leaving import left_to_readers, snapshots_due
from eventstore.api.operations.operation import Collected, Paged, Read, Scope, Wipe, Write
from eventstore.api.operations.walking import walk_ahead
from eventstore.errors import ConversationStoreError
from eventstore.execution.signals import Signals
from eventstore.subscriptions.subscription_state import SubscriptionState
from eventstore.threads import leaving
from eventstore.write_path.requests import Failed
from eventstore.write_path.transaction_runner import TransactionRunner

__all__ = ["AsyncRunner"]

T = TypeVar("T")
K = TypeVar("K", bound=SubscriptionState[Any])
G = TypeVar("G")


class AsyncRunner:
    """Runs the operations of one store, and of those bound to it."""

    def __init__(self, executor: AsyncExecutor, scope: Scope) -> None:
        self.executor: Final = executor
        self.scope: Final = scope
        """Tenant, actor and correlation of every call."""
        self._runner = TransactionRunner(scope.log, scope.metrics.begun)

    def perform(self, operation: Write[T] | Read[T] | Wipe[T] | Collected[T]) -> Awaitable[T]:
        """Run an operation; every method ends here."""
        if isinstance(operation, Write):
            return self.write(operation)
        if isinstance(operation, Read):
            return self._read(operation)
        if isinstance(operation, Wipe):
            return self._wipe(operation)
        return self._gather(operation)

    def _read(self, read: Read[T]) -> Awaitable[T]:
        return self.executor.read_async(read.look, snapshot=read.snapshot, brief=read.brief)

    def each(self, walk: Paged[T]) -> AsyncIterator[T]:
        """Run an operation that yields."""
        return self._walk(walk)

    def following(self, follow: Follow[T, K, G]) -> AsyncIterator[T]:
        """Run an operation that yields what comes."""
        return self._follow(follow)

    async def awaited(self, one: Await[T, K, G]) -> T:
        """Run an operation that waits for one value."""
        async with aclosing(self._follow(one)) as values:
            return await anext(values)

    @property
    def changed(self) -> Signals:
        """Signals every commit; followers of the log wait on it."""
        return self.executor.changed

    async def write(self, write: Write[T]) -> T:
        """Run a write for :meth:`perform`."""
        metrics, request, host_transaction = self.scope.metrics, write.request, write.connection
        try:
            if host_transaction is None:
                outcome = await self.executor.write_async(request)
            else:
                outcome = await self.executor.in_host_transaction_async(
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
                    await self.perform(due)
        return write.answer(outcome)

    async def _wipe(self, wipe: Wipe[T]) -> T:
        return wipe.told(await self.executor.wipe_async())

    async def _gather(self, gathered: Collected[T]) -> T:
        return gathered.report([item async for item in self._walk(gathered.walk)])

    def _walk(self, walk: Paged[T]) -> AsyncIterator[T]:
        if walk.ahead and self.executor.reads_ahead:
            return walk_ahead(walk, self.perform)
        return self._page_by_page(walk)

    async def _page_by_page(self, walk: Paged[T]) -> AsyncIterator[T]:
        """Yield the items of a walk, a page in memory at a time."""
        place = walk.first
        while place is not None:
            items, place = await self.perform(walk.page(place))
            for item in items:
                yield item

    async def _follow(self, follow: Follow[T, K, G]) -> AsyncGenerator[T, None]:
        """Yield present and future events; nothing is held while the consumer works."""
        with self.scope.looks.followed(follow.key):
            async with aclosing(self._followed(follow)) as items:
                async for item in items:
                    yield item

    async def _followed(self, follow: Follow[T, K, G]) -> AsyncGenerator[T, None]:
        changed, course, told = self.executor.changed, follow.begin(), False
        while not course.over:
            since = changed.mark  # before looking, so that events appended meanwhile are not missed
            woken = Woken(told, since, time.monotonic())
            try:
                page = await self._look(follow, course, woken)
            except TROUBLES as error:
                follow.failed(course, error)
            else:
                for event in follow.heard(course, page):
                    yield event
            if course.rest_seconds is not None and not course.over:
                if course.calm_seconds:
                    await asyncio.sleep(calm(follow, course))
                told = await changed.wait_async(since, course.rest_seconds)
                course.rested(told=told)

    async def _look(self, follow: Follow[T, K, G], course: K, woken: Woken) -> G:
        """Return the next page of a follower, or what others looked up for it."""
        shared = follow.shared(course)
        if shared is not None:
            read = partial(self.executor.read_async, snapshot=shared.snapshot, brief=shared.brief)
            found: G | None = await self.scope.looks.look_async(shared, woken, read)
            if found is not None:
                return found
        asked = follow.page(course)
        return await self._read(asked)
