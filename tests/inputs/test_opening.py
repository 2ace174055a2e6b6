"""What open() is given: URLs, engines, options, and files that are no store."""

import os
import re
import sqlite3
import subprocess
import sys
from contextlib import closing, suppress
from pathlib import Path

import pytest
from sqlalchemy import create_engine, event
from sqlalchemy.ext.asyncio import create_async_engine

from eventstore import (
    AsyncConversationStore,
    ConversationStore,
    InvalidInput,
    Limits,
    SchemaTooNew,
    StoreClosed,
    StoreUnavailable,
)
from tests.inputs.untouched import untouched

open_store = ConversationStore.open


def url_of(path: Path, query: str = "") -> str:
    return f"sqlite:///{path}{query}"


def unavailable(reason, target, **options):
    with pytest.raises(StoreUnavailable) as caught:
        open_store(target, **options).close()
    assert caught.value.reason == reason
    assert caught.value.remedy
    return caught.value


# -- files ---------------------------------------------------------------------------------------


def test_a_database_of_a_newer_version_says_which(tmp_path):
    path = tmp_path / "chat.db"
    open_store(url_of(path)).close()
    with closing(sqlite3.connect(path)) as database:
        database.execute("UPDATE eventstore_revision SET version_num = '9999'")
        database.commit()
    for migrate in ("auto", "check"):
        with pytest.raises(SchemaTooNew, match="'9999'") as caught:
            open_store(url_of(path), migrate=migrate)
        assert caught.value.found == "9999"
        assert "Upgrade conversation-eventstore" in str(caught.value)


def test_a_file_that_is_no_database_is_left_as_it_is(tmp_path):
    path = tmp_path / "notes.txt"
    path.write_bytes(b"Dear diary, " * 100)
    unavailable("not_a_database", url_of(path))
    assert path.read_bytes() == b"Dear diary, " * 100


def test_an_empty_file_becomes_a_store(tmp_path):
    path = tmp_path / "chat.db"
    path.touch()
    with open_store(url_of(path)) as store:
        assert store.threads.create().version == 1


def test_a_folder_is_no_file(tmp_path):
    unavailable("cannot_open", url_of(tmp_path))


def test_a_missing_folder_is_not_made(tmp_path):
    unavailable("cannot_open", url_of(tmp_path / "missing" / "chat.db"))
    assert list(tmp_path.iterdir()) == []


def test_a_database_with_tables_of_the_same_names_is_not_touched(tmp_path):
    path = tmp_path / "app.db"
    with closing(sqlite3.connect(path)) as database:
        database.execute("CREATE TABLE messages (body TEXT)")
        database.commit()
    error = unavailable("names_taken", url_of(path))
    assert "messages" in error.problem
    with open_store(url_of(path), prefix="eventstore_") as store:
        store.threads.create()
    with closing(sqlite3.connect(path)) as database:
        names = {row[0] for row in database.execute("SELECT name FROM sqlite_master")}
    assert {"messages", "eventstore_messages"} <= names


def test_a_damaged_database_is_told_from_no_database(tmp_path):
    path = tmp_path / "chat.db"
    with open_store(url_of(path)) as store:
        thread = store.threads.create()
        store.messages.create(thread.id, role="user", content="x")
    whole = path.read_bytes()
    path.write_bytes(whole[:4096] + b"\xff" * (len(whole) - 4096))
    with pytest.raises(StoreUnavailable) as caught, open_store(url_of(path)) as store:
        list(store.events.read_all())
    assert caught.value.reason == "corrupt"


@pytest.fixture
def written(tmp_path):
    """A file with a store in it, its folder, and the id of its thread."""
    path = tmp_path / "store" / "chat.db"
    path.parent.mkdir()
    with open_store(url_of(path)) as store:
        thread = store.threads.create()
        store.messages.create(thread.id, role="user", content="x")
    return path, thread.id


def test_a_database_opened_read_only_is_read_and_not_written(written):
    path, thread_id = written
    url = f"sqlite:///file:{path}?mode=ro&uri=true"
    with open_store(url, migrate="check") as store:
        assert len(store.messages.list(thread_id)) == 1
        with untouched(store), pytest.raises(StoreUnavailable) as caught:
            store.messages.create(thread_id, role="user", content="y")
    assert caught.value.reason == "read_only"


