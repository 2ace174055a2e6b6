"""Erasing on PostgreSQL, where others write meanwhile: in other processes, and to other threads."""

import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import psycopg
import pytest
from sqlalchemy import create_engine

from eventstore import ConversationStore, NewEvent, Refused, StoreBusy
from eventstore.read_models import MessageSearch
from tests.concurrency.erasing import begun_run, steps_begin_beside_erasures
from tests.postgres.bad_days import open_at

SECONDS = 30
WORD = "blackbird"


def said(store, thread, text=WORD):
    return store.messages.create(thread, role="user", content=text)


@pytest.mark.newest_postgres
@pytest.mark.parametrize("way", ["psycopg", "asyncpg"])
def test_a_writer_in_another_process_does_not_tell_what_it_kept(url, way):
    """It holds the fork, whose head does not move when something is erased in the source."""
    with open_at(url, way) as store, open_at(url, way) as other:
        thread = store.threads.create().id
        message = said(store, thread)
        fork = store.threads.fork(thread).id
        said(other, fork, "the fork's own")
        assert other.messages.restore(fork, message.id).text == WORD  # it was not removed
        version = store.threads.get(fork).version
        store.privacy.erase(thread, message.id)
        assert store.threads.get(fork).version == version
        told = other.messages.restore(fork, message.id)
        assert (told.erased, told.text) == (True, "")


def test_the_stored_row_keeps_nothing_but_the_commitment(url, admin):
    with ConversationStore.open(url, durability="as_is") as store:
        thread = store.threads.create().id
        message = said(store, thread)
        made = store.privacy.erase(thread, message.id)
        assert not made.pending
        assert "VACUUM FULL" in made.remains[0]
        assert "backups" in made.remains[1]
    rows = admin.execute(
        "SELECT content, salt, length(commitment) FROM events WHERE type = 'MessageAdded'"
    ).fetchall()
    assert rows == [(None, None, 32)]


@pytest.mark.parametrize("repeated", [400, 40_000], ids=["in its row", "apart"])
def test_after_vacuum_full_the_text_is_in_no_file_of_the_tables(url, admin, repeated):
    word = b"zzqzvjxkw" * repeated  # longer than fits beside its row, and not compressed
    with ConversationStore.open(url, durability="as_is") as store:
        for table in ("events", "blobs"):
            admin.execute(f"ALTER TABLE {table} ALTER COLUMN content SET STORAGE EXTERNAL")
        thread = store.threads.create().id
        message = said(store, thread, word.decode())
        admin.execute("CHECKPOINT")
        assert word[:60] in files_of(admin)
        assert admin.execute("SELECT count(*) FROM blobs").fetchone() == (repeated == 40_000,)
        store.privacy.erase(thread, message.id)
        assert admin.execute("SELECT count(*) FROM blobs").fetchone() == (0,)
    admin.execute("VACUUM FULL events, blobs")
    admin.execute("CHECKPOINT")
    assert word[:60] not in files_of(admin)


@pytest.mark.newest_postgres
@pytest.mark.parametrize("way", ["a message", "a person", "a thread", "a purge"])
def test_after_vacuum_full_no_table_and_no_index_holds_it(url, admin, way):
    """Words that the server does not compress, looked for in every file of the schema."""
    word = "zzqzvjxkw"
    hers: dict[str, Any] = {"subject": "alice"}
    with ConversationStore.open(url, durability="as_is") as store:
        store.projections.register(MessageSearch())
        described: dict[str, Any] = (
            {} if way == "a message" else {"title": word, "metadata": {"who": word}}
        )
        thread = store.threads.create(**described, **hers).id
        first = store.messages.create(
            thread,
            role="user",
            content=word,
            name=word,
            external_id=word,
            idempotency_key="k",
            **hers,
        )
        store.messages.amend(thread, first.id, content=f"amended {word}")
        store.branches.label(thread, first.id, word)
        fork = store.threads.fork(thread).id
        store.messages.amend(fork, first.id, content=f"in the fork {word}")
        store.projections.catch_up()
        admin.execute("CHECKPOINT")
        assert word.encode() in every_file(admin)
        if way == "a message":
            store.privacy.erase(thread, first.id)
        elif way == "a person":
            store.privacy.erase(subject="alice")
        elif way == "a thread":
            store.privacy.erase(thread)
        else:
            store.privacy.purge(thread, forks="purge")
        store.projections.catch_up()
        assert store.projections.compare().ok
        assert store.audit.verify().findings == ()
    admin.execute("VACUUM FULL")
    admin.execute("CHECKPOINT")
    assert word.encode() not in every_file(admin)


