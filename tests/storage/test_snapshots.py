"""Snapshots of states in their table: never trusted over the log, and gone with their threads."""

import sqlite3
import zlib
from contextlib import closing, suppress
from types import SimpleNamespace
from unittest.mock import patch

import msgspec
import pytest
from msgspec.structs import replace
from sqlalchemy import create_engine

from eventstore import AsyncConversationStore, BrokenChain, ConversationStore
from eventstore.conversation.snapshot import decoded_snapshot
from eventstore.storage import snapshots
from eventstore.storage.snapshots import Snapshots
from eventstore.threads import folding
from tests.concurrency.striking import Strikes, Struck
from tests.effort import events_decoded
from tests.storage.lives import ask

WORD = "zqblackbird"
COUNT = "SELECT count(*) FROM snapshots"


@pytest.fixture
def path(tmp_path):
    return tmp_path / "chat.db"


@pytest.fixture
def store(path, monkeypatch):
    monkeypatch.setattr(folding, "EVENTS_MAX", 20)
    with opened(path) as made:
        yield made


def opened(path, **options):
    return ConversationStore.open(f"sqlite:///{path}", **options)


def switched(store, count=60):
    """A thread of three messages, of which one has a label, that was switched again and again."""
    thread = store.threads.create(title=WORD, metadata={"is": WORD}).id
    asked = store.messages.create(thread, role="user", content=WORD)
    one = store.messages.create(thread, role="assistant", content=f"one {WORD}")
    two = store.messages.regenerate(thread, one.id, content=f"two {WORD}")
    store.branches.label(thread, two.id, WORD)
    for n in range(count):
        store.branches.select(thread, (one.id, two.id)[n % 2])
    return thread, asked.id


def left_behind(store, thread):
    """Read a state, and let the next write take its snapshots along."""
    state = store.replay.state(thread)
    store.threads.create()
    return state


def change(path, sql, *parameters):
    with closing(sqlite3.connect(path)) as database, database:
        database.execute(sql, parameters)


def test_reading_writes_nothing_and_the_next_write_takes_them_along(store, path):
    thread, _ = switched(store)
    told = store.replay.state(thread).value()
    assert ask(path, COUNT) == [(0,)]
    assert events_decoded(store.replay.state, thread) < 40, "it is in memory already"
    with opened(path) as other:
        assert events_decoded(other.replay.state, thread) == 65
        store.threads.create()
        assert ask(path, COUNT)[0][0] > 1
        assert events_decoded(other.replay.state, thread) < 40
        assert other.replay.state(thread).value() == told


def test_a_store_that_only_read_leaves_them_as_it_is_closed(store, path):
    thread, _ = switched(store)
    with opened(path) as other:
        other.replay.state(thread)
        assert ask(path, COUNT) == [(0,)]
    assert ask(path, COUNT)[0][0] > 1
    with opened(path) as other:
        assert events_decoded(other.replay.state, thread) < 40
        assert other.audit.verify().findings == ()


def test_whoever_walks_the_steps_leaves_some_too(store, path):
    thread, _ = switched(store)
    told = store.replay.state(thread, at_version=64).value()
    with opened(path) as other:
        assert len(list(other.replay.steps(thread))) == 65
    with opened(path) as other:
        assert events_decoded(other.replay.state, thread) < 40
        store.branches.select(thread, store.messages.list(thread)[0].id)
        assert other.replay.state(thread, at_version=64).value() == told
        assert other.audit.verify().findings == ()


async def test_a_store_of_tasks_does_so_too(store, path):
    thread, _ = switched(store)
    async with AsyncConversationStore.open(f"sqlite:///{path}") as other:
        await other.replay.state(thread)
    assert ask(path, COUNT)[0][0] > 1


