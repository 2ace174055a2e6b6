"""A URL, or an engine that the application has, becomes something a store can run on."""

from __future__ import annotations

import asyncio
import os
import re
import threading
import time
from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import contextmanager
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any, Final, Literal, TypeAlias, TypedDict

from sqlalchemy import URL, Engine, make_url
from sqlalchemy.exc import ArgumentError

from eventstore.conversing import CATALOGUES, DECIDINGS
from eventstore.core.codec import PLAIN
from eventstore.core.json_values import Limits
from eventstore.core.quoting import quoted
from eventstore.core.sources import Sources
from eventstore.errors import ConversationStoreError, InvalidInput
from eventstore.execution.async_url import AsyncUrlExecutor
from eventstore.execution.database import POSTPONED, Database
from eventstore.execution.owned import OwnedAsyncEngine, OwnedEngine
from eventstore.execution.settings import Settings
from eventstore.execution.url import UrlExecutor
from eventstore.execution.url_arguments import check_arguments
from eventstore.operations.metering import Meter, OnAppend
from eventstore.operations.operation import Maintenance
from eventstore.storage.append import append_many
from eventstore.storage.migrations import Migrate
from eventstore.storage.requests import Appended, AppendRequest, Log, Postponed
from eventstore.storage.sqlite import MEMORY, SqliteDatabase, warn_about_network
from eventstore.storage.transaction import Marks, Naming, Transaction

if TYPE_CHECKING:
    from sqlalchemy.ext.asyncio import AsyncEngine  # loads the ORM: a sixth of the whole import
    from typing_extensions import TypeIs  # in typing from 3.13 on

__all__ = ["OpenOptions", "Performer", "async_executor", "sync_executor", "system_sources"]

Durability: TypeAlias = Literal["full", "as_is"]

_EXAMPLE: Final = (
    "For example sqlite:///chat.db, sqlite:// for memory, or postgresql+psycopg://user@host/name."
)
_DRIVERS: Final[Mapping[str, Mapping[str, Marks]]] = {
    "sqlite": {"pysqlite": "?", "aiosqlite": "?"},
    "postgresql": {"psycopg": "%s", "asyncpg": "$1"},
}
"""By database: the drivers there are, and how each marks a parameter."""
_ASYNC: Final = {"aiosqlite": "sqlite", "asyncpg": "postgresql+psycopg"}
"""Drivers that are async only, and what the sync face takes instead."""
_NAME: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,62}\Z")
_PREFIX: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,30}\Z|\Z")


class OpenOptions(TypedDict, total=False):
    """What ``open()`` takes besides the URL or engine."""

    prefix: str
    """Begins the name of every table, for a database shared with other things."""
    schema: str | None
    """Database schema of the tables."""
    migrate: Migrate
    """``"auto"`` makes or migrates the tables, ``"check"`` only looks, ``"off"`` does not look."""
    durability: Durability
    """``"as_is"`` accepts an engine whose connections are less safe than ours."""
    limits: Limits
    """How large values may be."""
    busy_timeout_seconds: float
    """How long to wait for another process's transaction, or for room in the queue of writes."""
    queue_max: int
    """Most writes that may wait at once."""
    readers: int
    """Connections that read at once."""
    connect_args: Mapping[str, Any]
    """Handed to the driver's ``connect()``."""
    sources: Sources
    """Clock and randomness, for tests."""
    on_append: OnAppend
    """Called after each append of this store, with an :class:`AppendNotice`."""


