"""No key is destroyed that an unfinished transaction still seals with, on PostgreSQL."""

import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack

import pytest
from sqlalchemy import create_engine

from eventstore import ConversationStore, StoreBusy
from tests.encryption.vaults import in_a_file, in_the_database
from tests.postgres.test_conformance import AS_IS

pytestmark = pytest.mark.newest_postgres


@pytest.fixture
def opened(server, migrated, tmp_path):
    url = server.url(database=migrated)

    def again():
        return ConversationStore.open(url, encryption=in_a_file(tmp_path), **AS_IS)

    engine = create_engine(url)
    yield again, engine
    engine.dispose()


def texts(store, thread):
    return [message.text for message in store.messages.list(thread)]


def say(store, thread, text, **options):
    return store.messages.create(thread, role="user", content=text, subject="alice", **options)


def waits(engine):
    """Tell whether a session waits for a lock on the table."""
    with engine.connect() as connection:
        found = connection.exec_driver_sql(
            "SELECT count(*) FROM pg_locks WHERE NOT granted AND mode = 'ExclusiveLock'"
        )
        return found.scalar() > 0


def test_an_erasure_waits_for_whoever_still_seals_with_the_key(opened):
    open_store, engine = opened
    with open_store() as store, open_store() as other:
        one, two = store.threads.create().id, store.threads.create().id
        say(store, one, "said")
        say(other, one, "said there")
        with engine.begin() as connection:
            say(other, two, "not committed yet", connection=connection)
            erasing = threading.Thread(target=lambda: store.privacy.erase(subject="alice"))
            erasing.start()
            while not waits(engine):
                assert erasing.is_alive()
        erasing.join()
        assert [texts(store, thread) for thread in (one, two)] == [["", ""], [""]]
        say(other, two, "later")
        assert texts(store, two) == ["", "later"]
    with open_store() as store:
        assert texts(store, two) == ["", "later"]
        assert store.audit.verify().findings == ()


@pytest.mark.parametrize("level", ["READ COMMITTED", "REPEATABLE READ", "SERIALIZABLE"])
def test_a_transaction_that_began_before_loses_nothing(opened, level):
    """It writes with another key, or is refused because its snapshot is too old."""
    open_store, engine = opened
    with open_store() as store, open_store() as other:
        one, two = store.threads.create().id, store.threads.create().id
        say(other, one, "said")
        with engine.connect().execution_options(isolation_level=level) as connection:
            connection.exec_driver_sql("SELECT 1")
            store.privacy.erase(subject="alice")
            try:
                say(other, two, "later", connection=connection)
                connection.commit()
            except StoreBusy:
                connection.rollback()
                assert level != "READ COMMITTED"
                say(other, two, "later")
    with open_store() as store:
        assert texts(store, two) == ["later"]


@pytest.mark.long
def test_a_transaction_that_stays_open_holds_up_an_erasure_and_no_append_for_long(opened):
    open_store, engine = opened
    with open_store() as store, open_store() as other:
        one, two = store.threads.create().id, store.threads.create().id
        with engine.begin() as connection:
            say(other, one, "not committed yet", connection=connection)
            with pytest.raises(StoreBusy):
                store.privacy.erase(subject="alice")
            say(store, two, "meanwhile")
        store.privacy.erase(subject="alice")
        assert [texts(store, thread) for thread in (one, two)] == [[""], [""]]


@pytest.mark.parametrize("keys", ["file", "table"])
def test_whoever_makes_a_key_first_makes_it_for_all(server, migrated, tmp_path, keys):
    encryptions = [in_a_file(tmp_path) if keys == "file" else in_the_database() for _ in range(2)]
    url = server.url(database=migrated)
    with ExitStack() as stack:
        stores = [
            stack.enter_context(ConversationStore.open(url, encryption=one, **AS_IS))
            for one in encryptions
        ]
        threads = [stores[0].threads.create().id for _ in range(4)]
        ready = threading.Barrier(8)

        def write(number):
            ready.wait()
            say(stores[number % 2], threads[number % 4], f"by {number}")

        with ThreadPoolExecutor(8) as pool:
            list(pool.map(write, range(8)))
        found = [text for thread in threads for text in texts(stores[0], thread)]
        assert sorted(found) == [f"by {number}" for number in range(8)]
        kept = stores[0].keys.status().keys
        assert sum(kept.values()) == 4 + 2  # of the threads, of Alice, of the tenant's words


def test_words_are_found_at_once_after_another_store_erased_the_tenant(opened):
    again, _ = opened
    with again() as here, again() as there:
        here.threads.create(metadata={"user": "1"})
        assert len([*there.threads.list(metadata={"user": "1"})]) == 1
        here.tenants.erase("")
        new = here.threads.create(metadata={"user": "1"}).id
        said = say(here, new, "hello", external_id="e-1")
        assert [one.id for one in there.threads.list(metadata={"user": "1"})] == [new]
        assert there.messages.get(new, external_id="e-1").id == said.id


def test_a_run_of_hers_goes_on_while_she_is_erased_and_loses_nothing(opened):
    again, _ = opened
    with again() as here, again() as there:
        thread = here.threads.create().id
        run = there.runs.create(thread, subject="alice").id
        there.runs.start(thread, run)
        there.messages.create(thread, role="assistant", content="before", run_id=run)
        here.privacy.erase(subject="alice")
        there.messages.create(thread, role="assistant", content="after", run_id=run)
    with again() as store:
        assert texts(store, thread) == ["", "after"]
