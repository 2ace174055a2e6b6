"""Missing, wrong and damaged keys: what they are told, and what goes on nevertheless."""

import sqlite3
import subprocess
import sys
from contextlib import closing
from typing import Any, cast

import pytest

from eventstore import BrokenChain, ConversationStore, InvalidInput, KeyUnavailable
from eventstore.encryption import (
    DatabaseKeys,
    Encryption,
    LocalMasterKey,
    SqliteKeys,
    new_master_key,
)
from eventstore.read_models import MessageSearch, Usage, projection
from tests.encryption.vaults import MASTER, in_a_file, in_the_database

OTHER = LocalMasterKey(b"x" * 32)


@pytest.fixture
def url(tmp_path):
    return f"sqlite:///{tmp_path}/chat.db"


@pytest.fixture
def plain(url):
    """A thread from before encryption was switched on."""
    with ConversationStore.open(url) as store:
        thread = store.threads.create(title="plain", metadata={"user": "u1"}).id
        first = store.messages.create(thread, role="user", content="in plain", external_id="x1")
        store.branches.label(thread, first.id, "early")
    return thread


@pytest.fixture
def sealed(url, plain, tmp_path):
    """A thread from after that."""
    assert plain
    with ConversationStore.open(url, encryption=in_a_file(tmp_path)) as store:
        thread = store.threads.create(title="sealed", metadata={"user": "u1"}).id
        first = store.messages.create(thread, role="user", content="under seal", external_id="x1")
        store.branches.label(thread, first.id, "late")
    return thread


def change(tmp_path, sql, *parameters, file="chat.db"):
    """Change a file by hand, triggers or not."""
    with closing(sqlite3.connect(tmp_path / file)) as database:
        for (name,) in database.execute("SELECT name FROM sqlite_master WHERE type = 'trigger'"):
            database.execute(f'DROP TRIGGER "{name}"')
        database.execute(sql, parameters)
        database.commit()


def test_switching_it_on_seals_what_is_written_from_then_on(url, tmp_path, plain, sealed):
    with ConversationStore.open(url, encryption=in_a_file(tmp_path)) as store:
        assert [store.threads.get(one).title for one in (plain, sealed)] == ["plain", "sealed"]
        found = store.threads.list(metadata={"user": "u1"})
        assert [one.title for one in found] == ["plain", "sealed"]
        asked: dict[str, Any] = {"metadata": {"user": "u1"}, "limit": 1}
        page = store.threads.list(**asked)
        pages = [*page, *store.threads.list(**asked, after=page.next_cursor)]
        assert [one.title for one in pages] == ["plain", "sealed"]
        found = store.threads.list(metadata={"user": "u1"}, sort="activity")
        assert [one.title for one in found] == ["plain", "sealed"]
        for thread, text, label in ((plain, "in plain", "early"), (sealed, "under seal", "late")):
            assert store.messages.get(thread, external_id="x1").text == text
            assert [*store.replay.state(thread).labels] == [label]
            with pytest.raises(InvalidInput):
                store.branches.label(thread, store.messages.list(thread).data[0].id, "\2sealed:x")
        assert store.projections.compare().findings == ()
        assert store.audit.verify().findings == ()
        store.messages.create(plain, role="user", content="sealed, too")
    assert b"in plain" in (tmp_path / "chat.db").read_bytes()
    assert b"sealed, too" not in (tmp_path / "chat.db").read_bytes()


def test_a_key_that_was_used_before_encryption_still_finds_its_answer(url, tmp_path):
    with ConversationStore.open(url) as store:
        made = store.threads.create(title="once", idempotency_key="k")
    with ConversationStore.open(url, encryption=in_a_file(tmp_path)) as store:
        assert store.threads.create(title="once", idempotency_key="k") == made


def without_keys(url, plain, sealed, encryption, problem):
    """Hold that plain content reads and sealed content is refused, on reading and on writing."""
    with ConversationStore.open(url, encryption=encryption) as store:
        assert [one.text for one in store.messages.list(plain)] == ["in plain"]
        assert store.threads.get(plain).title == "plain"
        with pytest.raises(KeyUnavailable, match=problem):
            store.messages.list(sealed)
        report = store.audit.verify()
        assert (report.findings, report.threads_not_compared) == ((), 1)
        return store.audit.verify()