def test_closing_waits_for_nobody_who_holds_the_database(store, path):
    thread, _ = switched(store)
    other = opened(path, busy_timeout_seconds=3_600)
    other.replay.state(thread)
    with closing(sqlite3.connect(path, isolation_level=None)) as held:
        held.execute("BEGIN IMMEDIATE")
        other.close()
        held.execute("ROLLBACK")
    assert ask(path, COUNT) == [(0,)]


def test_a_file_that_may_not_be_written_stays_as_it_is(store, path):
    thread, _ = switched(store)
    before = path.read_bytes()
    url = f"sqlite:///file:{path}?mode=ro&uri=true"
    with ConversationStore.open(url, migrate="check") as other:
        assert other.replay.state(thread).version == 65
        assert events_decoded(other.replay.state, thread) < 40
    assert path.read_bytes() == before
    assert ask(path, COUNT) == [(0,)]


def test_a_transaction_of_the_application_does_not_take_them_along(store, path):
    thread, _ = switched(store)
    store.replay.state(thread)
    engine = create_engine(f"sqlite:///{path}")
    with engine.begin() as connection:
        store.threads.create(connection=connection)
    engine.dispose()
    assert ask(path, COUNT) == [(0,)]


def test_one_of_a_transaction_that_was_rolled_back_is_never_written(store, path):
    thread = store.threads.create().id
    store.messages.create(thread, role="user", content="hello")
    engine = create_engine(f"sqlite:///{path}")
    with engine.begin() as connection:
        for number in range(60):
            store.threads.update(thread, title=str(number), connection=connection)
        store.threads.fork(thread, at_version=40, connection=connection)  # folds what is there
        connection.rollback()
    engine.dispose()
    store.threads.create()
    assert ask(path, COUNT) == [(0,)]
    assert store.audit.verify().findings == ()


def test_no_word_stands_in_them(store, path):
    thread, _ = switched(store)
    left_behind(store, thread)
    for (state,) in ask(path, "SELECT state FROM snapshots"):
        assert WORD.encode() not in zlib.decompress(state)


def test_what_is_erased_later_is_gone_from_states_of_the_past(store, path):
    thread, asked = switched(store)
    left_behind(store, thread)
    store.privacy.erase(thread, asked)
    store.privacy.erase(thread)
    with opened(path) as other:
        state = other.replay.state(thread, at_version=60)
        assert events_decoded(other.replay.state, thread, at_version=60) < 40
        assert [one.text for one in state.messages] == ["", ""]
        assert (state.thread.title, state.thread.metadata, state.labels) == (None, {}, {})
        assert other.projections.compare().findings == ()
        assert other.audit.verify().findings == ()


def test_a_purge_takes_them_and_none_comes_after_it(store, path):
    thread, _ = switched(store)
    left_behind(store, thread)
    kept, _ = switched(store)
    late, _ = switched(store)
    store.replay.state(late)  # these wait while another store purges
    with opened(path) as other:
        other.privacy.purge(thread)
        other.privacy.purge(late)
    store.replay.state(kept)
    store.threads.create()
    store.threads.create()
    found = {bytes(row[0]).hex() for row in ask(path, "SELECT thread FROM snapshots")}
    assert found == {kept.removeprefix("thread_")}


def test_a_title_stands_behind_later_metadata_and_metadata_behind_a_later_title(store, path):
    thread = store.threads.create(title="first", metadata={"n": 0}).id
    run = store.runs.create(thread).id
    for title, metadata in [("a", None), (None, {"n": 1}), ("b", None), (None, {"n": 2})] * 3:
        changed = {"title": title} if metadata is None else {"metadata": metadata}
        store.threads.update(thread, **changed)
        store.runs.update(thread, run, metadata=metadata)
    for n in range(30):
        store.threads.update(thread, **({"metadata": {"n": n}} if n else {"title": "the last"}))
    left_behind(store, thread)
    with opened(path) as other:
        assert ask(path, COUNT) != [(0,)]
        for step in other.replay.steps(thread):
            found = other.replay.state(thread, at_version=step.event.version)
            assert found.value() == step.state.value()


