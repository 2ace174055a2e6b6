"""Projections that follow the log, on PostgreSQL: what holds on SQLite holds here, and more.

The basics are tried on every major version, the rest on the newest.
"""

from functools import partial
from typing import Any

import pytest
from sqlalchemy import create_engine

from eventstore import AsyncConversationStore, ConversationStore
from eventstore.api.operations.operation import Maintenance, Write
from eventstore.read_models.catch_up.holding import release, take
from eventstore.testing.conformance import blocking
from tests.concurrency.schedules import SECONDS, Gate, thread
from tests.laws.examples import LONG
from tests.projections.any_order import ReadModels, walk
from tests.projections.counting import Counting, once_each, times, total, write
from tests.projections.following import Basics, Following, Killed, running, status_of
from tests.projections.shipped import Shipped
from tests.projections.test_catch_up import given
from tests.subscriptions.ways import until

NAMES: dict[str, Any] = {"schema": "Chat", "prefix": "my_"}


class OnPostgres:
    driver = "psycopg"
    durability = "as_is"
    grace = True
    one_clock = True
    ends_with_an_error = True

    @pytest.fixture(autouse=True)
    def _place(self, newest, migrated_on_newest):
        self.url = newest.url(driver=self.driver, database=migrated_on_newest)

    def options(self, options):
        return {**given(options), "durability": self.durability}

    def open(self, **options):
        return ConversationStore.open(self.url, **self.options(options))


class OnAsyncpg(OnPostgres):
    driver = "asyncpg"

    def open(self, **options):
        opening = partial(AsyncConversationStore.open, self.url, **self.options(options))
        return blocking(opening)


class TestOnEveryVersion(OnPostgres, Basics):
    @pytest.fixture(autouse=True)
    def _place(self, server, migrated):
        self.url = server.url(database=migrated)


class TestAsync(OnAsyncpg, Basics):
    pass


class TestInASchemaWithAPrefix(OnPostgres, Basics):
    prefixed = NAMES

    @pytest.fixture(autouse=True)
    def _place(self, newest, databases):
        with databases(newest, **NAMES).one() as name:
            self.url = newest.url(database=name)
            yield

    def open(self, **options):
        return ConversationStore.open(self.url, **{**NAMES, **self.options(options)})


class TestSync(OnPostgres, Following, Killed):
    def test_a_batch_holds_up_no_append(self):
        gate = Gate()
        store = self.opened(Counting(before=lambda _: gate()))
        thread_id = write(store, 1)
        with running(store):
            assert gate.reached.wait(SECONDS)
            for number in range(5):
                store.messages.create(thread_id, role="user", content=f"meanwhile {number}")
            gate.opened.set()
            until(lambda: total(store) == 7)

    @pytest.mark.parametrize("types", [None, ("MessageAdded",)])
    def test_a_transaction_that_commits_late_is_not_passed_over(self, types):
        """It drew its place before the others, which are held back until it is through."""
        store = self.opened(Counting(types=types))
        late, soon = write(store, 1), write(store, 1)
        until(lambda: self.caught_up(store))
        before = total(store)
        engine = create_engine(self.url)
        with engine.connect() as connection, connection.begin():
            given = {"role": "user", "content": "late", "connection": connection}
            store.messages.create(late, **given)
            store.messages.create(soon, role="user", content="soon")
            store.projections.catch_up()
            assert total(store) == before
        engine.dispose()
        until(lambda: self.caught_up(store))
        added = {(one.stream_id, one.version): one.type for one in store.events.read_all()}
        expected = {key for key, kind in added.items() if types is None or kind in types}
        assert times(store) == dict.fromkeys(expected, 1)
        assert expected <= once_each(store).keys()

    def test_giving_back_a_lease_waits_for_the_transaction_that_takes_it(self):
        """Its token is not to be seen before: the row is waited for, then looked at."""
        store, other = self.opened(Counting()), self.opened()
        store.projections.catch_up()
        [seen] = self.looked(store)
        lease = (*seen.key, seen.token + 1)
        engine = create_engine(self.url)
        with engine.connect() as taking, engine.connect() as connection:
            watching = connection.execution_options(isolation_level="AUTOCOMMIT")  # looks anew
            with taking.begin():
                taken: Write[Any] = Write(
                    Maintenance(lambda tx: take(tx, seen, "me", 10**12)), taking
                )
                assert store.perform(taken).token == seen.token + 1
                giving = thread(self.written, other, lambda tx: release(tx, [lease]))
                inside = giving.__enter__()
                until(lambda: self.waits(watching) or not inside.is_alive())
            giving.__exit__(None, None, None)
        engine.dispose()
        [now] = self.looked(store)
        assert (now.holder, now.token) == (None, seen.token + 1)

    def waits(self, connection):
        """Tell whether somebody waits for a lock in this database."""
        return connection.exec_driver_sql(
            "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()"
            " AND wait_event_type = 'Lock'"
        ).scalar()

    def test_a_reader_keeps_its_tables_through_a_swap(self):
        store, other = self.opened(Counting()), self.opened(Counting())
        write(store, 2)
        until(lambda: self.caught_up(store))

        def look(tables):
            other.projections.rebuild(projection="counting")
            for _ in range(2):  # the second would find what to drop
                other.projections.catch_up()
            assert status_of(other).generation == 2
            return tables.one("SELECT events FROM {total}")

        assert store.projections.read("counting", look) == (3,)


class OfAnyLife(Shipped):
    """One short life of each kind is enough here; longer ones and others are held on SQLite."""

    writes = 40

    @pytest.mark.parametrize("seed", [4])
    def test_whatever_happens_both_say_what_the_events_say(self, seed):
        super().test_whatever_happens_both_say_what_the_events_say(seed)

    @pytest.mark.parametrize("seed", [3])
    def test_whatever_is_purged_is_forgotten_with_its_forks(self, seed):
        super().test_whatever_is_purged_is_forgotten_with_its_forks(seed)


def test_search_and_usage_go_through_whatever_order(newest, migrated_on_newest):
    url = newest.url(database=migrated_on_newest)

    class ReadModelsOnPostgres(ReadModels):
        def open_store(self):
            return ConversationStore.open(url, durability="as_is")

    for seed in range(100 if LONG else 2):
        walk(ReadModelsOnPostgres, seed, steps=60)


class TestShippedSync(OnPostgres, OfAnyLife):
    pass


class TestShippedAsync(OnAsyncpg, OfAnyLife):
    pass
