"""Purging on PostgreSQL: the same suite as on SQLite, and what can happen where many write at once.

The order of steps is fixed by transactions that an application keeps open.
"""

import threading
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any

import pytest
from psycopg import sql

from eventstore import AsyncConversationStore, ConversationStore, ThreadNotFound
from eventstore.api.operations.operation import Read
from eventstore.testing.conformance import blocking
from tests.concurrency.purging import everybody_at_once
from tests.concurrency.schedules import SECONDS, outcome
from tests.conformance.purging import PurgingBesideOthers, talk, texts
from tests.projections.test_forks import LOOKUPS


class OnPostgres(PurgingBesideOthers):
    """One short life is enough here; longer ones and others are held on SQLite."""

    driver = "psycopg"
    writes = 15

    @pytest.mark.parametrize("seed", [3])
    def test_whatever_a_life_was_like_the_others_do_not_notice(self, store, seed):
        super().test_whatever_a_life_was_like_the_others_do_not_notice(store, seed)

    @pytest.fixture(autouse=True)
    def _place(self, server, migrated):
        self.url = server.url(driver=self.driver, database=migrated)


@pytest.mark.newest_postgres
class TestSyncWithPsycopg(OnPostgres):
    def opened(self, place, **options):  # noqa: ARG002 (a database of each test's own)
        return ConversationStore.open(self.url, durability="as_is", **options)


@pytest.mark.newest_postgres
class TestAsyncWithAsyncpg(OnPostgres):
    driver = "asyncpg"

    def opened(self, place, **options):  # noqa: ARG002
        opening = partial(AsyncConversationStore.open, self.url, durability="as_is", **options)
        return blocking(opening)


@pytest.fixture
def store(url):
    with ConversationStore.open(url, durability="as_is") as opened:
        yield opened
        assert opened.projections.compare().findings == ()


def until_somebody_waits(admin, thread):
    while admin.execute("SELECT count(*) FROM pg_locks WHERE NOT granted").fetchone() == (0,):
        assert thread.is_alive()


class Waiting:
    """A call in a thread of its own that has to wait for somebody's transaction."""

    def __init__(self, act, admin):
        self._made: list[Any] = []
        self._thread = threading.Thread(target=lambda: self._made.append(outcome(act)), daemon=True)
        self._thread.start()
        until_somebody_waits(admin, self._thread)

    def outcome(self):
        self._thread.join(SECONDS)
        (made,) = self._made
        return made


def test_a_fork_that_was_being_made_goes_along(store, engine, admin):
    thread, _ = talk(store, "one", "two")
    known = store.threads.fork(thread).id
    with engine.begin() as connection:
        fork = store.threads.fork(thread, connection=connection).id
        purge = Waiting(lambda: store.privacy.purge(thread, forks="purge"), admin)
    assert set(purge.outcome().forks) == {known, fork}
    assert list(store.threads.list(include_deleted=True)) == []


def test_a_fork_that_was_being_made_is_in_the_way_if_nothing_is_to_go_along(store, engine, admin):
    thread, _ = talk(store, "one")
    with engine.begin() as connection:
        fork = store.threads.fork(thread, connection=connection).id
        purge = Waiting(lambda: store.privacy.purge(thread), admin)
    assert purge.outcome().reason == "thread_has_forks"
    assert texts(store, fork) == ["one"]


def test_a_fork_of_a_fork_that_was_being_made_goes_along(store, engine, admin):
    thread, _ = talk(store, "one")
    fork = store.threads.fork(thread).id
    with engine.begin() as connection:
        further = store.threads.fork(fork, connection=connection).id
        store.messages.create(further, role="user", content="two", connection=connection)
        purge = Waiting(lambda: store.privacy.purge(thread, forks="purge"), admin)
    assert purge.outcome().forks == (fork, further)
    assert list(store.threads.list(include_deleted=True)) == []


def test_a_fork_that_waits_for_a_purge_finds_nothing(store, engine, admin):
    thread, _ = talk(store, "one")
    with engine.begin() as connection:
        store.privacy.purge(thread, connection=connection)
        fork = Waiting(lambda: store.threads.fork(thread), admin)
    assert type(fork.outcome()) is ThreadNotFound


def test_a_message_that_waits_for_a_purge_is_not_written(store, engine, admin):
    thread, _ = talk(store, "one")
    with engine.begin() as connection:
        store.privacy.purge(thread, connection=connection)
        said = Waiting(lambda: store.messages.create(thread, role="user", content="x"), admin)
    assert type(said.outcome()) is ThreadNotFound
    assert [event.type for event in store.events.read_all()] == ["ThreadPurged"]


def test_an_id_that_waits_for_a_purge_is_refused(store, engine, admin):
    thread, _ = talk(store, "one")
    with engine.begin() as connection:
        store.privacy.purge(thread, connection=connection)
        again = Waiting(lambda: store.threads.create(thread_id=thread), admin)
    assert again.outcome().reason == "thread_purged"