def test_an_immutable_database_is_not_written(written):
    path, thread_id = written
    with (
        open_store(f"sqlite:///file:{path}?immutable=1&uri=true") as store,
        untouched(store),
        pytest.raises(StoreUnavailable) as caught,
    ):
        store.messages.create(thread_id, role="user", content="y")
    assert caught.value.reason == "read_only"
    assert "permissions" in caught.value.remedy


READER = """
import os, sys
from eventstore import ConversationStore, StoreUnavailable
if os.geteuid() == 0:
    os.setgid(65534)
    os.setuid(65534)
try:
    with ConversationStore.open(sys.argv[1]) as store:
        store.threads.create()
except StoreUnavailable as error:
    print(error.reason)
"""


def as_somebody_without_rights(url: str) -> str:
    """Open and write in a process of a user who owns nothing: root may write anywhere."""
    done = subprocess.run(
        [sys.executable, "-c", READER, url], check=False, capture_output=True, text=True, cwd="/"
    )
    assert done.stderr == ""
    return done.stdout.strip()


@pytest.fixture
def reachable(tmp_path):
    """Let another user come as far as the folder of this test."""
    changed = []
    for folder in [tmp_path, *tmp_path.parents]:
        mode = folder.stat().st_mode
        if mode & 0o005 != 0o005:
            changed.append((folder, mode))
            folder.chmod(mode | 0o005)
    yield
    for folder, mode in changed:
        with suppress(FileNotFoundError):
            folder.chmod(mode)


@pytest.mark.skipif(not hasattr(os, "geteuid"), reason="there are no users here")
@pytest.mark.usefixtures("reachable")
def test_a_file_or_a_folder_without_the_right_to_write_says_read_only(written):
    path, _ = written
    path.parent.chmod(0o555)
    path.chmod(0o444)
    found = as_somebody_without_rights(url_of(path))
    new = as_somebody_without_rights(url_of(path.parent / "new.db"))
    path.parent.chmod(0o755)
    assert (found, new) == ("read_only", "cannot_open")


class Full(sqlite3.Connection):
    """A connection whose database has no room for another page."""

    def __init__(self, *arguments, **options):
        super().__init__(*arguments, **options)
        self.execute("PRAGMA max_page_count = 1")  # no lower than what there is


def test_a_full_disk_refuses_the_write_and_keeps_what_there_was(written):
    path, thread_id = written
    with open_store(url_of(path), connect_args={"factory": Full}) as store:
        with untouched(store), pytest.raises(StoreUnavailable) as caught:
            store.messages.create(thread_id, role="user", content="y" * 100_000)
        assert caught.value.reason == "disk_full"
        assert len(store.messages.list(thread_id)) == 1
    with open_store(url_of(path)) as store:
        assert store.messages.create(thread_id, role="user", content="y" * 100_000).version == 3
        assert store.projections.compare().ok


def test_no_room_for_the_tables_leaves_none_of_them(tmp_path):
    class Tiny(sqlite3.Connection):
        def __init__(self, *arguments, **options):
            super().__init__(*arguments, **options)
            self.execute("PRAGMA max_page_count = 9")

    path = tmp_path / "chat.db"
    unavailable("disk_full", url_of(path), connect_args={"factory": Tiny})
    with closing(sqlite3.connect(path)) as database:
        assert database.execute("SELECT count(*) FROM sqlite_master").fetchone() == (0,)


# -- a closed store -----------------------------------------------------------------------------


def test_a_closed_store_says_so_on_every_call(tmp_path):
    store = open_store(url_of(tmp_path / "chat.db"))
    thread = store.threads.create()
    bound = store.tenant("acme")
    store.close()
    store.close()
    for call in (
        store.threads.create,
        bound.threads.create,
        store.health,
        lambda: store.threads.get(thread.id),
        lambda: list(store.events.read_all()),
        lambda: list(store.replay.steps(thread.id)),
        store.projections.compare,
    ):
        with pytest.raises(StoreClosed):
            call()


async def test_a_closed_async_store_says_so_too():
    store = await AsyncConversationStore.open("sqlite://")
    await store.close()
    await store.close()
    with pytest.raises(StoreClosed):
        await store.threads.create()
    with pytest.raises(StoreClosed):
        await store.threads.list()
    with pytest.raises(StoreClosed):
        await anext(store.events.read_all())


