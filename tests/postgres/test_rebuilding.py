"""A rebuild on PostgreSQL beside others that write: in this process, or elsewhere."""

import threading
from concurrent.futures import ThreadPoolExecutor

import psycopg
import pytest
from sqlalchemy import make_url

from eventstore import Refused, StoreBusy
from eventstore.api.operations import messages, projections
from eventstore.api.operations.operation import Maintenance, Write
from eventstore.write_path.requests import Appended
from tests.postgres.bad_days import open_at, say

pytestmark = pytest.mark.newest_postgres

SECONDS = 30


def holding(url):
    return psycopg.connect(make_url(url).set(drivername="postgresql").render_as_string())


WRONG = "UPDATE threads SET archived = 1"
"""What is right is not locked."""


def test_a_thread_is_not_set_right_while_somebody_appends_to_it(url, admin, way):
    with open_at(url, way, busy_timeout_seconds=0.2) as store:
        thread = store.threads.create()
        say(store, thread.id, "before")
        admin.execute(WRONG)
        with holding(url) as other:
            other.execute("SELECT version FROM streams FOR UPDATE")
            with pytest.raises(StoreBusy):
                store.projections.rebuild()
        assert store.projections.rebuild().threads == 1
        assert store.projections.compare().findings == ()


def test_a_rebuild_that_waits_for_a_thread_holds_up_no_append_to_another(url, admin, way):
    with open_at(url, way, busy_timeout_seconds=SECONDS) as store:
        held, free = store.threads.create().id, store.threads.create().id
        admin.execute(WRONG)
        with holding(url) as other:
            other.execute(
                "SELECT version FROM streams WHERE stream = %s FOR UPDATE",
                (bytes.fromhex(held.removeprefix("thread_")),),
            )
            told = []
            rebuilding = threading.Thread(target=lambda: told.append(store.projections.rebuild()))
            rebuilding.start()
            while admin.execute("SELECT 1 FROM pg_locks WHERE NOT granted").fetchone() is None:
                assert rebuilding.is_alive()
            later = store.threads.create().id
            assert say(store, later, "not held up").version == 2
            assert told == []
        rebuilding.join(SECONDS)
        assert [report.threads for report in told] == [3]  # the new one comes after them
        assert say(store, free, "after").version == 2
        assert store.projections.compare().findings == ()


def test_a_rebuild_reaches_the_process_that_runs_it(url, admin, way):
    """Although what it keeps of a thread holds otherwise while its head has not moved."""
    with open_at(url, way, busy_timeout_seconds=SECONDS) as store:
        thread = store.threads.create().id
        admin.execute("UPDATE threads SET archived = 1")
    with open_at(url, way, busy_timeout_seconds=SECONDS) as store:
        for _ in range(2):
            with pytest.raises(Refused):
                say(store, thread, "hello")
        store.projections.rebuild()
        assert say(store, thread, "hello").text == "hello"
        assert store.projections.compare().findings == ()


def test_it_reaches_also_a_transaction_that_had_begun_before(url, admin):
    """What was kept was true when that began; what counts is when it takes the thread."""
    with open_at(url, "psycopg", busy_timeout_seconds=SECONDS) as store:
        thread = store.threads.create().id
        admin.execute("UPDATE threads SET archived = 1")
    with (
        open_at(url, "psycopg", busy_timeout_seconds=SECONDS) as store,
        ThreadPoolExecutor(1) as elsewhere,
    ):
        with pytest.raises(Refused):
            say(store, thread, "hello")
        executor = store._executor  # noqa: SLF001 (no public way to make the two meet)
        walk = projections.rebuild(store.scope).walk
        _, place = store.perform(walk.page(walk.first))
        page = walk.page(place)
        assert isinstance(page, Write)
        saying = messages.create(store.scope, thread, role="user", content="hello").request

        def meanwhile(_):
            elsewhere.submit(executor._write_alone, page.request).result(SECONDS)  # noqa: SLF001

        begun = Maintenance(meanwhile, keeps_rows=True)
        _, said = executor._connections.write([begun, saying])  # noqa: SLF001
        assert isinstance(said, Appended)
        assert store.projections.compare().findings == ()


def test_it_reaches_also_a_writing_connection_that_was_made_since(url, admin, way):
    """The rebuild began when the store wrote on another one, which was then lost."""
    with open_at(url, way, busy_timeout_seconds=SECONDS) as store:
        held, thread = store.threads.create().id, store.threads.create().id
        admin.execute("UPDATE threads SET archived = 1")
    with open_at(url, way, busy_timeout_seconds=SECONDS) as store:
        with holding(url) as other:
            other.execute(
                "SELECT version FROM streams WHERE stream = %s FOR UPDATE",
                (bytes.fromhex(held.removeprefix("thread_")),),
            )
            rebuilding = threading.Thread(target=store.projections.rebuild)
            rebuilding.start()
            while admin.execute("SELECT 1 FROM pg_locks WHERE NOT granted").fetchone() is None:
                assert rebuilding.is_alive()
            killed = admin.execute(
                "SELECT pg_terminate_backend(pid, 10000) FROM pg_stat_activity"
                " WHERE datname = current_database() AND state = 'idle'"
            ).fetchall()
            assert (True,) in killed
            with pytest.raises(Refused):
                say(store, thread, "by the row that is wrong")
        rebuilding.join(SECONDS)
        assert say(store, thread, "hello").text == "hello"
        assert store.projections.compare().findings == ()


TABLES = ("threads", "messages", "segments", "branch_points", "labels", "thread_metadata")


def contents(admin, schema):
    return {
        table: admin.execute(f"SELECT t::text FROM {schema}.p_{table} t ORDER BY 1").fetchall()
        for table in TABLES
    }


def test_very_many_rows_that_were_lost_come_back(url, admin, way):
    """Also in a schema of their own, under names of their own."""
    admin.execute("DROP SCHEMA IF EXISTS talks CASCADE; CREATE SCHEMA talks")
    with open_at(url, way, schema="talks", prefix="p_") as store:
        threads = [
            store.threads.create(title="Plans", metadata={"n": n, "odd": "%s ? {x}"}).id
            for n in range(3)
        ]
        for thread in threads:
            roles = ("user", "assistant")
            drafts = [{"role": roles[n % 2], "content": f"words {n}"} for n in range(150)]
            said = store.messages.create_many(thread, drafts)
            store.messages.edit(thread, said[70].id, content="otherwise")
            store.branches.label(thread, said[0].id, "the first, %s \\ \t")
        before = contents(admin, "talks")
        for table in TABLES:
            admin.execute(f"TRUNCATE talks.p_{table}")
        assert store.projections.rebuild().threads == 3
        assert contents(admin, "talks") == before
        assert store.projections.compare().ok
        assert say(store, threads[0], "after").version == 154
    admin.execute("DROP SCHEMA talks CASCADE")
