"""The mark of a verification: the next one looks at what came since, and trusts the mark."""

import sqlite3
from contextlib import closing

import pytest

from eventstore import ConversationStore, InvalidInput
from tests.audit.world import hand_on_file


@pytest.fixture
def path(tmp_path):
    return tmp_path / "chat.db"


@pytest.fixture
def store(path):
    with ConversationStore.open(f"sqlite:///{path}") as opened:
        yield opened


@pytest.fixture
def hand(store, path):
    del store
    made, close = hand_on_file(path)
    yield made
    close()


def threads(store, count=6):
    messages = [{"role": "user", "content": "hello"}]
    return [store.threads.create(messages=messages).id for _ in range(count)]


def test_the_next_verification_looks_at_what_came_since(store):
    first, *_ = threads(store)
    full = store.audit.verify(mark=True)
    assert (full.ok, full.marked, full.since) == (True, 1, None)
    store.messages.create(first, role="user", content="more")
    some = store.audit.verify(changed_only=True, mark=True)
    assert (some.streams, some.unchanged) == (2, 5), "the thread, and the stream of the mark"
    assert (some.ok, some.since, some.marked) == (True, 1, 2)
    none = store.audit.verify(changed_only=True)
    assert (none.streams, none.unchanged, none.since) == (1, 6, 2)
    [mark] = [one for one in store.events.read_all() if one.type == "TenantVerified"][1:]
    assert mark.data["streams"] == 7


def test_after_a_purge_everything_is_verified_again(store):
    first, *_ = threads(store)
    store.audit.verify(mark=True)
    store.privacy.purge(first)
    report = store.audit.verify(changed_only=True, mark=True)
    assert (report.ok, report.since, report.streams) == (True, None, 6)
    assert store.audit.verify(changed_only=True).since == report.marked


def test_each_tenant_has_marks_of_its_own(store):
    acme = store.tenant("acme")
    threads(acme, 2)
    with pytest.raises(InvalidInput, match="mark"):
        acme.audit.verify(changed_only=True)
    assert acme.audit.verify(mark=True).marked == 1
    with pytest.raises(InvalidInput, match="mark"):
        store.audit.verify(changed_only=True)
    thread = store.threads.create().id
    for name in ("mark", "changed_only", "read_models"):
        with pytest.raises(InvalidInput, match=name):
            store.audit.verify(thread, **{name: True})


def test_no_mark_is_left_where_something_was_found(store, hand):
    first, *_ = threads(store)
    hand.run(
        "UPDATE events SET type = 'MessageEdited' WHERE version = 2 AND stream = ?", key(first)
    )
    report = store.audit.verify(mark=True)
    assert (report.ok, report.marked) == (False, None)
    assert "TenantVerified" not in {one.type for one in store.events.read_all()}
    hand.undo()


def key(thread):
    return bytes.fromhex(thread.removeprefix("thread_"))


def test_a_thread_that_went_with_every_trace_is_missed_by_the_mark(store, hand):
    """Without a mark, nothing is left that would show it."""
    first, *_ = threads(store)
    store.audit.verify(mark=True)
    hand.run("DELETE FROM events WHERE stream = ?", key(first))
    hand.run("DELETE FROM streams WHERE stream = ?", key(first))
    tables = ("threads", "messages", "segments", "branch_points", "touches", "thread_metadata")
    for table in tables:
        hand.run(f"DELETE FROM {table} WHERE thread = ?", key(first))
    assert store.audit.verify().findings == ()
    report = store.audit.verify(changed_only=True)
    assert [(one.stream_id[:5], one.version, one.kind) for one in report.findings] == [
        ("store", 1, "altered")
    ]
    hand.undo()


def test_a_mark_that_was_edited_breaks_the_chain_of_its_stream(store, hand):
    threads(store)
    store.audit.verify(mark=True)
    [(data,)] = hand.all("SELECT data FROM events WHERE type = 'TenantVerified'")
    edited = data[:-1] + bytes([data[-1] ^ 1])
    hand.run("UPDATE events SET data = ? WHERE type = 'TenantVerified'", edited)
    for options in ({}, {"changed_only": True}):
        report = store.audit.verify(**options)
        assert "altered" in {one.kind for one in report.findings}
    hand.undo()


@pytest.mark.parametrize("table", ["labels", "messages", "runs", "thread_metadata", "external_ids"])
def test_bytes_that_are_no_text_are_a_finding(store, path, table):
    thread = store.threads.create(metadata={"k": "v"}).id
    said = store.messages.create(thread, role="user", content="hi", external_id="x")
    store.branches.label(thread, said.id, "l")
    store.runs.create(thread)
    column = {
        "labels": "label",
        "messages": "said",
        "runs": "holder",
        "thread_metadata": "value",
        "external_ids": "external_id",
    }[table]
    with closing(sqlite3.connect(path)) as file:
        file.execute(f"UPDATE {table} SET {column} = CAST(x'ff' AS TEXT)")
        file.commit()
    report = store.audit.verify()
    [found] = report.findings
    assert (found.stream_id, found.kind) == (thread, "projection_differs")
    assert found.message == f"{table}: a row holds bytes that are no text"
    with closing(sqlite3.connect(path)) as file:
        file.execute(f"DELETE FROM {table}")
        file.commit()
    store.projections.rebuild()
    assert store.audit.verify().ok, "as the remedy says"


def test_a_name_that_is_no_text_ends_the_verification_with_a_finding(path):
    with ConversationStore.open(f"sqlite:///{path}") as store:
        threads(store, 1)
    with closing(sqlite3.connect(path)) as file:
        file.execute("UPDATE categories SET name = CAST(x'ff' AS TEXT)")
        file.commit()
    with ConversationStore.open(f"sqlite:///{path}") as store:
        [found] = store.audit.verify().findings
        assert (found.stream_id, found.kind) == ("store", "unreadable")
        assert "was not verified" in found.message
