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

from eventstore.api.bound_store import BoundStore
from eventstore.api.connect import async_executor
from eventstore.api.executors import AsyncExecutor
from eventstore.api.faces.asynchronous import AsyncResources
from eventstore.api.faces.keyed_runners import async_runner
from eventstore.api.faces.shared_looks import SharedLooks
from eventstore.api.open_options import Durability, OpenOptions, system_environment
from eventstore.api.operations.binding import bind
from eventstore.api.operations.catch_up import closing
from eventstore.api.operations.health import Health, health
from eventstore.api.operations.leaving import parting
from eventstore.api.operations.metrics import OnAppend
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
from eventstore.core.json_values import Limits
from eventstore.encryption import Encryption
from eventstore.read_models.catch_up.definition import Registry
from eventstore.storage.migrations import Migrate

if TYPE_CHECKING:
    from sqlalchemy.ext.asyncio import AsyncEngine  # not at run time: see `connect`

__all__ = ["AsyncConversationStore"]

S = TypeVar("S", bound="AsyncConversationStore")
T = TypeVar("T")


class AsyncConversationStore(BoundStore[AsyncExecutor], AsyncResources):
    """An event-sourced store of conversations, async.

    ::

        async with AsyncConversationStore.open("sqlite:///chat.db") as store:
            thread = await store.threads.create()
            await store.messages.create(thread.id, role="user", content="Why is the sky blue?")
    """

    def __init__(self, executor: AsyncExecutor, scope: Scope) -> None:
        """Use :meth:`open`."""
        BoundStore.__init__(self, executor, scope)
        AsyncResources.__init__(self, async_runner(executor, scope))

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
            executor, log, metrics = await async_executor(target, options)
            registry = Registry(None if encryption is None else encryption.may_store_words)
            store = cls(
                executor,
                Scope(log, registry=registry, metrics=metrics, looks=SharedLooks()),
            )
            pause = PauseAsync(executor.changed, None)
            await drive_async(bind(log.codec), store.perform, pause)
            await drive_async(finish_interrupted(), store.perform, pause)
            return store

        return Opening(opened)

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
        """Finish waiting requests and close, also stores bound to this one. Idempotent.

        Snapshots that reading took are written first, unless another process is writing.
        """
        try:
            pause = PauseAsync(self._executor.changed, None)
            await drive_async(closing(self.scope), self.perform, pause)
        finally:
            await self._executor.close_async(parting(self.scope))
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