def test_a_store_without_encryption_reads_what_is_plain_and_writes_nothing(url, plain, sealed):
    without_keys(url, plain, sealed, None, "without encryption=")
    with ConversationStore.open(url) as store:
        with pytest.raises(KeyUnavailable, match="without encryption="):
            store.messages.create(plain, role="user", content="in the open")
        store.threads.archive(plain)  # which has no content


def test_a_wrong_master_key_is_named(url, plain, sealed, tmp_path):
    wrong = Encryption(OTHER, SqliteKeys(tmp_path / "keys.db"))
    without_keys(url, plain, sealed, wrong, f"{MASTER.id}.*{OTHER.id}")
    with ConversationStore.open(url, encryption=wrong) as store:
        refused = pytest.raises(KeyUnavailable, match=MASTER.id)
        with refused:
            store.messages.create(sealed, role="user", content="more")
        with refused:
            store.threads.create(title="t")  # the key for words is there already


def test_a_key_store_that_is_gone_is_not_made_again(url, plain, sealed, tmp_path):
    (tmp_path / "keys.db").rename(tmp_path / "elsewhere.db")
    without_keys(url, plain, sealed, in_a_file(tmp_path), "is gone")
    store = ConversationStore.open(url, encryption=in_a_file(tmp_path))
    with store, pytest.raises(KeyUnavailable, match="is gone"):
        store.threads.create(title="t")
    assert not (tmp_path / "keys.db").exists()


def test_another_key_store_is_noticed(url, plain, sealed, tmp_path):
    other = Encryption(MASTER, SqliteKeys(tmp_path / "other.db"))
    with ConversationStore.open("sqlite://", encryption=other) as store:
        store.threads.create(title="t")
    without_keys(url, plain, sealed, other, "not the one")
    without_keys(url, plain, sealed, in_the_database(), "not the one")


def test_a_key_store_that_is_no_database_is_an_error_of_ours(url, plain, sealed, tmp_path):
    (tmp_path / "keys.db").write_bytes(b"no database" * 1_000)
    for rest in ("-wal", "-shm"):
        (tmp_path / f"keys.db{rest}").unlink(missing_ok=True)
    without_keys(url, plain, sealed, in_a_file(tmp_path), "cannot be used")


@pytest.mark.parametrize(
    "damage",
    [
        "wrapped = zeroblob(60)",
        "wrapped = x'00'",
        "tenant = 'another'",
        "owner = zeroblob(16)",
        "generation = 7",
        "kind = 'asst'",
    ],
)
def test_a_damaged_row_of_a_key_opens_nothing(url, plain, sealed, tmp_path, damage):
    change(tmp_path, f"UPDATE data_keys SET {damage} WHERE kind = 'thread'", file="keys.db")
    without_keys(url, plain, sealed, in_a_file(tmp_path), "does not open its row")


def test_a_key_without_a_row_is_told_from_a_destroyed_one(url, plain, sealed, tmp_path):
    change(tmp_path, "DELETE FROM data_keys WHERE kind = 'thread'", file="keys.db")
    without_keys(url, plain, sealed, in_a_file(tmp_path), "does not have it")


def test_a_tenant_has_keys_of_its_own(url, tmp_path):
    encryption = in_a_file(tmp_path)
    with ConversationStore.open(url, encryption=encryption) as store:
        for tenant in ("a", "b"):
            thread = store.tenant(tenant).threads.create(title=f"of {tenant}").id
            store.tenant(tenant).messages.create(thread, role="user", content="x", subject="alice")
        assert encryption.keys.destroy_tenant("a") == 3
    with ConversationStore.open(url, encryption=encryption) as store:
        assert [one.title for one in store.tenant("a").threads.list()] == [None]
        assert [one.title for one in store.tenant("b").threads.list()] == ["of b"]


# -- content that was moved ------------------------------------------------------------------------


def test_sealed_content_cannot_be_moved(url, sealed, tmp_path):
    with ConversationStore.open(url, encryption=in_a_file(tmp_path)) as store:
        store.messages.create(sealed, role="user", content="another")
    change(
        tmp_path,
        "UPDATE events SET (content, salt) = (SELECT content, salt FROM events WHERE position = ?)"
        " WHERE position = ?",
        7,
        5,
    )
    with ConversationStore.open(url, encryption=in_a_file(tmp_path)) as store:
        with pytest.raises(BrokenChain, match=r"version 2.*sealed for another place"):
            store.messages.list(sealed)
        [found] = store.audit.verify(thread_id=sealed).findings
        assert (found.kind, found.stream_id, found.version) == ("altered", sealed, 2)
        assert store.threads.get(sealed).title == "sealed"


