"""Citus: a schema that it places as a whole works like any, one that it cuts up has no order.

Citus cannot be installed here. What the library goes by is Citus's catalogue, and tables of the
same names and shapes stand in for it. That Citus takes the statements was tried by hand; here they
are held to be of the shape that it took.
"""

from functools import partial

import psycopg
import pytest

from eventstore import AsyncConversationStore, ConversationStore, Refused
from eventstore.storage.postgres import PostgresDatabase
from eventstore.storage.postgres_transaction import AsyncpgTransaction, PsycopgTransaction
from eventstore.testing.conformance import ConformanceSuite, blocking
from tests.projections.counting import Counting, total
from tests.projections.following import running
from tests.subscriptions.ways import until

SCHEMA = "chat"
CATALOGUE = (
    "SET allow_system_table_mods = on;"
    " CREATE TABLE pg_catalog.pg_dist_partition (logicalrelid regclass NOT NULL, partmethod char);"
    " CREATE TABLE pg_catalog.pg_dist_schema (schemaid oid NOT NULL, colocationid int NOT NULL);"
    " INSERT INTO pg_extension (oid, extname, extowner, extnamespace, extrelocatable, extversion)"
    " VALUES (99999, 'citus', 10, 11, false, '14.0')"
)
DISTRIBUTE = "INSERT INTO pg_catalog.pg_dist_partition VALUES (to_regclass(%s), %s)"
PLACE = "INSERT INTO pg_catalog.pg_dist_schema SELECT oid, 1 FROM pg_namespace WHERE nspname = %s"
NEEDS_AN_ORDER = {
    "read_all": lambda store: list(store.events.read_all()),
    "subscribe": lambda store: next(iter(store.events.subscribe())),
    "catch_up": lambda store: store.projections.catch_up(),
    "run": lambda store: store.projections.run(),
    "status": lambda store: store.projections.status(),
    "rebuild": lambda store: store.projections.rebuild(projection="counting"),
}


@pytest.fixture
def admin(server, database):
    with psycopg.connect(server.dsn(database=database), autocommit=True) as connection:
        yield connection


@pytest.fixture(params=["psycopg", "asyncpg"])
def opening(server, database, request):
    url = server.url(driver=request.param, database=database)
    if request.param == "psycopg":
        return partial(ConversationStore.open, url, durability="as_is")
    open_async = partial(AsyncConversationStore.open, url, durability="as_is")
    return lambda **options: blocking(partial(open_async, **options))


def distribute(admin, table, how="h"):
    """Let a table be cut into shards by hash, or stand somewhere as a whole (``n``)."""
    admin.execute(CATALOGUE)
    admin.execute(DISTRIBUTE, [table, how])


def place(admin, schema=SCHEMA):
    """Let a schema be placed as a whole, with its tables."""
    distribute(admin, f"{schema}.events", "n")
    admin.execute(PLACE, [schema])


@pytest.mark.parametrize("schema", [None, "chat"])
def test_what_needs_an_order_of_the_whole_store_is_refused(opening, admin, schema):
    if schema is not None:
        admin.execute(f"CREATE SCHEMA {schema}")
    with opening(schema=schema):
        pass
    distribute(admin, "events" if schema is None else f"{schema}.events")
    with opening(schema=schema) as store:
        store.threads.create()
        store.projections.register(Counting())
        for name, act in NEEDS_AN_ORDER.items():
            with pytest.raises(Refused) as caught:
                act(store)
            assert caught.value.reason == "distributed_schema", name
    made = admin.execute("SELECT count(*) FROM pg_tables WHERE tablename LIKE 'counting%'")
    assert made.fetchone() == (0,)


def test_a_whole_table_beside_others_elsewhere_is_refused(opening, admin):
    """It is its schema that has to be placed as a whole: positions are drawn from other tables."""
    with opening():
        pass
    distribute(admin, "events", "n")
    with opening() as store, pytest.raises(Refused):
        list(store.events.read_all())


def test_tables_that_stayed_on_one_node_keep_their_order(opening, admin):
    with opening(prefix="other_"):
        pass
    distribute(admin, "other_events")
    with opening() as store:
        store.threads.create()
        assert [event.type for event in store.events.read_all()] == ["ThreadCreated"]


def test_the_catalogue_is_asked_once_a_store(opening, admin):
    """Distributing the tables under a store that has read is not noticed; the guide says so."""
    with opening() as store:
        store.threads.create()
        assert len(list(store.events.read_all())) == 1
        distribute(admin, "events")
        assert len(list(store.events.read_all())) == 1
    with opening() as store, pytest.raises(Refused):
        list(store.events.read_all())


# -- a schema that is placed as a whole ------------------------------------------------------------