def rewritten(state):
    """Bytes that show another past, and are a snapshot all the same."""
    found = decoded_snapshot(state)
    thread = replace(found.thread, archived=True)
    return zlib.compress(msgspec.msgpack.encode(replace(found, thread=thread)))


CHANGES = {
    "state": lambda row: row[1][:-1],
    "byte": lambda row: bytes([row[1][0] ^ 1]) + row[1][1:],
    "hash": lambda _: bytes(32),
    "rewritten": lambda row: rewritten(row[1]),
}


@pytest.mark.parametrize("how", CHANGES)
def test_one_that_was_altered_is_found_and_goes_at_a_rebuild(store, path, how):
    thread, _ = switched(store)
    told = left_behind(store, thread).value()
    versions = [version for (version,) in ask(path, "SELECT version FROM snapshots")]
    for rowid, state in ask(path, "SELECT rowid, state FROM snapshots"):
        column = "hash" if how == "hash" else "state"
        change(
            path,
            f"UPDATE snapshots SET {column} = ? WHERE rowid = ?",
            CHANGES[how]((rowid, state)),
            rowid,
        )
    with opened(path) as other:
        if how != "rewritten":  # by somebody who may write to the database, and knew how
            assert other.replay.state(thread).value() == told
        found = other.audit.verify().findings
        assert [(one.stream_id, one.kind) for one in found] == [
            (thread, "projection_differs") for _ in versions
        ]
        assert [one.message for one in found] == [
            f"snapshots: the state after event {version} differs" for version in versions
        ]
        assert not other.projections.compare().ok
        other.projections.rebuild()
        assert other.audit.verify().findings == ()
        assert other.replay.state(thread).value() == told


def moved(path):
    [(state,)] = ask(path, "SELECT state FROM snapshots ORDER BY version DESC LIMIT 1")
    change(path, "UPDATE snapshots SET state = ?", state)


def of_another_thread(path):
    [(state,)] = ask(path, "SELECT state FROM snapshots ORDER BY version LIMIT 1")
    found = decoded_snapshot(state)
    thread = replace(found.thread, thread_id=bytes(16))
    for (version,) in ask(path, "SELECT version FROM snapshots"):
        made = replace(found, thread=replace(thread, version=version))
        packed = zlib.compress(msgspec.msgpack.encode(made))
        change(path, "UPDATE snapshots SET state = ? WHERE version = ?", packed, version)


def without_rows(path):
    for version, state in ask(path, "SELECT version, state FROM snapshots"):
        packed = zlib.compress(msgspec.msgpack.encode(replace(decoded_snapshot(state), others={})))
        change(path, "UPDATE snapshots SET state = ? WHERE version = ?", packed, version)


@pytest.mark.parametrize("how", [moved, of_another_thread, without_rows])
def test_one_that_is_not_of_its_place_is_not_used(store, path, how):
    thread, _ = switched(store)
    left_behind(store, thread)
    versions = [version for (version,) in ask(path, "SELECT version FROM snapshots")]
    told = [store.replay.state(thread, at_version=version).value() for version in versions]
    how(path)
    with opened(path) as other:
        for version, state in zip(versions, told, strict=True):
            assert other.replay.state(thread, at_version=version).value() == state
        assert not other.audit.verify().ok


def test_one_that_stands_at_another_version_is_not_used(store, path):
    thread, _ = switched(store)
    told = left_behind(store, thread).value()
    change(path, "UPDATE snapshots SET version = version + 1000")
    with opened(path) as other:
        assert other.replay.state(thread).value() == told
        assert len(other.audit.verify().findings) > 1
    change(path, "DELETE FROM snapshots")
    with opened(path) as other:
        assert other.replay.state(thread).value() == told
        assert other.audit.verify().findings == ()


def test_one_without_a_thread_is_found(store, path):
    thread, _ = switched(store)
    left_behind(store, thread)
    change(path, "UPDATE snapshots SET thread = randomblob(16)")
    with opened(path) as other:
        assert {one.kind for one in other.audit.verify().findings} == {"missing"}