def every_file(admin):
    """What is in the files of all tables and indexes of the schema, and of what belongs to them."""
    names = admin.execute(
        "SELECT pg_relation_filepath(c.oid) FROM pg_class c JOIN pg_namespace n"
        " ON n.oid = c.relnamespace WHERE n.nspname IN ('public', 'pg_toast')"
        " AND pg_relation_filepath(c.oid) IS NOT NULL"
    ).fetchall()
    read = "SELECT pg_read_binary_file(%s)"
    return b"".join(row[0] for name in names for row in admin.execute(read, name).fetchall())


def test_a_blob_that_an_erasure_by_hand_leaves_is_found(url, admin):
    with ConversationStore.open(url, durability="as_is") as store:
        thread, invoice = store.threads.create().id, f"invoice_{1:032x}"
        said(store, thread, WORD * 4_000)
        store.events.append(
            invoice, [NewEvent(type="Sent", content={"t": WORD * 4_000})], expected_version=0
        )
        assert store.projections.compare().ok
        admin.execute(
            "UPDATE events SET content = NULL, salt = NULL, commitment = decode(repeat('00', 32),"
            " 'hex') WHERE type IN ('MessageAdded', 'Sent')"
        )
        findings = store.projections.compare().findings
        found = [(one.stream_id, one.version, one.kind) for one in findings]
        assert found == [(thread, 2, "extra_blob"), (invoice, 1, "extra_blob")]
        admin.execute("DELETE FROM blobs")
        assert store.projections.compare().ok


def files_of(admin):
    """What is in the files of events and blobs, and of what belongs to these tables."""
    names = admin.execute(
        "SELECT pg_relation_filepath(oid) FROM pg_class WHERE relname IN ('events', 'blobs')"
        " OR oid IN (SELECT reltoastrelid FROM pg_class WHERE relname IN ('events', 'blobs'))"
    ).fetchall()
    read = "SELECT pg_read_binary_file(%s)"
    return b"".join(row[0] for name in names for row in admin.execute(read, name).fetchall())


@pytest.mark.newest_postgres
def test_no_fork_is_made_or_written_between_looking_for_forks_and_erasing(url):
    """Forks are made, and say something about the message, while it is erased again and again."""
    with (
        ConversationStore.open(url, durability="as_is") as store,
        ConversationStore.open(url, durability="as_is") as other,
    ):
        thread = store.threads.create().id
        message = said(store, thread)
        started = threading.Event()

        def fork(number):
            source = other.threads.fork(thread).id
            other.messages.amend(source, message.id, content=f"{WORD} {number}")
            second = other.threads.fork(source).id
            other.messages.amend(second, message.id, content=f"{WORD} {number} again")
            started.set()
            return [source, second]

        with ThreadPoolExecutor(2) as pool:
            made = [pool.submit(fork, number) for number in range(12)]
            assert started.wait(SECONDS)
            for _ in range(6):
                store.privacy.erase(thread, message.id)
            forks = [one for future in made for one in future.result(SECONDS)]
        last = store.privacy.erase(thread, message.id)
        assert {event.stream_id for event in last.erased} == {thread, *forks}
        assert all(store.messages.get(one, message.id).erased for one in forks)
        for one in [thread, *forks]:
            events = list(store.events.read(one))
            named = {v for e in events if e.type == "ContentErased" for v in e.data["versions"]}
            told = {e.version for e in events if e.type in {"MessageAmended", "MessageAdded"}}
            assert named == told
            assert all(e.content is None for e in events if e.version in named)
        assert store.projections.compare().findings == ()