# -- URLs and engines ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("url", "problem"),
    [
        ("", "not a database URL"),
        ("chat.db", "not a database URL"),
        ("sqlite:/chat.db", "not a database URL"),
        ("sqlite://host:port/chat.db", "not a database URL"),
        (None, "not a database URL"),
        (5, "not a database URL"),
        (b"sqlite://", "not a database URL"),
        (Path("chat.db"), "not a database URL"),
        ("sqlite://chat.db", "names a host"),
        ("sqlite://somebody@host/chat.db", "names a host"),
        ("sqlite+pysqlcipher:///chat.db", "unknown driver"),
        ("postgresql+pg8000://host/chat", "unknown driver"),
        ("mysql+pymysql://host/chat", "mysql is not supported"),
    ],
    ids=repr,
)
def test_a_url_that_cannot_be_used_says_what_can(url, problem, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(InvalidInput, match=problem) as caught:
        open_store(url)
    assert caught.value.field == "url"
    assert "sqlite:///chat.db" in caught.value.remedy
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("url", "problem", "remedy"),
    [
        ("sqlite:///chat.db?tiemout=3", "argument .*: 'tiemout'", "Did you mean timeout?"),
        ("sqlite:///chat.db?timeout=soon", "value of timeout is not one", "Correct it"),
        ("sqlite:///chat.db?uri=perhaps&mode=ro", "value of uri is not one", "Correct it"),
        ("sqlite:///chat.db?mode=ro", "argument .*: 'mode'", "file:chat.db?uri=true&mode=…"),
        ("sqlite:///chat.db?mode=memory", "argument .*: 'mode'", "?uri=true&mode=…"),
        (
            "sqlite:////chat.db?mode=ro&uri=true",
            "a path that is not a URI",
            "file:chat.db?uri=true",
        ),
        ("sqlite:///file:chat.db?mdoe=ro&uri=true", "argument .*: 'mdoe'", "Did you mean mode?"),
        (
            "sqlite://?my%20heart=1",
            "argument .*: a text of 8 characters",
            "It takes cached_statements, check_same",
        ),
        (
            "postgresql+psycopg://a@h/d?sslmod=require",
            "argument .*: 'sslmod'",
            "Did you mean sslmode",
        ),
        ("postgresql+psycopg://a@h/d?prepare_threshold=5", "'prepare_threshold'", "connect_args="),
    ],
)
def test_what_stands_behind_a_url_is_what_its_driver_takes(
    url, problem, remedy, tmp_path, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(InvalidInput, match=problem) as caught:
        open_store(url)
    assert caught.value.field == "url"
    assert remedy in caught.value.remedy
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("query", "problem"),
    [
        ("sslmode=require", "argument .*: 'sslmode'"),
        ("timeout=5", "argument .*: 'timeout'"),
        ("prepared_statement_cache_size=few", "value of prepared_statement_cache_size is not"),
        ("host=one&host=two:5432", "has a query that the driver does not accept"),
    ],
)
async def test_asyncpg_takes_others(query, problem):
    with pytest.raises(InvalidInput, match=problem):
        await AsyncConversationStore.open(f"postgresql+asyncpg://a@/d?{query}")


def test_a_file_system_of_somebodys_own_has_arguments_of_its_own(tmp_path):
    path = tmp_path / "chat.db"
    open_store(f"sqlite:///file:{path}?uri=true&vfs=unix-excl&of_its_own=1").close()
    assert path.exists()


def test_a_password_in_a_url_is_not_repeated():
    with pytest.raises(InvalidInput) as caught:
        open_store("postgresql+pg8000://somebody:open-sesame@host/chat")
    assert "open-sesame" not in str(caught.value)


def test_the_sync_face_names_the_right_url_for_an_async_one(tmp_path):
    path = tmp_path / "chat.db"
    with pytest.raises(InvalidInput) as caught:
        open_store(f"sqlite+aiosqlite:///{path}")
    right = re.search(r"sqlite:\S+", caught.value.remedy)
    assert right is not None
    open_store(right[0]).close()
    assert path.exists()


async def test_the_async_face_takes_both_urls(tmp_path):
    for driver in ("sqlite", "sqlite+aiosqlite", "sqlite+pysqlite"):
        async with AsyncConversationStore.open(f"{driver}:///{tmp_path / 'chat.db'}") as store:
            await store.threads.create()
            assert (await store.health()).events


@pytest.mark.parametrize(
    "url", ["sqlite://", "sqlite:///:memory:", "sqlite:///file::memory:?uri=true"]
)
def test_in_memory_everybody_sees_the_same_tables(url):
    with open_store(url) as store:
        thread = store.threads.create()
        assert store.threads.get(thread.id) == thread


