"""Through PgBouncer in transaction mode, with the settings that the guide gives."""

import os
import shutil
import socket
import subprocess
import tempfile
import time
from pathlib import Path

import psycopg
import pytest
from sqlalchemy import URL, make_url

from eventstore import AsyncConversationStore, ConversationStore
from eventstore.testing.conformance import ConformanceSuite, blocking

PROGRAM = shutil.which("pgbouncer", path=os.pathsep.join([os.environ.get("PATH", ""), "/usr/sbin"]))
CONFIGURATION = """
[databases]
* = host=127.0.0.1 port={server}
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = {port}
unix_socket_dir =
auth_type = trust
auth_file = {users}
pool_mode = transaction
default_pool_size = 4
"""

SECONDS = 20

pytestmark = [
    pytest.mark.newest_postgres,
    pytest.mark.skipif(PROGRAM is None, reason="pgbouncer is not installed"),
]


@pytest.fixture(scope="module")
def bouncer(server):
    """The port of a PgBouncer before the server."""
    port, user = free_port(), make_url(server.dsn()).username
    with tempfile.TemporaryDirectory() as made:
        folder = Path(made)
        folder.chmod(0o755)  # for the user that it runs as
        configured, users = folder / "pgbouncer.ini", folder / "users.txt"
        users.write_text(f'"{user}" ""\n', encoding="utf-8")
        text = CONFIGURATION.format(server=server.port, port=port, users=users)
        configured.write_text(text, encoding="utf-8")
        assert PROGRAM is not None
        unprivileged = {"user": "nobody"} if os.geteuid() == 0 else {}
        running = subprocess.Popen([PROGRAM, "--quiet", configured], **unprivileged)  # type: ignore[call-overload]
        try:
            deadline = time.monotonic() + SECONDS
            while not answers(server, port):
                assert running.poll() is None, "PgBouncer ended"
                assert time.monotonic() < deadline, "PgBouncer does not answer"
            yield port
        finally:
            running.terminate()
            running.wait(10)


def free_port():
    with socket.create_server(("127.0.0.1", 0)) as listening:
        return listening.getsockname()[1]


def answers(server, port):
    try:
        psycopg.connect(
            make_url(server.dsn()).set(port=port).render_as_string(hide_password=False)
        ).close()
    except psycopg.OperationalError:
        return False
    return True


class ThroughPgBouncer(ConformanceSuite):
    driver = "psycopg"
    url: URL

    @pytest.fixture(autouse=True, scope="class")
    @classmethod
    def _database(cls, server, databases, bouncer):
        with databases(server).one() as name:
            cls.url = make_url(server.url(driver=cls.driver, database=name)).set(port=bouncer)
            yield


class TestSyncWithPsycopg(ThroughPgBouncer):
    def opened(self, place):  # noqa: ARG002 (a database of the class's own)
        return ConversationStore.open(
            self.url, durability="as_is", connect_args={"prepare_threshold": None}
        )


class TestAsyncWithAsyncpg(ThroughPgBouncer):
    driver = "asyncpg"

    def opened(self, place):  # noqa: ARG002
        url = self.url.update_query_dict({"prepared_statement_cache_size": "0"})
        return blocking(
            lambda: AsyncConversationStore.open(
                url, durability="as_is", connect_args={"statement_cache_size": 0}
            )
        )
