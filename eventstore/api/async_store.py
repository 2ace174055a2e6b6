"""The async face: ``AsyncConversationStore``.

Every method is an operation of ``eventstore.api.operations``, awaited; the sync face has the same
names. A store on a URL may be used from several event loops, one on an ``AsyncEngine`` from the
loop that opened it.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Generator, Mapping
from types import TracebackType
from typing import TYPE_CHECKING, Any, Generic, Self, TypeVar

from sqlalchemy import URL

from eventstore.api.connect import async_executor
from eventstore.api.executors import AsyncExecutor
from eventstore.api.faces.asynchronous import (
    AsyncAssistants,
    AsyncAudit,
    AsyncBranches,
    AsyncEvents,
    AsyncKeys,
    AsyncMessages,
    AsyncPrivacy,
    AsyncProjections,
    AsyncReplay,
    AsyncRuns,
    AsyncTenants,
    AsyncThreads,
)
from eventstore.api.faces.keyed_runners import async_runner
from eventstore.api.faces.shared_looks import SharedLooks
from eventstore.api.open_options import Durability, OpenOptions, system_environment
from eventstore.api.operations.binding import bind
from eventstore.api.operations.catch_up import closing
from eventstore.api.operations.health import Health, health
from eventstore.api.operations.metrics import Counters, OnAppend
from eventstore.api.operations.operation import (
    Collected,
    Read,
    Scope,
    Wipe,
    Write,
)
from eventstore.api.operations.routine import PauseAsync, drive_async
from eventstore.api.operations.wiping import finish_interrupted
from eventstore.core.environment import Environment
from eventstore.core.json_values import Limits, check_name
from eventstore.encryption import Encryption
from eventstore.read_models.catch_up.definition import Registry
from eventstore.storage.migrations import Migrate

if TYPE_CHECKING:
    from sqlalchemy.ext.asyncio import AsyncEngine  # not at run time: see `connect`

__all__ = ["AsyncConversationStore"]

S = TypeVar("S", bound="AsyncConversationStore")
T = TypeVar("T")


class AsyncConversationStore:
    """An event-sourced store of conversations, async.

    ::

        async with AsyncConversationStore.open("sqlite:///chat.db") as store:
            thread = await store.threads.create()
            await store.messages.create(thread.id, role="user", content="Why is the sky blue?")
    """

    def __init__(self, executor: AsyncExecutor, scope: Scope) -> None:
        """Use :meth:`open`."""
        self._executor = executor
        self.scope = scope
        """Tenant, actor and correlation of every call."""
        runner = self._runner = async_runner(executor, scope)
        self._threads = AsyncThreads(runner)
        self._messages = AsyncMessages(runner)
        self._branches = AsyncBranches(runner)
        self._runs = AsyncRuns(runner)
        self._assistants = AsyncAssistants(runner)
        self._events = AsyncEvents(runner)
        self._projections = AsyncProjections(runner)
        self._replay = AsyncReplay(runner)
        self._privacy = AsyncPrivacy(runner)
        self._audit = AsyncAudit(runner)
        self._tenants = AsyncTenants(runner)
        self._keys = AsyncKeys(runner)

    @classmethod
    def open(
        cls,
        target: str | URL | AsyncEngine,
        *,
        prefix: str = "",
        schema: str | None = None,
        migrate: Migrate = "auto",
        durability: Durability = "full",
        limits: Limits | None = None,
        busy_timeout_seconds: float = 10.0,
        queue_max: int = 10_000,
        readers: int = 4,
        connect_args: Mapping[str, Any] | None = None,
        environment: Environment | None = None,
        on_append: OnAppend | None = None,
        encryption: Encryption | None = None,
    ) -> Opening[Self]:
        """Open a store, making or migrating its tables: ``async with`` it, or ``await`` it.

        Args:
            target: URL (``sqlite:///chat.db``, ``sqlite://`` for memory,
                ``postgresql+asyncpg://user@host/name``), or an AsyncEngine of the application,
                which is never disposed of.
            prefix: Begins the name of every table, for a database shared with other things.
            schema: Database schema of the tables; PostgreSQL only.
            migrate: ``"auto"`` makes or migrates the tables, ``"check"`` only looks whether they
                are current, ``"off"`` does not look.
            durability: ``"as_is"`` accepts an engine whose connections are less safe than
                ``"full"`` demands.
            limits: How large values may be.
            busy_timeout_seconds: How long a write waits for another process's transaction, or for
                room in the queue of writes.
            queue_max: Most writes that may wait at once.
            readers: Connections that read at once.
            connect_args: Arguments for the driver's ``connect()``.
            environment: Clock and randomness, for tests.
            on_append: Called with an ``AppendNotice`` after each append of this store.
            encryption: Seals content with keys that are kept elsewhere; see
                ``eventstore.encryption``. Without it sealed content cannot be read.

        Raises:
            InvalidInput: the URL or an option is malformed.
            StoreUnavailable: the database cannot be used as it is.
            SchemaTooNew: a newer version of the library made the tables.
        """
        options = OpenOptions(
            prefix=prefix,
            schema=schema,
            migrate=migrate,
            durability=durability,
            limits=Limits() if limits is None else limits,
            busy_timeout_seconds=busy_timeout_seconds,
            queue_max=queue_max,
            readers=readers,
            connect_args={} if connect_args is None else connect_args,
            environment=system_environment() if environment is None else environment,
            on_append=on_append,
            encryption=encryption,
        )

        async def opened() -> Self:
            executor, runner = await async_executor(target, options)
            registry = Registry(None if encryption is None else encryption.may_store_words)
            store = cls(
                executor,
                Scope(runner.log, registry=registry, metrics=runner.metrics, looks=SharedLooks()),
            )
            pause = PauseAsync(executor.changed, None)
            await drive_async(bind(runner.log.codec), store.perform, pause)
            await drive_async(finish_interrupted(), store.perform, pause)
            return store

        return Opening(opened)

    @property
    def threads(self) -> AsyncThreads:
        """Create, find, fork, archive and delete conversations."""
        return self._threads

    @property
    def messages(self) -> AsyncMessages:
        """Add messages, edit and regenerate them, and read the history of a thread."""
        return self._messages

    @property
    def branches(self) -> AsyncBranches:
        """Show the tree of a thread, and choose which of its paths is active."""
        return self._branches

    @property
    def runs(self) -> AsyncRuns:
        """Record executions of an assistant: their starts, waits, ends and order."""
        return self._runs

    @property
    def assistants(self) -> AsyncAssistants:
        """Keep assistants: a model, instructions and tools, each change a version."""
        return self._assistants

    @property
    def events(self) -> AsyncEvents:
        """Read and follow the log itself, and append to streams of your own."""
        return self._events

    @property
    def projections(self) -> AsyncProjections:
        """Run read models of your own behind the log, and check the tables of the store."""
        return self._projections

    @property
    def replay(self) -> AsyncReplay:
        """Rebuild any moment of a thread from its events alone."""
        return self._replay

    @property
    def privacy(self) -> AsyncPrivacy:
        """Remove content or whole threads for good."""
        return self._privacy

    @property
    def audit(self) -> AsyncAudit:
        """Prove that the log is what was written."""
        return self._audit

    @property
    def keys(self) -> AsyncKeys:
        """Look at the keys of a store with encryption, and rotate the master key."""
        return self._keys

    @property
    def tenants(self) -> AsyncTenants:
        """List the tenants of the store."""
        return self._tenants

    def tenant(self, name: str) -> Self:
        """Return this store bound to a tenant. Other tenants' ids are unknown to it.

        Args:
            name: Name of the tenant, up to 255 characters. Its first write makes it.

        Raises:
            InvalidInput: the name is malformed.
        """
        return self._bound(
            self.scope._replace(tenant=name if name == "" else check_name(name, "tenant", 255))
        )

    def acting(
        self,
        *,
        actor: str | None = None,
        correlation_id: str | None = None,
        causation_id: str | None = None,
    ) -> Self:
        """Return this store bound to an actor; every event that it writes names the actor.

        Closing a bound store closes the store.

        Args:
            actor: Opaque id of whoever acts, up to 255 characters; kept for ever.
            correlation_id: Id that everything belonging together shares, up to 255 characters.
            causation_id: Id of the event or request that led to these writes, up to 255 characters.

        Raises:
            InvalidInput: an id is malformed.
        """
        return self._bound(self.scope.acting(actor, correlation_id, causation_id))

    def _bound(self, scope: Scope) -> Self:
        return type(self)(self._executor, scope)

    def counters(self) -> Counters:
        """Return counts of the writes of this store so far, in this process."""
        return self.scope.metrics.counters()

    async def health(self) -> Health:
        """Ask the database whether it answers, and return how it is doing.

        Raises:
            StoreUnavailable: it does not answer.
        """
        return await self.perform(health(self.scope))

    def perform(self, operation: Write[T] | Read[T] | Wipe[T] | Collected[T]) -> Awaitable[T]:
        """Run an operation of ``eventstore.api.operations``; every method ends here.

        Args:
            operation: What to read or to write.
        """
        return self._runner.perform(operation)

    async def close(self) -> None:
        """Finish waiting requests and close, also stores bound to this one. Idempotent."""
        try:
            pause = PauseAsync(self._executor.changed, None)
            await drive_async(closing(self.scope), self.perform, pause)
        finally:
            await self._executor.close_async()
            self.scope.log.codec.close()

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
