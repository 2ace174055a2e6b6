"""The sync face: ``ConversationStore``.

Every method is an operation of ``eventstore.operations``, run in the calling thread; the async face
has the same names. A store may be used from many threads at once.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import TracebackType
from typing import Any, Self, Unpack

from sqlalchemy import URL, Engine

from eventstore.batches import Batch
from eventstore.connect import sync_executor
from eventstore.core.json_values import check_name, check_text
from eventstore.errors import ConversationStoreError
from eventstore.execution.owned import OwnedEngine
from eventstore.execution.url import UrlExecutor
from eventstore.faces import sync, value_of
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
from eventstore.operations.routine import Pause, Routine, drive
from eventstore.performing import Performer
from eventstore.projections.catch_up.definition import Projection, Registry

__all__ = ["ConversationStore"]


class _Resource:
    def __init__(self, store: ConversationStore) -> None:
        self._store = store
        self._scope = store.scope

    def _run(self, operation: Any) -> Any:  # noqa: ANN401 (typed by the adapters)
        return self._store.perform(operation)


class Threads(_Resource):
    """``store.threads``: see ``operations.threads``."""

    create = sync(threads.create)
    get = sync(threads.get)
    list = sync(threads.list_)
    update = sync(threads.update)
    fork = sync(threads.fork)
    archive = sync(threads.archive)
    unarchive = sync(threads.unarchive)
    delete = sync(threads.delete)
    restore = sync(threads.restore)

    @contextmanager
    def batch(self, thread_id: str, **options: Unpack[WriteOptions]) -> Iterator[Batch]:
        """Collect commands to a thread and perform them together when the block ends.

        Raises:
            Whatever one of them raises; then none of them happened.
        """
        batch = Batch(self._scope, thread_id, options)
        yield batch
        made = batch.as_write()
        if made is not None:
            batch.settle(self._run(made))


class Messages(_Resource):
    """``store.messages``: see ``operations.messages``."""

    create = sync(messages.create)
    create_many = sync(messages.create_many)
    get = sync(message_pages.get)
    list = sync(message_pages.list_)
    edit = sync(messages.edit)
    regenerate = sync(messages.regenerate)
    amend = sync(messages.amend)
    update = sync(messages.update)
    revisions = sync(message_pages.revisions)
    remove = sync(messages.remove)
    restore = sync(messages.restore)
    queued = sync(message_pages.queued)


class Branches(_Resource):
    """``store.branches``: see ``operations.branches``."""

    list = sync(branches.list_)
    tree = sync(branches.tree)
    select = sync(branches.select)
    label = sync(branches.label)
    siblings = sync(branches.siblings)
    diff = sync(branches.diff)


class RunSteps(_Resource):
    """``store.runs.steps``: see ``operations.run_steps``."""

    start = sync(run_steps.start)
    complete = sync(run_steps.complete)
    fail = sync(run_steps.fail)
    list = sync(run_steps.list_)


class Runs(_Resource):
    """``store.runs``: see ``operations.runs``."""

    def __init__(self, store: ConversationStore) -> None:
        super().__init__(store)
        self.steps = RunSteps(store)

    create = sync(runs.create)
    start = sync(runs.start)
    update = sync(runs.update)
    require_action = sync(runs.require_action)
    submit_tool_outputs = sync(runs.submit_tool_outputs)
    complete = sync(runs.complete)
    fail = sync(runs.fail)
    cancel = sync(runs.cancel)
    expire = sync(runs.expire)
    get = sync(runs.get)
    list = sync(runs.list_)
    context = sync(run_context.context)


class Assistants(_Resource):
    """``store.assistants``: see ``operations.assistants``."""

    create = sync(assistants.create)
    get = sync(assistants.get)
    list = sync(assistants.list_)
    update = sync(assistants.update)
    delete = sync(assistants.delete)
    versions = sync(assistants.versions)


class Events(_Resource):
    """``store.events``: see ``operations.events``."""

    append = sync(events.append)
    read = sync(events.read)
    read_all = sync(events.read_all)
    subscribe = sync(events.subscribe)


class Projections(_Resource):
    """``store.projections``: see ``operations.projections``."""

    rebuild = sync(projections.rebuild)
    compare = sync(projections.compare)
    read = sync(projections.read)
    query = sync(projections.query)
    status = sync(projections.status)
    retry = sync(projections.retry)
    rebuild_projection = sync(projections.rebuild_projection)

    def register(self, projection: Projection) -> None:
        """Let this store, and those bound to it, run a projection; one of its name is replaced.

        Raises:
            InvalidInput: it is malformed.
        """
        self._scope.registry.add(projection)

    def run(
        self,
        *names: str,
        stop: threading.Event | None = None,
        **options: Unpack[RunOptions],
    ) -> None:
        """Keep projections current, all or those named, until ``stop`` is set; blocks.

        Several processes may do this: one at a time works on a projection, the others stand by.
        """
        terms = terms_of(options)
        self._drive(running(self._scope, names or None, terms), stop)

    def catch_up(
        self, *names: str, **options: Unpack[RunOptions]
    ) -> list[projections.ProjectionStatus]:
        """Apply what is in the log now, to all projections or those named; return their status.

        A projection that cannot apply an event stops there, and the status says so.
        """
        terms = terms_of(options)
        self._drive(catching_up(self._scope, names or None, terms), None)
        return self.status()

    def _drive(self, routine: Routine[None], stop: threading.Event | None) -> None:
        changed = self._store._executor.changed  # noqa: SLF001 (the store's own part)
        drive(routine, self._run, Pause(changed, stop))


class Audit(_Resource):
    """``store.audit``: erasing and purging; see ``operations.erasing`` and ``.purging``."""

    erase = sync(erasing.erase)
    purge = sync(purging.purge)


class Replay(_Resource):
    """``store.replay``: see ``operations.replay``."""

    state = sync(replay.state)
    steps = sync(replay.steps)
    diff = sync(replay.diff)


class ConversationStore:
    """An event-sourced store of conversations, sync.

    ::

        with ConversationStore.open("sqlite:///chat.db") as store:
            thread = store.threads.create()
            store.messages.create(thread.id, role="user", content="Why is the sky blue?")
    """

    def __init__(self, executor: UrlExecutor | OwnedEngine, scope: Scope) -> None:
        """Use :meth:`open`."""
        self._executor = executor
        self.scope = scope
        """Tenant, actor and correlation that every call says."""
        self._performer = Performer(scope.log, scope.meter)
        self.threads = Threads(self)
        self.messages = Messages(self)
        self.branches = Branches(self)
        self.runs = Runs(self)
        self.assistants = Assistants(self)
        self.events = Events(self)
        self.projections = Projections(self)
        self.replay = Replay(self)
        self.audit = Audit(self)

    @classmethod
    def open(cls, target: str | URL | Engine, **options: Unpack[OpenOptions]) -> Self:
        """Open a store, making or migrating its tables.

        ``target`` is a URL (``sqlite:///chat.db``; ``sqlite://`` in memory) or an Engine of the
        application's, which is never disposed of.

        Raises:
            InvalidInput: the URL is malformed, or names an async driver.
            StoreUnavailable: not a database, read-only, no such folder, made by a newer version.
        """
        executor, performer = sync_executor(target, options)
        return cls(executor, Scope(performer.log, registry=Registry(), meter=performer.meter))

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

    def health(self) -> Health:
        """Ask the database whether it answers, and say what it is."""
        return self.perform(health(self.scope))  # type: ignore[no-any-return]

    def perform(
        self,
        operation: Write[Any] | Read[Any] | Wipe[Any] | Walk[Any] | Follow[Any] | Gathered[Any],
    ) -> Any:  # noqa: ANN401
        """Run an operation: what every method does in the end."""
        if isinstance(operation, Write):
            return self._write(operation)
        if isinstance(operation, Read):
            return self._executor.read(operation.look, snapshot=operation.snapshot)
        if isinstance(operation, Walk):
            return self._walk(operation)
        if isinstance(operation, Follow):
            return self._follow(operation)
        if isinstance(operation, Wipe):
            return operation.told(self._executor.wipe())
        return operation.report(list(self._walk(operation.walk)))

    def _write(self, write: Write[Any]) -> Any:  # noqa: ANN401
        meter, request, within = self.scope.meter, write.request, write.connection
        try:
            if within is None:
                outcome = self._executor.write(request)
            else:
                [outcome] = self._executor.within(within, lambda tx: self._performer(tx, [request]))
        except ConversationStoreError as error:
            meter.failed(error)
            raise
        return value_of(write, meter.heard(request, outcome, committed=within is None))

    def _walk(self, walk: Walk[Any]) -> Iterator[Any]:
        place = walk.first
        while place is not None:
            items, place = self.perform(walk.page(place))
            yield from items

    def _follow(self, follow: Follow[Any]) -> Iterator[Any]:
        """Yield what there is and what will be; nothing is held while the consumer works."""
        changed, course = self._executor.changed, follow.begin()
        while True:
            since = changed.mark  # before looking, so that what comes meanwhile is not missed
            try:
                page = self._executor.read(follow.page(course).look)
            except TROUBLES as error:
                follow.failed(course, error)
            else:
                yield from follow.heard(course, page)
            if course.rest_seconds is not None:
                course.rested(told=changed.wait(since, course.rest_seconds))

    def close(self) -> None:
        """Finish what waits and close. Stores bound to this one are closed with it. Idempotent."""
        try:
            drive(closing(self.scope), self.perform, Pause(self._executor.changed, None))
        finally:
            self._executor.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()