def test_an_erasure_waits_for_who_holds_a_fork_and_takes_what_he_said(
    url, engine, server, migrated
):
    """The fork's head is held by a transaction that has amended and not committed."""
    with ConversationStore.open(url, durability="as_is") as store:
        thread = store.threads.create().id
        message = said(store, thread)
        fork = store.threads.fork(thread).id
        with ThreadPoolExecutor(1) as pool:
            with engine.begin() as connection:
                store.messages.amend(fork, message.id, content=f"{WORD} too", connection=connection)
                erasing = pool.submit(store.privacy.erase, thread, message.id)
                until_waiting(server, migrated)
            made = erasing.result(SECONDS)
        assert {event.stream_id for event in made.erased} == {thread, fork}
        assert store.messages.get(fork, message.id).erased


def test_it_waits_for_a_fork_that_is_being_made_of_a_fork(url, engine, server, migrated):
    """Made and amended by a transaction that has not committed when the erasure begins."""
    with ConversationStore.open(url, durability="as_is") as store:
        thread = store.threads.create().id
        message = said(store, thread)
        first = store.threads.fork(thread).id
        with ThreadPoolExecutor(1) as pool:
            with engine.begin() as connection:
                second = store.threads.fork(first, connection=connection).id
                text = f"{WORD} once more"
                store.messages.amend(second, message.id, content=text, connection=connection)
                erasing = pool.submit(store.privacy.erase, thread, message.id)
                until_waiting(server, migrated)
            made = erasing.result(SECONDS)
        assert {event.stream_id for event in made.erased} == {thread, second}
        assert store.messages.get(second, message.id).erased


@pytest.fixture
def read_in_a_fork(url):
    """A store, a thread and its message; a fork of it, a run there, and what the run has read."""
    with ConversationStore.open(url, durability="as_is") as store:
        thread = store.threads.create().id
        message = said(store, thread).id
        fork = store.threads.fork(thread).id
        run = begun_run(store, fork)
        yield store, (thread, message), (fork, run), store.runs.context(fork, run)
        assert store.projections.compare().findings == ()


@pytest.mark.newest_postgres
def test_an_erasure_waits_for_a_step_that_begins_and_takes_what_it_proved(
    read_in_a_fork, engine, server, migrated
):
    store, erased, step, seen = read_in_a_fork
    with ThreadPoolExecutor(1) as pool:
        with engine.begin() as connection:
            begun = store.runs.steps.start(*step, context=seen, connection=connection)
            erasing = pool.submit(store.privacy.erase, *erased)
            until_waiting(server, migrated)
        made = erasing.result(SECONDS)
        assert (step[0], begun.version) in {(e.stream_id, e.version) for e in made.erased}
    assert store.runs.context(*step, step_id=begun.id).salt is None


@pytest.mark.newest_postgres
def test_a_step_that_waits_for_an_erasure_in_its_source_is_refused(
    read_in_a_fork, engine, server, migrated
):
    store, erased, step, seen = read_in_a_fork
    with ThreadPoolExecutor(1) as pool:
        with engine.begin() as connection:
            store.privacy.erase(*erased, connection=connection)
            beginning = pool.submit(store.runs.steps.start, *step, context=seen)
            until_waiting(server, migrated)
        with pytest.raises(Refused, match="erased"):
            beginning.result(SECONDS)