def test_a_label_cannot_be_moved(url, sealed, tmp_path):
    with ConversationStore.open(url, encryption=in_a_file(tmp_path)) as store:
        other = store.threads.create().id
        first = store.messages.create(other, role="user", content="x")
        store.branches.label(other, first.id, "late")
    key = bytes.fromhex(sealed.partition("_")[2])
    late = "(SELECT label FROM labels WHERE thread > ?)"
    change(tmp_path, f"UPDATE labels SET label = {late} WHERE thread = ?", key, key)
    with ConversationStore.open(url, encryption=in_a_file(tmp_path)) as store:
        assert store.audit.verify(thread_id=sealed).findings[0].kind == "projection_differs"


# -- options ---------------------------------------------------------------------------------------


WRONG: dict[str, Any] = {
    "short text": lambda: LocalMasterKey("short"),
    "short bytes": lambda: LocalMasterKey(b"short"),
    "no Base64": lambda: LocalMasterKey("ä" * 44),
    "no variable": lambda: LocalMasterKey.from_environment("EVENTSTORE_NO_SUCH_VARIABLE"),
    "no file": lambda: LocalMasterKey.from_file("/no/such/file"),
    "keys in memory": lambda: SqliteKeys(":memory:"),
    "keys nowhere": lambda: SqliteKeys(cast("str", 7)),
    "no master key": lambda: Encryption(cast("Any", "a key"), DatabaseKeys()),
    "no key store": lambda: Encryption(MASTER, cast("Any", "keys.db")),
    "a text of names": lambda: Encryption(MASTER, DatabaseKeys(), may_store_words="search"),
    "no room": lambda: Encryption(MASTER, DatabaseKeys(), keys_in_memory=0),
    "no time": lambda: Encryption(MASTER, DatabaseKeys(), memory_seconds=0),
    "no encryption": lambda: ConversationStore.open("sqlite://", encryption=cast("Any", "yes")),
}


@pytest.mark.parametrize("what", WRONG)
def test_a_wrong_option_is_named(what):
    with pytest.raises(InvalidInput):
        WRONG[what]()


def test_a_master_key_comes_from_the_environment_or_a_file(monkeypatch, tmp_path):
    text = new_master_key()
    monkeypatch.setenv("EVENTSTORE_MASTER_KEY", text)
    (tmp_path / "master.key").write_text(f"{text}\n")
    made = LocalMasterKey.from_environment(), LocalMasterKey.from_file(tmp_path / "master.key")
    assert made[0].id == made[1].id == LocalMasterKey(text).id
    assert text not in repr(made)


def test_a_projection_that_may_store_words_has_to_be_allowed_by_name():
    @projection("names", tables=["t"], create="CREATE TABLE {t} (n TEXT)", stores_words=False)
    def names(tables, event):  # noqa: ARG001
        return None

    with ConversationStore.open("sqlite://", encryption=in_the_database()) as store:
        with pytest.raises(InvalidInput, match="may_store_words"):
            store.projections.register(MessageSearch())
        store.projections.register(Usage())
        store.projections.register(names)
    allowed = in_the_database(may_store_words=["search"])
    with ConversationStore.open("sqlite://", encryption=allowed) as store:
        store.projections.register(MessageSearch())


WITHOUT = """
import sys
sys.modules["cryptography"] = None
from eventstore import ConversationStore, InvalidInput
from eventstore.encryption import DatabaseKeys, Encryption, LocalMasterKey

with ConversationStore.open("sqlite://") as store:
    assert store.threads.create(title="t").title == "t"
try:
    LocalMasterKey(bytes(32))
except InvalidInput as error:
    print(error)
"""


def test_without_cryptography_a_store_works_and_encryption_says_what_to_install():
    done = subprocess.run(
        [sys.executable, "-c", WITHOUT], capture_output=True, text=True, check=True
    )
    assert "conversation-eventstore[encryption]" in done.stdout