def test_whoever_writes_to_a_fork_of_a_fork_is_waited_for(store, engine, admin):
    """It reads what it inherits through a chain of which it holds only its own end."""
    thread, (first, _) = talk(store, "one", "two")
    fork = store.threads.fork(thread).id
    further = store.threads.fork(fork).id
    with engine.begin() as connection:
        store.messages.create(further, role="user", content="three", connection=connection)
        purge = Waiting(lambda: store.privacy.purge(thread, forks="purge"), admin)
        edited = store.messages.edit(further, first, content="other", connection=connection)
        assert edited.text == "other"
    assert purge.outcome().forks == (fork, further)
    assert store.privacy.purge(further).version == 3, "what was written meanwhile counts"


def test_a_purge_that_is_rolled_back_leaves_everything(store, engine):
    thread, _ = talk(store, "one")
    fork = store.threads.fork(thread).id
    with engine.connect() as connection:
        made = store.privacy.purge(thread, forks="purge", connection=connection)
        connection.rollback()
    assert made.pending
    assert texts(store, thread) == texts(store, fork) == ["one"]
    assert "ThreadPurged" not in {event.type for event in store.events.read_all()}
    assert store.privacy.purge(thread, forks="purge").forks == (fork,)


def test_two_purges_of_threads_that_read_from_each_other(store, engine, admin):
    """The middle one goes with its fork while the root's purge waits."""
    root, _ = talk(store, "one")
    middle = store.threads.fork(root).id
    leaf = store.threads.fork(middle).id
    with engine.begin() as connection:
        store.privacy.purge(middle, forks="purge", connection=connection)
        purge = Waiting(lambda: store.privacy.purge(root, forks="purge"), admin)
    assert purge.outcome().forks == ()
    purged = [event.data["thread_id"] for event in store.events.read_all()]
    assert purged == [leaf, middle, root], "each once"


def test_of_many_who_purge_for_the_first_time_all_succeed(store):
    threads = [talk(store, str(n))[0] for n in range(8)]
    with ThreadPoolExecutor(8) as pool:
        made = list(pool.map(store.privacy.purge, threads))
    assert [one.thread_id for one in made] == threads
    versions = sorted(event.version for event in store.events.read_all())
    assert versions == list(range(1, 9))


def test_nothing_is_left_in_any_table(store, admin):
    thread, said = talk(store, "one", "two", title="T", metadata={"user": "u"})
    store.messages.amend(thread, said[0], content="first", idempotency_key="k")
    store.branches.label(thread, said[0], "here")
    run = store.runs.create(thread)
    store.runs.start(thread, run.id)
    store.runs.steps.start(thread, run.id)
    store.runs.complete(thread, run.id)
    store.privacy.purge(thread)
    key = bytes.fromhex(thread.removeprefix("thread_"))
    columns = admin.execute(
        "SELECT table_name, column_name FROM information_schema.columns"
        " WHERE table_schema = 'public' AND column_name IN ('thread', 'stream')"
    ).fetchall()
    left = {
        table
        for table, column in columns
        if admin.execute(
            sql.SQL("SELECT 1 FROM {} WHERE {} = %s").format(
                sql.Identifier(table), sql.Identifier(column)
            ),
            (key,),
        ).fetchone()
    }
    assert len(columns) > 15
    assert left == {"tombstones"}
    assert admin.execute("SELECT count(*) FROM purging").fetchone() == (0,)
    refused = outcome(lambda: admin.execute("DELETE FROM events"))
    assert "never deleted" in str(refused)


@pytest.mark.parametrize("which", LOOKUPS)
def test_the_index_leads_to_forks(store, which):
    talk(store, "one")
    text, count = LOOKUPS[which]

    def look(tx):
        tx.run("SET LOCAL enable_seqscan = off")  # of a table this small the planner prefers it
        tx.run("SET LOCAL enable_bitmapscan = off")
        return list(tx.all(f"EXPLAIN {text}", (b"x" * 16, 1, 1)[:count]))

    plan = "\n".join(line for (line,) in store.perform(Read(look)))
    assert "Seq Scan" not in plan
    conditions = [line for line in plan.splitlines() if "Index Cond" in line]
    assert len(conditions) == count - 1
    assert all("fork_thread = " in line for line in conditions)


def test_a_tombstone_says_where_the_bytes_may_be(store):
    thread, _ = talk(store, "one")
    made = store.privacy.purge(thread)
    assert not made.pending
    assert "VACUUM FULL" in made.remains[0]
    assert "backups" in made.remains[1]


@pytest.mark.newest_postgres
def test_purges_forks_and_appends_at_once(url):
    everybody_at_once(lambda: ConversationStore.open(url, durability="as_is"))
