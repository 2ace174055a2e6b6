"""After an erasure the bytes are gone from every file of a SQLite store, and the rest is there.

Words are looked for as bytes, in the database with its free pages, in its write-ahead log and in
its index of that. An index of words keeps them without what they share with their neighbours, so
tails of words are looked for. Large contents stand in a table of their own, and go from there.
"""

import random
import sqlite3
from contextlib import closing, contextmanager
from typing import Any

import pytest
from sqlalchemy import create_engine, event

from eventstore import ConversationStore, ProviderForm, Refused
from eventstore.read_models import MessageSearch, search
from eventstore.storage.blobs import IN_ROW_BYTES_MAX
from tests.conformance.test_ways_of_running import engine_at
from tests.storage.lives import ask

TAIL = "qzvjxkw"
"""No other word ends like this."""
WORDS = f"zz{TAIL}"
NEIGHBOURS = f"zzq zzr zz zy zzqz {'other words ' * 30}"
CONTENT: dict[str, Any] = {
    "content": f"{WORDS} {NEIGHBOURS}",
    "name": WORDS,
    "external_id": WORDS,
    "metadata": {"said": WORDS},
    "provider": ProviderForm(format="openai.chat", data=b"\0" + WORDS.encode()),
}


@pytest.fixture
def path(tmp_path):
    return tmp_path / "chat.db"


def found_in(path, text=TAIL):
    """Names of the store's files that hold a text."""
    files = sorted(path.parent.glob(f"{path.name}*"))
    return [file.name for file in files if text.encode() in file.read_bytes()]


def blobs_in(path):
    return ask(path, "SELECT count(*) FROM blobs")[0][0]


def talk(store, messages):
    """A thread with some messages of very different lengths; return its id and theirs."""
    dice = random.Random(messages)
    thread = store.threads.create(title="talk")
    sizes = [dice.choice([10, 500, 3_000, 20_000]) for _ in range(messages)]
    made = [
        store.messages.create(thread.id, role="user", content=f"said {number} " + "x" * size)
        for number, size in enumerate(sizes)
    ]
    return thread.id, made


