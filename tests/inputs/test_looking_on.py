"""Counters, the hook that hears of appends, and a warning for a file on a network."""

import asyncio
import logging
import sqlite3

import pytest
from sqlalchemy import create_engine

from eventstore import (
    AppendNotice,
    AsyncConversationStore,
    ConversationStore,
    InvalidInput,
    Refused,
    StoreBusy,
    StoreClosed,
)
from eventstore.storage.sqlite_settings import warn_about_network

NOTHING = dict.fromkeys(
    ("appends", "events", "unchanged", "refused", "busy", "unknown", "failed", "transactions"), 0
)


def counted(store):
    return store.counters().model_dump()


def test_writes_are_counted_by_what_became_of_them(store):
    assert counted(store) == NOTHING
    thread = store.threads.create(messages=[{"role": "user", "content": "x"}])
    store.messages.create(thread.id, role="user", content="y", idempotency_key="k")
    store.tenant("acme").acting(actor="u").threads.create()
    expected = {**NOTHING, "appends": 3, "events": 4, "transactions": 3}
    assert counted(store) == expected
    store.messages.create(thread.id, role="user", content="y", idempotency_key="k")
    store.threads.unarchive(thread.id)
    with pytest.raises(Refused):
        store.messages.create(
            thread.id,
            role="tool",
            content=[{"type": "tool_result", "call_id": "c", "output": 1}],
        )
    with pytest.raises(InvalidInput):
        store.messages.create(thread.id, role="nobody", content="never gets there")
    list(store.messages.list(thread.id))
    assert counted(store) == {**expected, "unchanged": 2, "refused": 1, "transactions": 6}


def test_what_has_no_outcome_is_counted_by_its_error(tmp_path):
    url = f"sqlite:///{tmp_path}/chat.db"
    store = ConversationStore.open(url, busy_timeout_seconds=0)
    other = sqlite3.connect(tmp_path / "chat.db", isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    with pytest.raises(StoreBusy):
        store.threads.create()
    other.close()
    store.close()
    with pytest.raises(StoreClosed):
        store.threads.create()
    assert (store.counters().busy, store.counters().failed) == (1, 1)
    assert store.counters().appends == 0


async def test_writers_that_share_a_commit_share_a_transaction(tmp_path):
    async with AsyncConversationStore.open(f"sqlite:///{tmp_path}/chat.db") as store:
        await asyncio.gather(*[store.threads.create() for _ in range(50)])
        found = store.counters()
    assert found.appends == 50
    assert found.transactions < 50


def test_whoever_asked_hears_where_something_was_appended():
    heard: list[AppendNotice] = []
    with ConversationStore.open("sqlite://", on_append=heard.append) as store:
        thread = store.threads.create(title="secret", idempotency_key="k")
        store.threads.create(title="secret", idempotency_key="k")
        store.threads.unarchive(thread.id)
        with store.tenant("acme").threads.batch(store.tenant("acme").threads.create().id) as batch:
            batch.messages.create(role="user", content="secret")
            batch.messages.create(role="user", content="secret")
        mine = [event.position for event in store.events.read_all()]
    assert heard[0] == AppendNotice("", thread.id, 1, tuple(mine))
    assert [(one.tenant, one.version, len(one.positions)) for one in heard] == [
        ("", 1, 1),
        ("acme", 1, 1),
        ("acme", 3, 2),
    ]
    assert "secret" not in str(heard)


async def test_the_async_face_tells_it_too():
    heard: list[AppendNotice] = []
    async with AsyncConversationStore.open("sqlite://", on_append=heard.append) as store:
        thread = await store.threads.create()
    assert [(one.stream_id, one.version) for one in heard] == [(thread.id, 1)]


def test_a_hook_that_fails_is_logged_and_the_write_is_as_it_was(caplog):
    def fail(_):
        raise ValueError

    with ConversationStore.open("sqlite://", on_append=fail) as store:
        thread = store.threads.create()
        assert store.threads.get(thread.id) == thread
    [record] = caplog.records
    assert record.name == "eventstore.hooks"
    assert thread.id in record.getMessage()


def test_a_write_in_a_transaction_of_the_applications_is_not_told_of(tmp_path):
    """It may roll back."""
    heard: list[AppendNotice] = []
    engine = create_engine(f"sqlite:///{tmp_path}/chat.db")
    with ConversationStore.open(engine, on_append=heard.append, durability="as_is") as store:
        with engine.connect() as connection:
            store.threads.create(connection=connection)
            connection.rollback()
        store.threads.create()
        assert store.counters().appends == 2
    assert len(heard) == 1
    engine.dispose()


def test_what_is_no_function_cannot_be_a_hook():
    with pytest.raises(InvalidInput, match="on_append"):
        ConversationStore.open("sqlite://", on_append="print")  # type: ignore[arg-type]


# -- a file on a network -----------------------------------------------------------------------


MOUNTS = """\
/dev/sda1 / ext4 rw 0 0
server:/export /mnt/far nfs4 rw 0 0
tmpfs /mnt/far/near tmpfs rw 0 0
//server/share /mnt/with\\040blank cifs rw 0 0
user@host: /mnt/ssh fuse.sshfs rw 0 0
/dev/sdb1 /mnt/ssh ext4 rw 0 0
"""


@pytest.mark.parametrize(
    ("path", "kind"),
    [
        ("/mnt/far/chat.db", "nfs4"),
        ("/mnt/far/deeper/../chat.db", "nfs4"),
        ("file:/mnt/far/chat.db?mode=rw", "nfs4"),
        ("/mnt/with blank/chat.db", "cifs"),
        ("/mnt/far/near/chat.db", None),
        ("/mnt/farther/chat.db", None),
        ("/mnt/ssh/chat.db", None),
        ("/srv/chat.db", None),
    ],
)
def test_a_file_on_a_network_is_warned_of(tmp_path, caplog, path, kind):
    mounts = tmp_path / "mounts"
    mounts.write_text(MOUNTS)
    with caplog.at_level(logging.WARNING):
        warn_about_network(path, mounts)
    said = [record.getMessage() for record in caplog.records]
    assert [f"the database is on {kind}: " in text for text in said] == [True] * (kind is not None)


def test_where_no_mounts_are_told_nothing_is_said(tmp_path, caplog):
    warn_about_network("/mnt/far/chat.db", tmp_path / "none")
    assert caplog.records == []
