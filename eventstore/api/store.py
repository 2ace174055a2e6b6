"""The sync face: ``ConversationStore``.

Every method is an operation of ``eventstore.api.operations``, run in the calling thread; the async
face has the same names. A store may be used from many threads at once.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import TracebackType
from typing import Any, Self, TypeVar

from sqlalchemy import URL, Engine

from eventstore.api.bound_store import BoundStore
from eventstore.api.connect import sync_executor
from eventstore.api.executors import SyncExecutor
from eventstore.api.faces.keyed_runners import sync_runner
from eventstore.api.faces.shared_looks import SharedLooks
from eventstore.api.faces.sync import Resources
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
from eventstore.api.operations.routine import Pause, drive
from eventstore.api.operations.wiping import finish_interrupted
from eventstore.core.environment import Environment
from eventstore.core.json_values import Limits
from eventstore.encryption import Encryption
from eventstore.read_models.catch_up.definition import Registry
from eventstore.storage.migrations import Migrate

__all__ = ["ConversationStore"]

T = TypeVar("T")


class ConversationStore(BoundStore[SyncExecutor], Resources):
    """An event-sourced store of conversations, sync.

    ::

        with ConversationStore.open("sqlite:///chat.db") as store:
            thread = store.threads.create()
            store.messages.create(thread.id, role="user", content="Why is the sky blue?")
    """

    def __init__(self, executor: SyncExecutor, scope: Scope) -> None:
        """Use :meth:`open`."""
        BoundStore.__init__(self, executor, scope)
        Resources.__init__(self, sync_runner(executor, scope))

    @classmethod
    def open(
        cls,
        target: str | URL | Engine,
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
    ) -> Self:
        """Open a store, making or migrating its tables.

        Args:
            target: URL (``sqlite:///chat.db``, ``sqlite://`` for memory,
                ``postgresql+psycopg://user@host/name``), or an Engine of the application, which is
                never disposed of.
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
            InvalidInput: the URL or an option is malformed, or the URL names an async driver.
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
        executor, log, metrics = sync_executor(target, options)
        registry = Registry(None if encryption is None else encryption.may_store_words)
        store = cls(
            executor,
            Scope(log, registry=registry, metrics=metrics, looks=SharedLooks()),
        )
        pause = Pause(executor.changed, None)
        drive(bind(log.codec), store.perform, pause)
        drive(finish_interrupted(), store.perform, pause)
        return store

    def health(self) -> Health:
        """Ask the database whether it answers, and return how it is doing.

        Raises:
            StoreUnavailable: it does not answer.
        """
        return self.perform(health(self.scope))

    def perform(self, operation: Write[T] | Read[T] | Wipe[T] | Collected[T]) -> T:
        """Run an operation of ``eventstore.api.operations``; every method ends here.

        Args:
            operation: What to read or to write.
        """
        return self._runner.perform(operation)

    def close(self) -> None:
        """Finish waiting requests and close, also stores bound to this one. Idempotent.

        Snapshots that reading took are written first, unless another process is writing.
        """
        try:
            drive(closing(self.scope), self.perform, Pause(self._executor.changed, None))
        finally:
            self._executor.close(parting(self.scope))
            self.scope.log.codec.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()