@pytest.mark.parametrize("size", [0, 4_000, 100_000, 3_000_000], ids=lambda size: f"{size} bytes")
@pytest.mark.parametrize("before", [0, 40])
def test_nothing_is_left_in_any_file(path, size, before):
    with ConversationStore.open(f"sqlite:///{path}") as store:
        thread, others = talk(store, before)
        fork = store.threads.fork(thread).id if others else None
        said = store.messages.create(
            thread, role="user", **{**CONTENT, "content": CONTENT["content"] + WORDS * (size // 9)}
        )
        store.messages.amend(thread, said.id, content=f"amended {WORDS}", reason=WORDS)
        store.messages.update(thread, said.id, name=f"other {WORDS}", idempotency_key="k")
        store.branches.label(thread, said.id, WORDS)
        last = store.threads.fork(thread).id
        store.messages.amend(last, said.id, content=f"in the fork {WORDS}")
        after = store.messages.create(thread, role="user", content="the one after")
        assert found_in(path)
        assert blobs_in(path) == (size > IN_ROW_BYTES_MAX)

        made = store.privacy.erase(thread, said.id)

        assert (made.pending, made.remains) == (False, ())
        assert found_in(path) == []
        assert blobs_in(path) == 0
        for message in others:
            assert store.messages.get(thread, message.id).text == message.text
            assert fork is not None
            assert store.messages.get(fork, message.id).text == message.text
        assert store.messages.get(thread, after.id).text == "the one after"
        assert store.projections.compare().ok
    assert found_in(path) == []
    with closing(sqlite3.connect(path)) as database:
        assert database.execute("PRAGMA integrity_check").fetchall() == [("ok",)]


def test_whatever_was_erased_in_whatever_order_is_gone(path):
    """Pages are split, merged and filled again meanwhile."""
    dice = random.Random(7)
    with ConversationStore.open(f"sqlite:///{path}") as store:
        thread = store.threads.create().id
        there = {}
        for number in range(150):
            word = f"<{number}:{dice.getrandbits(64):x}>"
            text = word + "y" * dice.choice([5, 300, 1_000, 4_100, 9_000, 40_000, 90_000])
            there[store.messages.create(thread, role="user", content=text).id] = word
            if number % 3 == 2:
                gone = dice.choice(list(there))
                store.privacy.erase(thread, gone)
                assert found_in(path, there.pop(gone)) == []
        for word in there.values():
            assert found_in(path, word)
        assert blobs_in(path)
        assert store.projections.compare().ok


def shown(store, *pieces):
    """A run that has shown some text; return the ids of its thread, its run and its message."""
    thread = store.threads.create(messages=[{"role": "user", "content": "why?"}])
    run = store.runs.create(thread.id)
    store.runs.start(thread.id, run.id)
    context = store.runs.context(thread.id, run.id)
    store.runs.steps.start(thread.id, run.id, context=context)
    message, offset = f"msg_{'5' * 32}", 0
    for piece in pieces:
        offset = store.runs.write_text(thread.id, run.id, piece, message_id=message, offset=offset)
    return thread.id, run.id, message


PIECES = [f"so {WORDS} ", "x" * 5_000, f"and {WORDS}"]


@pytest.mark.parametrize("end", ["a final message", "a take-over", "a failure"])
def test_text_that_was_shown_is_erased_with_its_message(path, end):
    with ConversationStore.open(f"sqlite:///{path}") as store:
        thread, run, message = shown(store, *PIECES)
        assert found_in(path)
        if end == "a final message":
            options = {"role": "assistant", "run_id": run, "message_id": message}
            store.messages.create(thread, content="".join(PIECES), **options)
        elif end == "a take-over":
            store.runs.start(thread, run, take_over=True)
        else:
            store.runs.fail(thread, run)
        assert ask(path, "SELECT count(*) FROM run_chunks") == [(0,)]
        assert store.privacy.erase(thread, message).remains == ()
        assert found_in(path) == []
        assert store.projections.compare().ok


def test_an_erasure_takes_text_along_that_a_run_is_showing(path):
    """The answer may repeat the words of the question that it saw."""
    with ConversationStore.open(f"sqlite:///{path}") as store:
        thread, run, message = shown(store, *PIECES)
        asked = store.messages.list(thread).data[0]
        along = store.runs.stream(thread, run)
        cursor = next(one.cursor for one in along if one.type == "message.delta")
        left = store.privacy.erase(thread, asked.id).copies
        assert [copy.id for copy in left] == [run]
        assert found_in(path)
        store.messages.create(thread, role="user", content="never mind", on_busy="enqueue")
        assert store.privacy.erase(thread, asked.id, include=["run"]).copies == ()
        assert ask(path, "SELECT count(*) FROM run_chunks") == [(0,)]
        assert found_in(path) == []
        with pytest.raises(Refused, match="beyond the text"):
            store.runs.write_text(thread, run, "more", message_id=message, offset=5_000)
        store.runs.start(thread, run, take_over=True)
        fence = store.runs.get(thread, run).fence
        store.messages.create(thread, role="assistant", content="so", run_id=run, fence=fence)
        store.runs.fail(thread, run, fence=fence)
        rest = list(store.runs.stream(thread, run, after=cursor))
        assert [one.text for one in rest if one.type == "message.delta"] == ["so"]
        assert found_in(path) == []


def test_a_purge_leaves_nothing_of_what_was_shown(path):
    with ConversationStore.open(f"sqlite:///{path}") as store:
        thread, run, _ = shown(store, *PIECES)
        with pytest.raises(Refused, match="has not ended"):
            store.privacy.purge(thread)
        store.runs.fail(thread, run)
        store.privacy.purge(thread)
        assert found_in(path) == []


@contextmanager
def reading(path):
    """Somebody who looks at the store as it was."""
    with closing(sqlite3.connect(path, isolation_level=None)) as reader:
        reader.execute("BEGIN")
        reader.execute("SELECT count(*) FROM events").fetchone()
        yield reader


def test_a_reader_keeps_the_text_in_the_log_and_asking_again_finishes_it(path):
    with ConversationStore.open(f"sqlite:///{path}") as store:
        thread = store.threads.create().id
        said = store.messages.create(thread, role="user", **CONTENT)
        with reading(path):
            made = store.privacy.erase(thread, said.id)
            assert made.pending
            assert "write-ahead log" in made.remains[0]
            assert store.messages.get(thread, said.id).erased
            assert found_in(path) == ["chat.db-wal"], "nobody could have seen it, so why wait"
            store.messages.create(thread, role="user", content="writers go on")
        again = store.privacy.erase(thread, said.id)
        assert (again.pending, again.remains, again.erased) == (False, (), made.erased)
        assert found_in(path) == []


def test_it_is_pending_until_the_applications_transaction_has_committed(path):
    with (
        engine_at(f"sqlite:///{path}") as engine,
        ConversationStore.open(f"sqlite:///{path}") as store,
    ):
        thread = store.threads.create().id
        said = store.messages.create(thread, role="user", **CONTENT)
        with engine.connect() as connection:
            made = store.privacy.erase(thread, said.id, connection=connection)
            assert made.pending
            connection.rollback()
        assert store.messages.get(thread, said.id).name == WORDS
        with engine.begin() as connection:
            store.privacy.erase(thread, said.id, connection=connection)
        assert store.messages.get(thread, said.id).erased
        assert not store.privacy.erase(thread, said.id).pending
        assert found_in(path) == []


def test_search_forgets_it_and_it_is_pending_until_then(path):
    with ConversationStore.open(f"sqlite:///{path}") as store:
        store.projections.register(MessageSearch())
        thread, _ = talk(store, 30)
        said = store.messages.create(thread, role="user", **CONTENT)
        store.projections.catch_up()
        fork = store.threads.fork(thread).id
        store.messages.amend(thread, said.id, content=f"amended {WORDS}")
        store.messages.amend(fork, said.id, content=f"in the fork {WORDS}")
        store.projections.catch_up()

        def hits(word):
            return list(store.projections.read("search", search(word)))

        assert len(hits(WORDS)) == 2
        made = store.privacy.erase(thread, said.id)
        assert (made.pending, made.remains) == (
            True,
            ("the projection search, until it has caught up",),
        )
        store.projections.catch_up()
        assert hits(WORDS) == []
        assert len(hits("said 7")) == 1
        assert store.privacy.erase(thread, said.id).remains == ()
        assert found_in(path) == []
        store.messages.amend(fork, said.id, content="new words")
        store.projections.catch_up()
        assert [hit.thread_id for hit in hits("new words")] == [fork]
        store.projections.rebuild(projection="search")
        store.projections.catch_up()
        assert [hit.thread_id for hit in hits("new words")] == [fork]
        assert hits(WORDS) == []


def retitled(store, thread, _):
    store.threads.update(thread, title=WORDS, subject="alice")
    store.projections.catch_up()
    store.threads.update(thread, title="Bob's", subject="bob")
    return lambda: store.privacy.erase(subject="alice")


def reworded(store, thread, said):
    store.messages.amend(thread, said, content=WORDS, subject="alice")
    store.projections.catch_up()
    store.messages.amend(thread, said, content="Bob's", subject="bob")
    return lambda: store.privacy.erase(subject="alice")


def purged(store, thread, said):
    store.messages.amend(thread, said, content=WORDS)
    return lambda: store.tenants.purge("")


@pytest.mark.parametrize("life", [retitled, reworded, purged])
def test_search_keeps_no_word_of_what_was_replaced_before_or_purged(path, life):
    with ConversationStore.open(f"sqlite:///{path}") as store:
        store.projections.register(MessageSearch())
        thread, messages = talk(store, 3)
        finish = life(store, thread, messages[0].id)
        store.projections.catch_up()
        assert found_in(path)
        assert finish().pending
        store.projections.catch_up()
        assert finish().remains == ()
        assert found_in(path) == []


def test_an_engine_that_does_not_overwrite_is_told_of(path):
    engine = create_engine(f"sqlite:///{path}")
    event.listen(engine, "connect", lambda driver, _: driver.execute("PRAGMA secure_delete = OFF"))
    with ConversationStore.open(engine, durability="as_is") as store:
        thread = store.threads.create().id
        said = store.messages.create(thread, role="user", **CONTENT)
        made = store.privacy.erase(thread, said.id)
        assert not made.pending, "asking again does not help"
        assert "VACUUM" in made.remains[0]
        assert found_in(path)
        with engine.connect() as connection:
            connection.exec_driver_sql("VACUUM")
        assert found_in(path) == []
    engine.dispose()


def test_in_memory_there_is_nothing_to_wipe():
    with ConversationStore.open("sqlite://") as store:
        thread = store.threads.create().id
        said = store.messages.create(thread, role="user", **CONTENT)
        made = store.privacy.erase(thread, said.id)
        assert (made.pending, made.remains) == (False, ())


def test_wiping_leaves_a_connection_as_it_was(path):
    with engine_at(f"sqlite:///{path}", pool_size=1) as engine:
        with ConversationStore.open(engine) as store:
            thread = store.threads.create().id
            said = store.messages.create(thread, role="user", **CONTENT)
            store.privacy.erase(thread, said.id)
        with engine.connect() as connection:
            assert connection.exec_driver_sql("PRAGMA busy_timeout").scalar() == 30_000
        assert found_in(path) == []


def test_followers_in_the_same_process_are_told_of_an_erasure():
    """In memory nobody else could tell them."""
    with ConversationStore.open("sqlite://") as store:
        thread = store.threads.create().id
        said = store.messages.create(thread, role="user", **CONTENT)
        changed = store._executor.changed  # noqa: SLF001 (what every follower waits on)
        before = changed.mark
        store.privacy.erase(thread, said.id)
        assert changed.mark != before
        before = changed.mark
        store.privacy.erase(thread, said.id)
        assert changed.mark == before, "nothing was appended"