@pytest.fixture
def said(monkeypatch):
    """Every statement that a store says in a transaction, and how each began."""
    heard: list[str] = []

    def hearing(kind, name):
        act = getattr(kind, name)

        def hear(self, sql, *given):
            heard.append(sql)
            return act(self, sql, *given)

        monkeypatch.setattr(kind, name, hear)

    for kind in (PsycopgTransaction, AsyncpgTransaction):
        hearing(kind, "_fetch")
        hearing(kind, "_execute")
    say = PostgresDatabase.say

    def saying(_, driver, text):
        heard.append(text)
        say(driver, text)

    monkeypatch.setattr(PostgresDatabase, "say", saying)
    return heard


@pytest.fixture
def placed(opening, admin):
    """Opens a store in a schema that Citus has placed as a whole."""
    admin.execute(f"CREATE SCHEMA {SCHEMA}")
    with opening(schema=SCHEMA):
        pass
    place(admin)
    return partial(opening, schema=SCHEMA)


@pytest.mark.newest_postgres
def test_its_events_have_an_order(placed):
    with placed() as store, placed() as other:
        other.projections.register(Counting())
        thread = store.threads.create()
        assert [event.stream_id for event in store.events.read_all()] == [thread.id]
        other.projections.catch_up()
        assert total(other) == 1


@pytest.mark.newest_postgres
def test_appends_are_of_the_shape_that_citus_routes_to_one_node(placed, said):
    with placed() as store:
        said.clear()
        thread = store.threads.create(metadata={"a": 1, "b": 2})
        spoken = [{"role": "user", "content": str(number)} for number in range(5)]
        first, *_ = store.messages.create_many(thread.id, spoken)
        store.messages.edit(thread.id, first.id, content="other")
        assert len(store.messages.list(thread.id)) == 1
    begun = {text for text in said if text.startswith("BEGIN ISOLATION LEVEL READ COMMITTED")}
    assert begun
    assert all("plan_cache_mode = force_custom_plan" in text for text in begun)
    assert not [text for text in said if "pg_notify" in text]
    writing = [text for text in said if "INSERT INTO" in text]
    assert writing
    assert not [text for text in writing if "unnest" in text]
    assert [text for text in writing if text.count("VALUES") > 2], "nothing wrote several rows"


@pytest.mark.newest_postgres
def test_many_rows_go_as_arrays_there_too(placed, said):
    with placed() as store:
        said.clear()
        store.threads.create(
            messages=[{"role": "user", "content": str(number)} for number in range(40)]
        )
    assert [text for text in said if "INSERT INTO" in text and "unnest" in text]


@pytest.mark.newest_postgres
def test_elsewhere_nothing_changes(opening, admin, said):  # noqa: ARG001
    with opening() as store:
        said.clear()
        store.threads.create(metadata={"a": 1, "b": 2})
    assert [text for text in said if "pg_notify" in text]
    assert [text for text in said if "plan_cache_mode = force_generic_plan" in text]
    assert [text for text in said if "INSERT INTO" in text and "unnest" in text]


def test_the_sequence_belongs_to_the_column_that_it_numbers(opening, admin):
    """One that belongs to no column does not come along to the node."""
    for prefix in ("", "p" * 31):
        with opening(prefix=prefix):
            pass
        owned = "SELECT pg_get_serial_sequence(%s, 'position')"
        found = admin.execute(owned, [f"{prefix}events"]).fetchone()
        assert found == (f"public.{prefix}events_position_seq",)


def counted(store, count):
    return total(store) == count


@pytest.mark.newest_postgres
def test_another_process_hears_of_news_by_looking(placed):
    with placed() as store, placed() as other:
        other.projections.register(Counting())
        other.projections.catch_up()
        with running(other):
            for count in (1, 2):
                store.threads.create()
                until(partial(counted, other, count))


class TestConformance(ConformanceSuite):
    """What is put to the server in another shape says the same."""

    driver = "psycopg"
    url: str

    @pytest.fixture(autouse=True, scope="class")
    @classmethod
    def _database(cls, newest):
        name = newest.create_database()
        cls.url = newest.url(driver=cls.driver, database=name)
        with psycopg.connect(newest.dsn(database=name), autocommit=True) as admin:
            admin.execute(f"CREATE SCHEMA {SCHEMA}")
            ConversationStore.open(
                newest.url(database=name), schema=SCHEMA, durability="as_is"
            ).close()
            place(admin)
        yield
        newest.drop_database(name)

    def opened(self, place):  # noqa: ARG002 (a database of the class's own)
        return ConversationStore.open(self.url, schema=SCHEMA, durability="as_is")


@pytest.mark.long
class TestConformanceOnAsyncpg(TestConformance):
    driver = "asyncpg"

    def opened(self, place):  # noqa: ARG002
        opening = partial(AsyncConversationStore.open, schema=SCHEMA, durability="as_is")
        return blocking(partial(opening, self.url))
