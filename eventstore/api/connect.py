"""Turn a URL, or an engine of the application, into an executor for a store."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any, Final

from sqlalchemy import URL, Engine, make_url
from sqlalchemy.exc import ArgumentError

from eventstore.api.executors import AsyncExecutor, SyncExecutor, ThreadedExecutor
from eventstore.api.open_options import OpenOptions, check_options, settings_of
from eventstore.api.operations.metrics import Metrics
from eventstore.core.codec import PlainCodec
from eventstore.errors import ConversationStoreError, InvalidInput
from eventstore.execution.async_url import AsyncUrlExecutor
from eventstore.execution.database import Database
from eventstore.execution.owned import OwnedEngine
from eventstore.execution.owned_async import OwnedAsyncEngine
from eventstore.execution.settings import Settings
from eventstore.execution.url import UrlExecutor
from eventstore.execution.url_arguments import check_arguments
from eventstore.storage.log import Log
from eventstore.storage.snapshots import Snapshots
from eventstore.storage.sqlite import MEMORY, SqliteDatabase
from eventstore.storage.sqlite_settings import warn_about_network
from eventstore.storage.sqlite_transaction import SqliteConnection
from eventstore.storage.transaction import Marks, Naming, Transaction
from eventstore.write_path.categories import CATALOGUES
from eventstore.write_path.requests import Outcome, Request, is_brief
from eventstore.write_path.transaction_runner import TransactionRunner

if TYPE_CHECKING:
    from sqlalchemy.ext.asyncio import AsyncEngine  # loads the ORM: a sixth of the whole import
    from typing_extensions import TypeIs  # in typing from 3.13 on

__all__ = ["async_executor", "sync_executor"]

_EXAMPLE: Final = (
    "For example sqlite:///chat.db, sqlite:// for memory, or postgresql+psycopg://user@host/name."
)
_DRIVERS: Final[Mapping[str, Mapping[str, Marks]]] = {
    "sqlite": {"pysqlite": "?", "aiosqlite": "?"},
    "postgresql": {"psycopg": "%s", "asyncpg": "$1"},
}
"""By database: the supported drivers, and their parameter marks."""
_ASYNC: Final = {"aiosqlite": "sqlite", "asyncpg": "postgresql+psycopg"}
"""Drivers that are async only, and the sync face's driver to use instead."""


def _log(options: OpenOptions) -> Log:
    return Log(
        options.environment,
        options.limits,
        PlainCodec() if options.encryption is None else options.encryption.codec(),
        CATALOGUES,
        Snapshots(),
    )


def _database(
    place: tuple[str, str], options: OpenOptions, settings: Settings, log: Log, *, ours: bool
) -> Database[Any, Transaction]:
    (dialect, driver), schema = place, options.schema
    if dialect == "sqlite" and schema not in {None, "main"}:
        raise InvalidInput("schema", "SQLite has no schemas", "Use prefix=.")
    naming = Naming(options.prefix, schema, _DRIVERS[dialect][driver], log.codec)
    migrate = options.migrate
    safe = options.durability == "full"
    if dialect == "sqlite":
        return SqliteDatabase(
            naming,
            migrate=migrate,
            busy_timeout_seconds=settings.busy_timeout_seconds,
            check_connections=not ours and safe,
        )
    from eventstore.storage.postgres import PostgresDatabase  # noqa: PLC0415 (its drivers are an extra)

    return PostgresDatabase(
        naming,
        migrate=migrate,
        busy_timeout_seconds=settings.busy_timeout_seconds,
        check_settings=safe,
        ours=ours,
    )


def _parsed(url: str | URL) -> URL:
    try:
        parsed = make_url(url)
    except (ArgumentError, ValueError):
        raise InvalidInput("url", "is not a database URL", _EXAMPLE) from None
    dialect = parsed.get_backend_name()
    if dialect not in _DRIVERS:
        raise InvalidInput("url", f"{dialect} is not supported by this version", _EXAMPLE)
    if dialect == "sqlite" and parsed.host is not None:
        raise InvalidInput("url", "names a host, but a SQLite database is a file", _EXAMPLE)
    if "+" not in parsed.drivername:
        parsed = parsed.set(drivername=f"{dialect}+{next(iter(_DRIVERS[dialect]))}")
    driver = parsed.drivername.partition("+")[2]
    if driver not in _DRIVERS[dialect]:
        known = ", ".join(_DRIVERS[dialect])
        raise InvalidInput(
            "url", f"names an unknown driver for {dialect}", f"Use {known}. {_EXAMPLE}"
        )
    if find_spec(_MODULES[driver]) is None:
        raise InvalidInput(
            "url",
            f"needs the driver {driver}, which is not installed",
            "pip install 'conversation-eventstore[postgres]'",
        )
    check_arguments(parsed)
    return parsed


_MODULES: Final = {
    "pysqlite": "sqlite3",
    "aiosqlite": "aiosqlite",
    "psycopg": "psycopg",
    "asyncpg": "asyncpg",
}