def test_whoever_checks_goes_on_from_none(store):
    """Else a snapshot that lies would vouch for itself, and for the forks of its thread."""
    thread, _ = switched(store)
    fork = store.threads.fork(thread).id
    store.messages.create(fork, role="user", content="further")
    left_behind(store, fork)
    for name in ("nearest", "waits"):
        with patch.object(Snapshots, name, side_effect=AssertionError):
            assert store.audit.verify().findings == ()
            assert store.projections.compare().findings == ()
            assert len(list(store.replay.steps(fork))) == 2
    with patch.object(Snapshots, "nearest", side_effect=AssertionError):
        store.projections.rebuild()


def test_a_deleted_event_below_one_is_missed_by_those_who_read_every_event(store, path):
    thread, _ = switched(store)
    told = left_behind(store, thread).value()
    for (name,) in ask(path, "SELECT name FROM sqlite_master WHERE type = 'trigger'"):
        change(path, f'DROP TRIGGER "{name}"')
    key = bytes.fromhex(thread.removeprefix("thread_"))
    change(path, "DELETE FROM events WHERE stream = ? AND version = 10", key)
    with opened(path, migrate="off") as other:
        assert other.replay.state(thread).value() == told, "as its page says"
        [finding] = other.audit.verify().findings
        assert (finding.stream_id, finding.version, finding.kind) == (thread, 10, "missing")
        for read in (other.replay.steps, other.events.read):
            with pytest.raises(BrokenChain):
                list(read(thread))
        change(path, "DELETE FROM snapshots")
        with pytest.raises(BrokenChain):
            other.replay.state(thread)


def test_a_row_of_the_source_may_bear_the_same_version_as_one_of_the_fork(store):
    """The state is the same, whether it was folded from the beginning or from a snapshot."""
    source = store.threads.create().id
    for number in range(29):
        store.threads.update(source, title=str(number))
    first = store.messages.create(source, role="user", content="first")
    fork = store.threads.fork(source).id
    store.messages.amend(fork, first.id, content="amended")
    run = store.runs.create(fork).id
    store.runs.start(fork, run)
    second = store.messages.create(fork, role="user", content="it waits").id
    for number in range(24):
        store.messages.amend(fork, first.id, content=f"amended {number}")
    left_behind(store, fork)
    store.runs.complete(fork, run)
    assert store.messages.get(fork, second).version == first.version
    for number in range(24):
        store.messages.amend(fork, first.id, content=f"again {number}")
    left_behind(store, fork)
    assert store.audit.verify().findings == ()


@pytest.mark.parametrize("act", ["keep", "write"])
def test_wherever_an_interrupt_strikes_snapshots_go_on_waiting_within_their_bound(act, monkeypatch):
    monkeypatch.setattr(snapshots, "event_hash_at", lambda *_: b"hash")
    monkeypatch.setattr(snapshots, "BYTES_MAX", 100)
    first, second, third = (1, 1, b"a"), (1, 1, b"b"), (1, 1, b"c")
    ordering = SimpleNamespace(single_writer=True)
    tx = SimpleNamespace(ordering=ordering, write=lambda *_: None)
    kept, strikes = Snapshots(), Strikes(1)
    acts = {"keep": lambda n: kept.keep(tx, first, n, b"x" * 40), "write": lambda _: kept.write(tx)}
    for moment in range(1, 1_000):
        kept.keep(tx, first, moment + 1, b"x" * 40)
        strikes = Strikes(moment)
        with suppress(Struck), strikes:
            acts[act](moment)
        for place in (second, third):
            kept.keep(tx, place, moment, b"x" * 40)
            assert kept.waits(place, moment)
        assert sum(len(one.state) for some in kept.waiting.values() for one in some) <= 100
        if not strikes.struck:
            break
    assert not strikes.struck
    kept.write(tx)
    assert not kept.waiting