async def test_an_engine_goes_to_the_face_of_its_kind(tmp_path):
    sync = create_engine(url_of(tmp_path / "chat.db"))
    asynchronous = create_async_engine(f"sqlite+aiosqlite:///{tmp_path / 'chat.db'}")
    with pytest.raises(InvalidInput, match="is an AsyncEngine") as caught:
        open_store(asynchronous)  # type: ignore[arg-type]
    assert "AsyncConversationStore" in caught.value.remedy
    with pytest.raises(InvalidInput, match="is a sync Engine"):
        await AsyncConversationStore.open(sync)  # type: ignore[arg-type]
    sync.dispose()
    await asynchronous.dispose()


def engine_with(path, **pragmas):
    engine = create_engine(url_of(path))

    @event.listens_for(engine, "connect")
    def prepare(driver, _):
        for name, value in pragmas.items():
            driver.execute(f"PRAGMA {name} = {value}")

    return engine


SAFE = {"journal_mode": "WAL", "synchronous": "FULL", "secure_delete": "ON"}


@pytest.mark.parametrize(
    ("name", "value", "told"),
    [
        ("journal_mode", "DELETE", "journal_mode is delete"),
        ("synchronous", "NORMAL", "synchronous is below FULL"),
        ("secure_delete", "OFF", "secure_delete is not ON"),
    ],
)
def test_an_engine_with_unsafe_settings_is_refused_by_name(tmp_path, name, value, told):
    engine = engine_with(tmp_path / "chat.db", **SAFE | {name: value})
    error = unavailable("unsafe_settings", engine)
    assert told in error.problem
    assert "durability='as_is'" in error.remedy
    with open_store(engine, durability="as_is") as store:
        assert store.threads.create().version == 1
    engine.dispose()


def test_an_engine_with_safe_settings_is_taken_and_stays_the_applications(tmp_path):
    engine = engine_with(tmp_path / "chat.db", **SAFE)
    with open_store(engine) as store:
        store.threads.create()
    with engine.connect() as connection:
        assert connection.exec_driver_sql("SELECT count(*) FROM threads").scalar() == 1
    engine.dispose()


def test_an_engine_that_cannot_connect_says_so(tmp_path):
    engine = create_engine(url_of(tmp_path / "missing" / "chat.db"))
    unavailable("cannot_open", engine)
    engine.dispose()


def test_a_connection_is_the_applications_own_and_open(tmp_path):
    engine = engine_with(tmp_path / "chat.db", **SAFE)
    with open_store(engine) as store:
        closed = engine.connect()
        closed.close()
        for connection in (5, "x", engine, object(), closed):
            with untouched(store), pytest.raises(InvalidInput) as caught:
                store.threads.create(connection=connection)  # type: ignore[arg-type]
            assert caught.value.field == "connection"
    engine.dispose()


# -- options ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("prefix", 'a"b'),
        ("prefix", "1a"),
        ("prefix", "x" * 32),
        ("prefix", None),
        ("prefix", 5),
        ("schema", "chat"),
        ("schema", []),
        ("migrate", "yes"),
        ("migrate", None),
        ("durability", "none"),
        ("durability", []),
        ("limits", {}),
        ("limits", Limits(page_size_max=0)),
        ("limits", Limits(depth_max=100_000)),
        ("limits", Limits(content_bytes_max="much")),  # type: ignore[arg-type]
        ("busy_timeout_seconds", -1),
        ("busy_timeout_seconds", "1"),
        ("busy_timeout_seconds", float("nan")),
        ("busy_timeout_seconds", float("inf")),
        ("queue_max", 0),
        ("queue_max", 1.5),
        ("readers", 0),
        ("readers", True),
        ("connect_args", 5),
        ("environment", 5),
    ],
    ids=repr,
)
def test_an_option_that_is_not_possible_is_refused_by_name(name, value, tmp_path):
    with pytest.raises(InvalidInput) as caught:
        open_store(url_of(tmp_path / "chat.db"), **{name: value})
    assert caught.value.field == name
    assert caught.value.remedy
    assert list(tmp_path.iterdir()) == []


def test_a_misspelt_option_is_an_error():
    with pytest.raises(TypeError, match="durabilty"):
        open_store("sqlite://", durabilty="as_is")  # type: ignore[call-arg]