@pytest.mark.newest_postgres
def test_so_is_one_in_a_transaction_that_sees_the_past(read_in_a_fork, url):
    """It cannot see the erasure, but it meets the head that the erasure has moved."""
    store, erased, step, seen = read_in_a_fork
    engine = create_engine(url, isolation_level="REPEATABLE READ")
    with engine.connect() as connection:
        connection.exec_driver_sql("SELECT 1 FROM events LIMIT 1")
        store.privacy.erase(*erased)
        with pytest.raises(StoreBusy):
            store.runs.steps.start(*step, context=seen, connection=connection)
    engine.dispose()


@pytest.mark.newest_postgres
def test_no_step_keeps_the_digest_of_words_erased_while_it_began(url):
    proven, refused = steps_begin_beside_erasures(
        lambda: ConversationStore.open(url, durability="as_is"), rounds=6
    )
    assert proven
    assert refused


def until_waiting(server, database):
    """Wait until somebody waits for a lock."""
    with psycopg.connect(server.dsn(database=database), autocommit=True) as connection:
        for _ in range(10_000):
            waiting = connection.execute(
                "SELECT 1 FROM pg_stat_activity WHERE wait_event_type = 'Lock'"
            ).fetchone()
            if waiting:
                return
    raise AssertionError("nobody waits")


class Blocked:
    """An erasure that has said so, and waits for somebody who holds a row of what goes."""

    def __init__(self, admin, act):
        admin.execute("SELECT 1 FROM events WHERE type = 'MessageAdded' FOR UPDATE")
        self._thread = threading.Thread(target=act, daemon=True)
        self._thread.start()
        with psycopg.connect(admin.info.dsn, password=admin.info.password, autocommit=True) as one:
            waits = "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock'"
            while one.execute(waits).fetchone() == (0,):
                assert self._thread.is_alive()

    def join(self):
        self._thread.join(SECONDS)
        assert not self._thread.is_alive()


@pytest.mark.newest_postgres
@pytest.mark.parametrize("way", ["psycopg", "asyncpg"])
def test_what_goes_is_hidden_before_it_goes_and_nobody_waits_for_it(url, admin, way):
    with open_at(url, way) as store, open_at(url, way) as other, admin.transaction():
        thread = store.threads.create().id
        message = said(store, thread)
        fork = store.threads.fork(thread).id
        other.messages.amend(fork, message.id, content=f"{WORD} in the fork")
        erasing = Blocked(admin, lambda: store.privacy.erase(thread, message.id))
        assert admin.execute("SELECT count(*) FROM erasing").fetchone() == (2,)
        for one in (thread, fork):
            assert other.messages.get(one, message.id).erased
            assert [shown.text for shown in other.messages.list(one)] == [""]
            told = [event.content for event in other.events.read(one)]
            assert WORD not in str(told)
        assert WORD not in str([event.content for event in other.events.read_all()])
        assert other.projections.compare().findings == ()
        said(other, thread, "others go on")
        admin.execute("ROLLBACK")
        erasing.join()
        assert admin.execute("SELECT count(*) FROM erasing").fetchone() == (0,)
        admin.execute("BEGIN")
    [(left,)] = admin.execute(
        "SELECT count(*) FROM events WHERE position(%s in content) > 0", [WORD.encode()]
    ).fetchall()
    assert left == 0


@pytest.mark.newest_postgres
def test_what_was_left_is_finished_when_the_store_is_opened(url, admin):
    with ConversationStore.open(url, durability="as_is") as store:
        thread = store.threads.create().id
        message = said(store, thread)
        store.privacy.erase(thread, message.id)
        kept = said(store, thread, "not listed")
        lost = said(store, thread)
    versions = bytes([0x91, lost.version])  # as a process leaves it that died at once
    admin.execute(
        "INSERT INTO erasing SELECT tenant, category, stream, version, 0, %s, %s FROM events"
        " WHERE type = 'ContentErased'",
        [versions, b"\x90"],
    )
    with ConversationStore.open(url, durability="as_is") as store:
        assert store.messages.get(thread, lost.id).erased
        assert store.messages.get(thread, kept.id).text == "not listed"
    assert admin.execute("SELECT count(*) FROM erasing").fetchone() == (0,)