def system_sources() -> Sources:
    """Return the system's clock and randomness."""
    return Sources(lambda: time.time_ns() // 1000, os.urandom)


class Performer:
    """Runs a batch of requests in one transaction: appends together, maintenance in its place."""

    def __init__(self, log: Log, meter: Meter) -> None:
        self.log: Final = log
        self.meter: Final = meter

    def __call__(
        self,
        tx: Transaction,
        requests: Sequence[Any],
        patient: bool = True,  # noqa: FBT001, FBT002 (called by position)
    ) -> list[Any]:
        """Return an outcome a request; ``patient``: wait for threads that others have locked."""
        self.meter.begun()
        outcomes: list[Any] = []
        waiting: list[AppendRequest] = []
        for request in requests:
            if isinstance(request, Maintenance):
                outcomes += self._append(tx, waiting, patient=patient)
                waiting = []
                outcomes.append(self._maintain(tx, request, patient=patient))
            else:
                waiting.append(request)
        outcomes += self._append(tx, waiting, patient=patient)
        tx.flush()
        return outcomes

    def _maintain(self, tx: Transaction, request: Maintenance, *, patient: bool) -> Any:  # noqa: ANN401 (an outcome)
        if request.alone and not patient and not tx.ordering.alone:
            return POSTPONED
        if not request.keeps_rows:
            tx.kept.clear()
        made = request.act(tx)
        return made if isinstance(made, Appended) else Appended(made, 0, ())

    def _append(
        self, tx: Transaction, requests: Sequence[AppendRequest], *, patient: bool
    ) -> list[Any]:
        if not requests:
            return []
        outcomes = append_many(tx, requests, self.log, patient=patient)
        return [POSTPONED if isinstance(one, Postponed) else one for one in outcomes]


def _log(options: OpenOptions) -> Log:
    return Log(
        options.get("sources") or system_sources(),
        options.get("limits") or Limits(),
        PLAIN,
        CATALOGUES,
        DECIDINGS,
    )


def _settings(options: OpenOptions) -> Settings:
    names = ("busy_timeout_seconds", "queue_max", "readers", "connect_args")
    return Settings(**{name: options[name] for name in names if name in options})  # type: ignore[literal-required]


def _check(options: OpenOptions) -> None:
    """Hold every option to what it may be, before anything is opened.

    Raises:
        InvalidInput: naming the option.
        TypeError: there is no option of that name.
    """
    unknown = options.keys() - OpenOptions.__optional_keys__
    if unknown:
        raise TypeError(f"open() got an unexpected keyword argument {min(unknown)!r}")
    for name, (fits, remedy) in _OPTIONS.items():
        if name in options and not fits(options[name]):  # type: ignore[literal-required]
            raise InvalidInput(name, f"{quoted(options[name])} is not possible", remedy)  # type: ignore[literal-required]


def _is_prefix(value: Any) -> bool:  # noqa: ANN401 (whatever the caller gave)
    return isinstance(value, str) and _PREFIX.match(value) is not None


def _is_duration(value: Any) -> bool:  # noqa: ANN401
    return isinstance(value, (int, float)) and 0 <= value <= _WAIT_MAX


def _is_count(value: Any) -> bool:  # noqa: ANN401
    return isinstance(value, int) and not isinstance(value, bool) and value > 0


def _are_limits(value: Any) -> bool:  # noqa: ANN401
    return isinstance(value, Limits) and all(map(_is_count, value)) and value.depth_max <= _DEPTH


_WAIT_MAX: Final = 86_400
_DEPTH: Final = 128
"""Deeper JSON meets the limits of Python's stack and of other readers of the log."""

_OPTIONS: Final[Mapping[str, tuple[Callable[[Any], bool], str]]] = {
    "prefix": (_is_prefix, "Use up to 31 letters, digits and _, beginning with no digit."),
    "schema": (
        lambda value: value is None or (isinstance(value, str) and _NAME.match(value) is not None),
        "Use up to 63 letters, digits and _, beginning with no digit.",
    ),
    "migrate": (lambda value: value in ("auto", "check", "off"), "Use 'auto', 'check' or 'off'."),
    "durability": (lambda value: value in ("full", "as_is"), "Use 'full' or 'as_is'."),
    "limits": (_are_limits, f"Give Limits of positive integers, depth_max up to {_DEPTH}."),
    "busy_timeout_seconds": (_is_duration, f"Give 0 to {_WAIT_MAX} seconds."),
    "queue_max": (_is_count, "Give 1 or more."),
    "readers": (_is_count, "Give 1 or more."),
    "connect_args": (lambda value: isinstance(value, Mapping), "Give a dict."),
    "sources": (lambda value: isinstance(value, Sources), "Give Sources(clock, chance)."),
    "on_append": (callable, "Give a function that takes an AppendNotice."),
}


def _database(
    dialect: str, driver: str, options: OpenOptions, settings: Settings, *, ours: bool
) -> Database:
    schema = options.get("schema")
    if dialect == "sqlite" and schema not in {None, "main"}:
        raise InvalidInput("schema", "SQLite has none", "Use prefix=.")
    naming = Naming(options.get("prefix", ""), schema, _DRIVERS[dialect][driver])
    migrate = options.get("migrate", "auto")
    safe = options.get("durability", "full") == "full"
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
        raise InvalidInput("url", "names a host, but SQLite is a file", _EXAMPLE)
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


def _url_executor(url: URL, options: OpenOptions, performer: Performer) -> UrlExecutor:
    settings = _settings(options)
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
        connect_args = {"check_same_thread": False, **settings.connect_args}
        settings = settings._replace(connect_args=connect_args)
    with _query_of_url():
        return UrlExecutor(
            url,
            _database(dialect, driver, options, settings, ours=True),
            settings,
            performer,
            in_memory=in_memory,
        )


@contextmanager
def _query_of_url() -> Generator[None]:
    """Translate what SQLAlchemy says while it reads a URL's query, and nothing says before."""
    try:
        yield
    except ConversationStoreError:
        raise
    except (ArgumentError, ValueError) as error:
        raise InvalidInput("url", "has a query that the driver does not take", _EXAMPLE) from error


def _is_async(target: object) -> TypeIs[AsyncEngine]:
    if isinstance(target, str | URL):
        return False
    from sqlalchemy.ext.asyncio import AsyncEngine  # noqa: PLC0415 (see above)

    return isinstance(target, AsyncEngine)


def sync_executor(
    target: str | URL | Engine, options: OpenOptions
) -> tuple[UrlExecutor | OwnedEngine, Performer]:
    """Open what a sync store runs on.

    Raises:
        InvalidInput: the URL is malformed, or of an async driver.
        StoreUnavailable: the database cannot be used as it is.
    """
    _check(options)
    performer = Performer(_log(options), Meter(options.get("on_append")))
    if isinstance(target, Engine):
        settings = _settings(options)
        database = _database(*_driver_of(target), options, settings, ours=False)
        return OwnedEngine(target, database, settings, performer), performer
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
    return _url_executor(url, options, performer), performer


async def async_executor(
    target: str | URL | AsyncEngine, options: OpenOptions
) -> tuple[UrlExecutor | OwnedAsyncEngine | AsyncUrlExecutor, Performer]:
    """Open what an async store runs on.

    Raises:
        InvalidInput: the URL is malformed, or an engine is sync.
        StoreUnavailable: the database cannot be used as it is.
    """
    _check(options)
    performer = Performer(_log(options), Meter(options.get("on_append")))
    settings = _settings(options)
    if _is_async(target):
        database = _database(*_driver_of(target), options, settings, ours=False)
        owned = OwnedAsyncEngine(target, database, settings, performer)
        await owned.open()
        return owned, performer
    if isinstance(target, Engine):
        raise InvalidInput(
            "engine", "is a sync Engine", "Give an AsyncEngine, or open a ConversationStore."
        )
    url = _parsed(target)
    if url.drivername == "postgresql+asyncpg":
        made = AsyncUrlExecutor(
            url,
            lambda: _database("postgresql", "asyncpg", options, settings, ours=True),
            settings,
            performer,
        )
        with _query_of_url():
            await made.open()
        return made, performer
    return await _opened_in_thread(url, options, performer), performer


async def _opened_in_thread(url: URL, options: OpenOptions, performer: Performer) -> UrlExecutor:
    """Open without blocking the event loop; whoever is cancelled meanwhile leaves nothing open.

    The thread cannot be stopped. It looks whether it is still wanted once it has opened, and who is
    cancelled looks whether it has: so one of them sees the other. Closing twice does no harm.
    """
    opened: list[UrlExecutor] = []
    unwanted = threading.Event()

    def open_it() -> None:
        opened.append(_url_executor(url, options, performer))
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
