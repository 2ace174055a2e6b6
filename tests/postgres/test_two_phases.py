"""A commit that reaches only one of two servers, and transactions that are prepared for later."""

import psycopg
import pytest
from psycopg import sql
from sqlalchemy import create_engine, event

from eventstore import ConversationStore, OutcomeUnknown, StoreBusy, StoreUnavailable
from eventstore.testing.postgres_server import PostgresServer
from tests.concurrency.schedules import SECONDS, Thread, outcome
from tests.postgres.bad_days import WAYS, open_at, say, texts, unavailable
from tests.postgres.test_server_settings import ENGINES, open_on_engine
from tests.subscriptions.ways import until

pytestmark = pytest.mark.newest_postgres

TRIES = 50
WAITS = (
    "SELECT pid FROM pg_stat_activity WHERE wait_event = 'SyncRep' AND datname = current_database()"
)


@pytest.fixture(scope="module")
def pair():
    """A server of its own, that can be told to wait for a standby, and keeps what is prepared."""
    with PostgresServer(settings={"max_prepared_transactions": "4"}) as started:
        yield started


@pytest.fixture
def database(pair):
    name = pair.create_database()
    yield name
    pair.drop_database(name)


@pytest.fixture
def url(pair, database):
    return pair.url(database=database)


@pytest.fixture
def admin(pair, database):
    with psycopg.connect(pair.dsn(database=database), autocommit=True) as connection:
        yield connection


@pytest.fixture
def alone(admin):
    """Lets commits wait for a standby that there is none of."""

    def await_standby(name):
        admin.execute(
            sql.SQL("ALTER SYSTEM SET synchronous_standby_names = {}").format(sql.Literal(name))
        )
        admin.execute("SELECT pg_reload_conf()")
        shown = "SHOW synchronous_standby_names"
        until(lambda: admin.execute(shown).fetchone() == (name,))

    yield lambda: await_standby("nobody")
    await_standby("")


def given_up(admin, act):
    """Do something whose commit waits for a standby, and cancel the waiting."""
    answers = []
    acting = Thread(target=lambda: answers.append(outcome(act)))
    acting.start()
    until(lambda: admin.execute(WAITS).fetchone() or answers)
    admin.execute(f"SELECT pg_cancel_backend(pid) FROM ({WAITS}) AS waiting (pid)")
    acting.join(SECONDS)
    [answer] = answers
    return answer


@pytest.mark.parametrize("anyway", [*WAYS, *ENGINES])
def test_a_commit_that_no_standby_confirmed_is_not_acknowledged(url, admin, alone, anyway):
    opening = open_on_engine if anyway in ENGINES else open_at
    with opening(url, anyway) as store:
        thread = store.threads.create()
        alone()
        said, answer = 0, None
        while said < TRIES and not isinstance(answer, OutcomeUnknown):
            answer = given_up(admin, lambda: say(store, thread.id, "on one disk"))
            said += 1  # again, until the server's checkpointer has told it to commits
        assert isinstance(answer, OutcomeUnknown), answer
        assert "standby" in answer.problem
        assert texts(store, thread.id) == ["on one disk"] * said


@pytest.fixture
def silent(admin, database):
    """A database that sends nobody a warning."""
    setting = sql.SQL("ALTER DATABASE {} SET client_min_messages = error")
    admin.execute(setting.format(sql.Identifier(database)))


def test_the_warning_is_asked_for(silent, url, admin, alone, way):  # noqa: ARG001
    test_a_commit_that_no_standby_confirmed_is_not_acknowledged(url, admin, alone, way)


@pytest.mark.parametrize("anyway", ENGINES)
def test_an_engine_that_would_not_hear_the_warning_is_refused(silent, url, anyway):  # noqa: ARG001
    with (
        pytest.raises(StoreUnavailable, match="client_min_messages is error") as caught,
        open_on_engine(url, anyway, durability="full"),
    ):
        pass
    unavailable(caught, "unsafe_settings")
    with open_on_engine(url, anyway):
        pass


def test_a_warning_of_somebodys_trigger_is_no_unknown_outcome(url, admin, way):
    """It is told with COMMIT, too, where the trigger is deferred."""
    with open_at(url, way) as store:
        admin.execute(
            "CREATE FUNCTION warn() RETURNS trigger LANGUAGE plpgsql AS"
            " $$ BEGIN RAISE WARNING 'careful'; RETURN NULL; END $$;"
            " CREATE CONSTRAINT TRIGGER warns AFTER INSERT ON events"
            " DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION warn()"
        )
        thread = store.threads.create()
        assert say(store, thread.id, "kept").version == 2


def test_a_handler_of_the_applications_hears_on(url):
    heard = []
    engine = create_engine(url)

    @event.listens_for(engine, "connect")
    def listen(driver, _):
        driver.add_notice_handler(lambda notice: heard.append(notice.message_primary))

    with ConversationStore.open(engine, durability="as_is") as store:
        store.threads.create()
        with engine.begin() as connection:
            connection.exec_driver_sql("DO $$ BEGIN RAISE NOTICE 'mine'; END $$")
    engine.dispose()
    assert heard == ["mine"]


def test_a_prepared_transaction_that_holds_readers_back_is_named(url, pair, database, way):
    name = "it's mine"
    with (
        open_at(url, way) as store,
        psycopg.connect(pair.dsn(database=database), autocommit=True) as connection,
    ):
        thread = store.threads.create()
        connection.execute("BEGIN; SELECT pg_current_xact_id(); PREPARE TRANSACTION 'it''s mine'")
        try:
            say(store, thread.id, "not seen yet")
            assert [event.version for event in store.events.read_all()] == [1]
            held = store.health().held_back_by
            assert (held.prepared, held.pid, held.state) == (name, None, "prepared")
            assert "ROLLBACK PREPARED 'it''s mine' ends it" in held.remedy
            assert database in held.remedy
        finally:
            connection.execute("ROLLBACK PREPARED 'it''s mine'")
        assert store.health().held_back_by is None
        assert [event.version for event in store.events.read_all()] == [1, 2]


def test_a_prepared_transaction_that_holds_a_thread_holds_up_its_writers_alone(
    url, pair, database, way
):
    with (
        open_at(url, way, busy_timeout_seconds=0.2) as store,
        psycopg.connect(pair.dsn(database=database), autocommit=True) as connection,
    ):
        held, free = store.threads.create(), store.threads.create()
        row = "SELECT 1 FROM streams WHERE stream = decode(%s, 'hex') FOR UPDATE"
        connection.execute("BEGIN")
        connection.execute(row, [held.id.partition("_")[2]])
        connection.execute("PREPARE TRANSACTION 'holding'")
        try:
            with pytest.raises(StoreBusy):
                say(store, held.id, "too early")
            say(store, free.id, "meanwhile")
        finally:
            connection.execute("ROLLBACK PREPARED 'holding'")
        say(store, held.id, "at last")
        assert texts(store, held.id) == ["at last"]
