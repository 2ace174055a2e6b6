"""The async face: ``AsyncConversationStore``.

Every method is an operation of ``eventstore.operations``, awaited; the sync face has the same
names. A store on a URL may be used from several event loops, one on an ``AsyncEngine`` from the
loop that opened it.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Generator
from contextlib import asynccontextmanager
from types import TracebackType
from typing import TYPE_CHECKING, Any, Generic, Self, TypeVar, Unpack

from sqlalchemy import URL

from eventstore.batches import Batch
from eventstore.connect import async_executor
from eventstore.core.json_values import check_name, check_text
from eventstore.errors import ConversationStoreError
from eventstore.execution.async_url import AsyncUrlExecutor
from eventstore.execution.owned import OwnedAsyncEngine
from eventstore.execution.url import UrlExecutor
from eventstore.faces import asynchronous, value_of
from eventstore.open_options import OpenOptions
from eventstore.operations import (
    assistants,
    branches,
    erasing,
    events,
    message_pages,
    messages,
    projections,
    purging,
    replay,
    run_context,
    run_steps,
    runs,
    threads,
)
from eventstore.operations.catch_up import RunOptions, catching_up, closing, running, terms_of
from eventstore.operations.following import TROUBLES, Follow
from eventstore.operations.health import Health, health
from eventstore.operations.metering import Counters
from eventstore.operations.operation import (
    Gathered,
    Read,
    Scope,
    Walk,
    Wipe,
    Write,
    WriteOptions,
)
from eventstore.operations.routine import PauseAsync, Routine, drive_async
from eventstore.operations.walking import walk_ahead
from eventstore.performing import Performer
from eventstore.projections.catch_up.definition import Projection, Registry

if TYPE_CHECKING:
    from sqlalchemy.ext.asyncio import AsyncEngine  # not at run time: see `connect`

__all__ = ["AsyncConversationStore"]

S = TypeVar("S", bound="AsyncConversationStore")
T = TypeVar("T")


class _Resource:
    def __init__(self, store: AsyncConversationStore) -> None:
        self._store = store
        self._scope = store.scope
        self._run = store.perform

    def _walk(self, walk: Walk[Any] | Follow[Any]) -> AsyncIterator[Any]:
        if isinstance(walk, Follow):
            return self._store._follow(walk)  # noqa: SLF001 (its own face)
        return self._store._walk(walk)  # noqa: SLF001


class AsyncThreads(_Resource):
    """``store.threads``: see ``operations.threads``."""

    create = asynchronous(threads.create)
    get = asynchronous(threads.get)
    list = asynchronous(threads.list_)
    update = asynchronous(threads.update)
    fork = asynchronous(threads.fork)
    archive = asynchronous(threads.archive)
    unarchive = asynchronous(threads.unarchive)
    delete = asynchronous(threads.delete)
    restore = asynchronous(threads.restore)

    @asynccontextmanager
    async def batch(self, thread_id: str, **options: Unpack[WriteOptions]) -> AsyncIterator[Batch]:
        """Collect commands to a thread and perform them together when the block ends.

        Raises:
            Whatever one of them raises; then none of them happened.
        """
        batch = Batch(self._scope, thread_id, options)
        yield batch
        made = batch.as_write()
        if made is not None:
            batch.settle(await self._run(made))


class AsyncMessages(_Resource):
    """``store.messages``: see ``operations.messages``."""

    create = asynchronous(messages.create)
    create_many = asynchronous(messages.create_many)
    get = asynchronous(message_pages.get)
    list = asynchronous(message_pages.list_)
    edit = asynchronous(messages.edit)
    regenerate = asynchronous(messages.regenerate)
    amend = asynchronous(messages.amend)
    update = asynchronous(messages.update)
    revisions = asynchronous(message_pages.revisions)
    remove = asynchronous(messages.remove)
    restore = asynchronous(messages.restore)
    queued = asynchronous(message_pages.queued)


class AsyncBranches(_Resource):
    """``store.branches``: see ``operations.branches``."""

    list = asynchronous(branches.list_)
    tree = asynchronous(branches.tree)
    select = asynchronous(branches.select)
    label = asynchronous(branches.label)
    siblings = asynchronous(branches.siblings)
    diff = asynchronous(branches.diff)


class AsyncRunSteps(_Resource):
    """``store.runs.steps``: see ``operations.run_steps``."""

    start = asynchronous(run_steps.start)
    complete = asynchronous(run_steps.complete)
    fail = asynchronous(run_steps.fail)
    list = asynchronous(run_steps.list_)


class AsyncRuns(_Resource):
    """``store.runs``: see ``operations.runs``."""

    def __init__(self, store: AsyncConversationStore) -> None:
        super().__init__(store)
        self.steps = AsyncRunSteps(store)

    create = asynchronous(runs.create)
    start = asynchronous(runs.start)
    update = asynchronous(runs.update)
    require_action = asynchronous(runs.require_action)
    submit_tool_outputs = asynchronous(runs.submit_tool_outputs)
    complete = asynchronous(runs.complete)
    fail = asynchronous(runs.fail)
    cancel = asynchronous(runs.cancel)
    expire = asynchronous(runs.expire)
    get = asynchronous(runs.get)
    list = asynchronous(runs.list_)
    context = asynchronous(run_context.context)


class AsyncAssistants(_Resource):
    """``store.assistants``: see ``operations.assistants``."""

    create = asynchronous(assistants.create)
    get = asynchronous(assistants.get)
    list = asynchronous(assistants.list_)
    update = asynchronous(assistants.update)
    delete = asynchronous(assistants.delete)
    versions = asynchronous(assistants.versions)


class AsyncEvents(_Resource):
    """``store.events``: see ``operations.events``."""

    append = asynchronous(events.append)
    read = asynchronous(events.read)
    read_all = asynchronous(events.read_all)
    subscribe = asynchronous(events.subscribe)


class AsyncProjections(_Resource):
    """``store.projections``: see ``operations.projections``."""

    rebuild = asynchronous(projections.rebuild)
    compare = asynchronous(projections.compare)
    read = asynchronous(projections.read)
    query = asynchronous(projections.query)
    status = asynchronous(projections.status)
    retry = asynchronous(projections.retry)
    rebuild_projection = asynchronous(projections.rebuild_projection)

    def register(self, projection: Projection) -> None:
        """Let this store, and those bound to it, run a projection; one of its name is replaced.

        Raises:
            InvalidInput: it is malformed.
        """
        self._scope.registry.add(projection)

    async def run(
        self,
        *names: str,
        stop: asyncio.Event | None = None,
        **options: Unpack[RunOptions],
    ) -> None:
        """Keep projections current, all or those named, until ``stop`` is set or it is cancelled.

        Several processes may do this: one at a time works on a projection, the others stand by.
        """
        terms = terms_of(options)
        await self._drive(running(self._scope, names or None, terms), stop)

    async def catch_up(
        self, *names: str, **options: Unpack[RunOptions]
    ) -> list[projections.ProjectionStatus]:
        """Apply what is in the log now, to all projections or those named; return their status.

        A projection that cannot apply an event stops there, and the status says so.
        """
        terms = terms_of(options)
        await self._drive(catching_up(self._scope, names or None, terms), None)
        return await self.status()

    async def _drive(self, routine: Routine[None], stop: asyncio.Event | None) -> None:
        changed = self._store._executor.changed  # noqa: SLF001 (the store's own part)
        await drive_async(routine, self._run, PauseAsync(changed, stop))


class AsyncAudit(_Resource):
    """``store.audit``: erasing and purging; see ``operations.erasing`` and ``.purging``."""

    erase = asynchronous(erasing.erase)
    purge = asynchronous(purging.purge)


class AsyncReplay(_Resource):
    """``store.replay``: see ``operations.replay``."""

    state = asynchronous(replay.state)
    steps = asynchronous(replay.steps)
    diff = asynchronous(replay.diff)


class AsyncConversationStore:
    """An event-sourced store of conversations, async.

    ::

        async with AsyncConversationStore.open("sqlite:///chat.db") as store:
            thread = await store.threads.create()
            await store.messages.create(thread.id, role="user", content="Why is the sky blue?")
    """

    def __init__(
        self, executor: UrlExecutor | OwnedAsyncEngine | AsyncUrlExecutor, scope: Scope
    ) -> None:
        """Use :meth:`open`."""
        self._executor = executor
        self.scope = scope
        """Tenant, actor and correlation that every call says."""
        self._performer = Performer(scope.log, scope.meter)
        self.threads = AsyncThreads(self)
        self.messages = AsyncMessages(self)
        self.branches = AsyncBranches(self)
        self.runs = AsyncRuns(self)
        self.assistants = AsyncAssistants(self)
        self.events = AsyncEvents(self)
        self.projections = AsyncProjections(self)
        self.replay = AsyncReplay(self)
        self.audit = AsyncAudit(self)

    @classmethod
    def open(cls, target: str | URL | AsyncEngine, **options: Unpack[OpenOptions]) -> Opening[Self]:
        """Open a store, making or migrating its tables: ``async with`` it, or ``await`` it.

        ``target`` is a URL (``sqlite:///chat.db``; ``sqlite://`` in memory) or an AsyncEngine of
        the application's, which is never disposed of.

        Raises:
            InvalidInput: the URL is malformed.
            StoreUnavailable: not a database, read-only, no such folder, made by a newer version.
        """

        async def opened() -> Self:
            executor, performer = await async_executor(target, options)
            return cls(executor, Scope(performer.log, registry=Registry(), meter=performer.meter))

        return Opening(opened)

    def tenant(self, name: str) -> Self:
        """Return this store bound to a tenant; other tenants' ids are unknown to it."""
        return self._bound(tenant=name if name == "" else check_name(name, "tenant", 255))

    def acting(
        self,
        *,
        actor: str | None = None,
        correlation_id: str | None = None,
        causation_id: str | None = None,
    ) -> Self:
        """Return this store bound to who acts, and to what it belongs to; every event says so.

        ``actor`` is an opaque id: it is kept for ever. Closing a bound store closes the store.
        """
        given = {"actor": actor, "correlation_id": correlation_id, "causation_id": causation_id}
        said = {
            key: check_text(value, key, 255) for key, value in given.items() if value is not None
        }
        return self._bound(**said)

    def _bound(self, **changes: Any) -> Self:  # noqa: ANN401 (fields of Scope)
        return type(self)(self._executor, self.scope._replace(**changes))

    def counters(self) -> Counters:
        """Return what became of the writes of this store so far, in this process."""
        return self.scope.meter.counters()

    async def health(self) -> Health:
        """Ask the database whether it answers, and say what it is."""
        return await self.perform(health(self.scope))  # type: ignore[no-any-return]

    def perform(
        self, operation: Write[Any] | Read[Any] | Wipe[Any] | Gathered[Any]
    ) -> Awaitable[Any]:
        """Run an operation: what every method does in the end."""
        if isinstance(operation, Write):
            return self._write(operation)
        if isinstance(operation, Read):
            return self._executor.read_async(operation.look, snapshot=operation.snapshot)
        if isinstance(operation, Wipe):
            return self._wipe(operation)
        return self._gather(operation)

    async def _write(self, write: Write[Any]) -> Any:  # noqa: ANN401
        meter, request, within = self.scope.meter, write.request, write.connection
        try:
            if within is None:
                outcome = await self._executor.write_async(request)
            else:
                [outcome] = await self._executor.within_async(
                    within, lambda tx: self._performer(tx, [request])
                )
        except ConversationStoreError as error:
            meter.failed(error)
            raise
        return value_of(write, meter.heard(request, outcome, committed=within is None))

    async def _wipe(self, wipe: Wipe[T]) -> T:
        return wipe.told(await self._executor.wipe_async())

    async def _gather(self, gathered: Gathered[T]) -> T:
        return gathered.report([item async for item in self._walk(gathered.walk)])

    def _walk(self, walk: Walk[Any]) -> AsyncIterator[Any]:
        if walk.ahead and self._executor.reads_ahead:
            return walk_ahead(walk, self.perform)
        return self._page_by_page(walk)

    async def _page_by_page(self, walk: Walk[Any]) -> AsyncIterator[Any]:
        """Yield the items of a walk, a page in memory at a time."""
        place = walk.first
        while place is not None:
            items, place = await self.perform(walk.page(place))
            for item in items:
                yield item

    async def _follow(self, follow: Follow[Any]) -> AsyncIterator[Any]:
        """Yield what there is and what will be; nothing is held while the consumer works."""
        changed, course = self._executor.changed, follow.begin()
        while True:
            since = changed.mark  # before looking, so that what comes meanwhile is not missed
            try:
                page = await self._executor.read_async(follow.page(course).look)
            except TROUBLES as error:
                follow.failed(course, error)
            else:
                for event in follow.heard(course, page):
                    yield event
            if course.rest_seconds is not None:
                told = await changed.wait_async(since, course.rest_seconds)
                course.rested(told=told)

    async def close(self) -> None:
        """Finish what waits and close. Stores bound to this one are closed with it. Idempotent."""
        try:
            pause = PauseAsync(self._executor.changed, None)
            await drive_async(closing(self.scope), self.perform, pause)
        finally:
            await self._executor.close_async()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.close()


class Opening(Generic[S]):
    """A store about to be opened: ``async with`` it, or ``await`` it and close it yourself."""

    def __init__(self, opened: Callable[[], Awaitable[S]]) -> None:
        self._opened = opened
        self._store: S | None = None

    def __await__(self) -> Generator[Any, Any, S]:
        return self._opened().__await__()

    async def __aenter__(self) -> S:
        self._store = await self._opened()
        return self._store

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._store is not None:
            await self._store.close()
