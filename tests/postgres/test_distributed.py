"""A schema distributed over nodes has no order of the whole store: who asks for it is refused.

Citus cannot be installed here. What the library goes by is Citus's catalogue, and a table of the
same name and shape stands in for it.
"""

from functools import partial

import psycopg
import pytest

from eventstore import AsyncConversationStore, ConversationStore, Refused
from eventstore.testing.conformance import blocking
from tests.projections.counting import Counting

CATALOGUE = (
    "SET allow_system_table_mods = on;"
    " CREATE TABLE pg_catalog.pg_dist_partition (logicalrelid regclass NOT NULL, partmethod char)"
)
DISTRIBUTE = "INSERT INTO pg_catalog.pg_dist_partition VALUES (to_regclass(%s), 'h')"
NEEDS_AN_ORDER = {
    "read_all": lambda store: list(store.events.read_all()),
    "subscribe": lambda store: next(iter(store.events.subscribe())),
    "catch_up": lambda store: store.projections.catch_up(),
    "run": lambda store: store.projections.run(),
    "status": lambda store: store.projections.status(),
    "rebuild_projection": lambda store: store.projections.rebuild_projection("counting"),
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


def distribute(admin, table):
    admin.execute(CATALOGUE)
    admin.execute(DISTRIBUTE, [table])


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


def test_threads_work_on_a_distributed_schema(opening, admin):
    with opening():
        pass
    distribute(admin, "events")
    with opening() as store:
        thread = store.threads.create()
        store.messages.create(thread.id, role="user", content="hello")
        assert [message.text for message in store.messages.list(thread.id)] == ["hello"]
        assert len(list(store.events.read(thread.id))) == 2
        assert [one.id for one in store.threads.list()] == [thread.id]
        assert store.projections.compare().ok
        assert store.health().events >= 2


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