def _driver_of(engine: Engine | AsyncEngine) -> tuple[str, str]:
    """Return the database and driver of an engine.

    Raises:
        InvalidInput: it is of neither kind.
    """
    dialect, driver = engine.dialect.name, engine.dialect.driver
    driver = driver.removesuffix("_async")
    if driver not in _DRIVERS.get(dialect, {}):
        known = "; ".join(f"{name} with {' or '.join(kinds)}" for name, kinds in _DRIVERS.items())
        raise InvalidInput(
            "engine",
            f"{dialect} with {driver} is not supported by this version",
            f"Give an engine of {known}.",
        )
    return dialect, driver


def _url_executor(url: URL, options: OpenOptions, runner: TransactionRunner) -> ThreadedExecutor:
    settings = settings_of(options)
    in_memory = False
    dialect, driver = url.drivername.split("+")
    if dialect == "sqlite":
        in_memory = (
            url.database in {None, "", MEMORY, f"file:{MEMORY}"}
            or url.query.get("mode") == "memory"
        )
        if not in_memory:
            warn_about_network(str(url.database))
        url = url.set(drivername="sqlite")
        ours = {"check_same_thread": False, "factory": SqliteConnection}
        connect_args = {**ours, **settings.connect_args}
        settings = settings._replace(connect_args=connect_args)
    with _query_of_url():
        return UrlExecutor(
            url,
            _database((dialect, driver), options, settings, runner.log, ours=True),
            settings,
            runner,
            is_brief,
            in_memory=in_memory,
        )


@contextmanager
def _query_of_url() -> Generator[None]:
    """Translate the errors and warnings of SQLAlchemy while it reads a URL's query."""
    try:
        yield
    except ConversationStoreError:
        raise
    except (ArgumentError, ValueError) as error:
        raise InvalidInput(
            "url", "has a query that the driver does not accept", _EXAMPLE
        ) from error


def _is_async(target: object) -> TypeIs[AsyncEngine]:
    if isinstance(target, str | URL):
        return False
    from sqlalchemy.ext.asyncio import AsyncEngine  # noqa: PLC0415 (see above)

    return isinstance(target, AsyncEngine)


def sync_executor(
    target: str | URL | Engine, options: OpenOptions
) -> tuple[SyncExecutor, Log, Metrics]:
    """Open the executor of a sync store.

    Raises:
        InvalidInput: the URL is malformed, or of an async driver.
        StoreUnavailable: the database cannot be used as it is.
    """
    check_options(options)
    metrics = Metrics(options.on_append)
    runner = TransactionRunner(_log(options), metrics.begun)
    if isinstance(target, Engine):
        settings = settings_of(options)
        database = _database(_driver_of(target), options, settings, runner.log, ours=False)
        return OwnedEngine(target, database, settings, runner), runner.log, metrics
    if _is_async(target):
        raise InvalidInput(
            "engine", "is an AsyncEngine", "Give an Engine, or open an AsyncConversationStore."
        )
    url = _parsed(target)
    driver = url.drivername.partition("+")[2]
    if driver in _ASYNC:
        right = url.set(drivername=_ASYNC[driver]).render_as_string()
        raise InvalidInput(
            "url", "names an async driver", f"Use {right} here, or open an AsyncConversationStore."
        )
    return _url_executor(url, options, runner), runner.log, metrics


async def async_executor(
    target: str | URL | AsyncEngine, options: OpenOptions
) -> tuple[AsyncExecutor, Log, Metrics]:
    """Open the executor of an async store.

    Raises:
        InvalidInput: the URL is malformed, or an engine is sync.
        StoreUnavailable: the database cannot be used as it is.
    """
    check_options(options)
    metrics = Metrics(options.on_append)
    runner = TransactionRunner(_log(options), metrics.begun)
    settings = settings_of(options)
    if _is_async(target):
        database = _database(_driver_of(target), options, settings, runner.log, ours=False)
        owned: OwnedAsyncEngine[Transaction, Request, Outcome] = OwnedAsyncEngine(
            target, database, settings, runner
        )
        await owned.open()
        return owned, runner.log, metrics
    if isinstance(target, Engine):
        raise InvalidInput(
            "engine", "is a sync Engine", "Give an AsyncEngine, or open a ConversationStore."
        )
    url = _parsed(target)
    if url.drivername == "postgresql+asyncpg":
        made: AsyncUrlExecutor[Transaction, Request, Outcome] = AsyncUrlExecutor(
            url,
            lambda: _database(("postgresql", "asyncpg"), options, settings, runner.log, ours=True),
            settings,
            runner,
        )
        with _query_of_url():
            await made.open()
        return made, runner.log, metrics
    return await _opened_in_thread(url, options, runner), runner.log, metrics


async def _opened_in_thread(
    url: URL, options: OpenOptions, runner: TransactionRunner
) -> ThreadedExecutor:
    """Open without blocking the event loop; a cancelled caller leaves nothing open.

    The thread cannot be stopped. It checks after opening whether the store is still wanted, and a
    cancelled caller checks whether it has opened: so one of them sees the other. Closing twice does
    no harm.
    """
    opened: list[ThreadedExecutor] = []
    unwanted = threading.Event()

    def open_it() -> None:
        opened.append(_url_executor(url, options, runner))
        if unwanted.is_set():
            opened[0].close()

    try:
        await asyncio.to_thread(open_it)
    except asyncio.CancelledError:
        unwanted.set()
        for one in opened:
            one.close()
        raise
    return opened[0]
