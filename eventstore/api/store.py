"""The sync face: ``ConversationStore``.

Every method is an operation of ``eventstore.api.operations``, run in the calling thread; the async
face has the same names. A store may be used from many threads at once.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import TracebackType
from typing import Any, Self, TypeVar

from sqlalchemy import URL, Engine

from eventstore.api.connect import sync_executor
from eventstore.api.executors import SyncExecutor
from eventstore.api.faces.keyed_runners import sync_runner
from eventstore.api.faces.shared_looks import SharedLooks
from eventstore.api.faces.sync import (
    Assistants,
    Audit,
    Branches,
    Events,
    Keys,
    Messages,
    Privacy,
    Projections,
    Replay,
    Runs,
    Tenants,
    Threads,
)
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
from eventstore.api.operations.routine import Pause, drive
from eventstore.api.operations.wiping import finish_interrupted
from eventstore.core.environment import Environment
from eventstore.core.json_values import Limits, check_name
from eventstore.encryption import Encryption
from eventstore.read_models.catch_up.definition import Registry
from eventstore.storage.migrations import Migrate

__all__ = ["ConversationStore"]

T = TypeVar("T")


class ConversationStore:
    """An event-sourced store of conversations, sync.

    ::

        with ConversationStore.open("sqlite:///chat.db") as store:
            thread = store.threads.create()
            store.messages.create(thread.id, role="user", content="Why is the sky blue?")
    """

    def __init__(self, executor: SyncExecutor, scope: Scope) -> None:
        """Use :meth:`open`."""
        self._executor = executor
        self.scope = scope
        """Tenant, actor and correlation of every call."""
        runner = self._runner = sync_runner(executor, scope)
        self._threads = Threads(runner)
        self._messages = Messages(runner)
        self._branches = Branches(runner)
        self._runs = Runs(runner)
        self._assistants = Assistants(runner)
        self._events = Events(runner)
        self._projections = Projections(runner)
        self._replay = Replay(runner)
        self._privacy = Privacy(runner)
        self._audit = Audit(runner)
        self._tenants = Tenants(runner)
        self._keys = Keys(runner)

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
        executor, runner = sync_executor(target, options)
        registry = Registry(None if encryption is None else encryption.may_store_words)
        store = cls(
            executor,
            Scope(runner.log, registry=registry, metrics=runner.metrics, looks=SharedLooks()),
        )
        pause = Pause(executor.changed, None)
        drive(bind(runner.log.codec), store.perform, pause)
        drive(finish_interrupted(), store.perform, pause)
        return store

    @property
    def threads(self) -> Threads:
        """Create, find, fork, archive and delete conversations."""
        return self._threads

    @property
    def messages(self) -> Messages:
        """Add messages, edit and regenerate them, and read the history of a thread."""
        return self._messages

    @property
    def branches(self) -> Branches:
        """Show the tree of a thread, and choose which of its paths is active."""
        return self._branches

    @property
    def runs(self) -> Runs:
        """Record executions of an assistant: their starts, waits, ends and order."""
        return self._runs

    @property
    def assistants(self) -> Assistants:
        """Keep assistants: a model, instructions and tools, each change a version."""
        return self._assistants

    @property
    def events(self) -> Events:
        """Read and follow the log itself, and append to streams of your own."""
        return self._events

    @property
    def projections(self) -> Projections:
        """Run read models of your own behind the log, and check the tables of the store."""
        return self._projections

    @property
    def replay(self) -> Replay:
        """Rebuild any moment of a thread from its events alone."""
        return self._replay

    @property
    def privacy(self) -> Privacy:
        """Remove content or whole threads for good."""
        return self._privacy

    @property
    def audit(self) -> Audit:
        """Prove that the log is what was written."""
        return self._audit

    @property
    def keys(self) -> Keys:
        """Look at the keys of a store with encryption, and rotate the master key."""
        return self._keys

    @property
    def tenants(self) -> Tenants:
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
        """Finish waiting requests and close, also stores bound to this one. Idempotent."""
        try:
            drive(closing(self.scope), self.perform, Pause(self._executor.changed, None))
        finally:
            self._executor.close()
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
