"""Content over 32 KiB stands in a table of its own, and nobody who reads it can tell."""

import sqlite3
from contextlib import closing
from functools import partial

import pytest

from eventstore import (
    BrokenChain,
    ConversationStore,
    InvalidInput,
    Refused,
    StoreUnavailable,
)
from eventstore.core.events import StreamKey
from eventstore.core.ids import THREAD
from eventstore.storage import blobs, read, whole_store
from eventstore.storage.sqlite import SqliteDatabase
from eventstore.storage.transaction import Naming
from eventstore.testing.faults import Faults, failing
from tests.concurrency.schedules import outcome
from tests.storage.lives import ask, environment, full_life

KIB = 1024
BESIDE = 11
"""Bytes of a content beside one text of this size: its map, its name, its list, the lengths."""
CALLS_MAX = 60
AT_ONCE = 32
"""Blobs that are asked for together."""


def long(stored, letter="x"):
    """A text whose content has a size as it is stored."""
    return letter * (stored - BESIDE)


def say(store, thread, text, **options):
    return store.messages.create(thread, role="user", content=text, **options)


def sizes(path, table):
    return [
        size
        for (size,) in ask(path, f"SELECT length(content) FROM {table} ORDER BY stream, version")
    ]


def by_hand(path, *statements):
    """Change a database with SQL, where triggers allow it or are taken away."""
    with closing(sqlite3.connect(path)) as database:
        for statement in statements:
            database.execute(statement)
        database.commit()


@pytest.fixture
def url(path):
    return f"sqlite:///{path}"


@pytest.fixture
def faults():
    return Faults()


@pytest.fixture
def opened(url, faults):
    with ConversationStore.open(url, connect_args=faults.connect_args) as store:
        yield store


# -- where it stands -------------------------------------------------------------------------------


def test_up_to_32_kib_it_stands_in_its_row_and_one_byte_more_does_not(opened, path):
    thread = opened.threads.create().id
    for size in (32 * KIB - 1, 32 * KIB, 32 * KIB + 1):
        assert say(opened, thread, long(size)).text == long(size)
    assert sizes(path, "events")[1:] == [32 * KIB - 1, 32 * KIB, 0]
    assert sizes(path, "blobs") == [32 * KIB + 1]
    rows = ask(path, "SELECT length(salt), commitment FROM events WHERE version > 1")
    assert rows == [(32, None)] * 3


@pytest.mark.parametrize("most", [1, 40, 2**30])
def test_no_hash_depends_on_it(path, monkeypatch, most):
    def hashes(name):
        with ConversationStore.open(f"sqlite:///{name}", environment=environment()) as store:
            full_life(store)
        return ask(name, "SELECT hash, commitment, salt FROM events ORDER BY position")

    usual = hashes(path)
    monkeypatch.setattr(blobs, "IN_ROW_BYTES_MAX", most)
    other = path.with_name("other.db")
    assert hashes(other) == usual
    assert (
        ask(path, "SELECT count(*) FROM blobs") == ask(other, "SELECT count(*) FROM blobs")
    ) is False


def test_several_of_one_batch_are_written_a_few_megabytes_at_a_time(opened, path, faults):
    thread = opened.threads.create().id
    said = [letter * (1024 * KIB) for letter in "abcdefghi"]
    with faults.watched() as calls:
        opened.messages.create_many(
            thread, [{"role": "user", "content": text} for text in ("first", *said, "last")]
        )
    assert [m.text for m in opened.messages.list(thread)] == ["first", *said, "last"]
    assert len(sizes(path, "blobs")) == len(said)
    written = [call for call in calls if call.startswith('INSERT OR FAIL INTO "blobs"')]
    assert len(written) == 3, "four, four, and the last one"


def test_the_most_that_is_taken_is_16_mib_and_what_is_refused_leaves_nothing(opened, path):
    thread = opened.threads.create().id
    most = 16 * KIB * KIB
    beside = BESIDE + 2  # a longer text has a longer length before it
    said = say(opened, thread, "x" * (most - beside))
    with pytest.raises(InvalidInput, match="16777216 allowed"):
        say(opened, thread, "x" * (most - beside + 1))
    assert sizes(path, "blobs") == [most]
    assert opened.messages.get(thread, said.id).text == said.text


def test_what_is_refused_after_it_takes_it_along(opened, path):
    thread = opened.threads.create().id
    drafts = [
        {"role": "user", "content": long(40 * KIB)},
        {"role": "tool", "content": [{"type": "tool_result", "call_id": "c", "output": "x"}]},
    ]
    with pytest.raises(Refused):
        opened.messages.create_many(thread, drafts)
    assert sizes(path, "blobs") == []
    assert opened.threads.get(thread).version == 1


@pytest.mark.parametrize("when", ["before", "after"])
def test_a_call_that_fails_leaves_neither_the_event_nor_its_blob(opened, path, faults, when):
    thread = opened.threads.create().id
    said: list[str] = []
    struck = []
    for n in range(1, CALLS_MAX):
        text = long(33 * KIB, chr(64 + n))
        with faults.at(n, failing("SQLITE_FULL"), when=when) as calls:
            told = outcome(partial(say, opened, thread, text))
        if len(calls) < n or (calls[n - 1] == "COMMIT" and when == "after"):
            said.append(text)
        else:
            assert isinstance(told, StoreUnavailable), calls[n - 1]
        assert sizes(path, "blobs") == [33 * KIB] * len(said), calls[n - 1]
        assert sizes(path, "events")[1:] == [0] * len(said)
        struck += calls[n - 1 : n]
        if len(calls) < n:
            break
    assert any(call.startswith('INSERT OR FAIL INTO "blobs"') for call in struck)
    assert [m.text for m in opened.messages.list(thread)] == said


# -- what it costs to read -------------------------------------------------------------------------


READS = {
    "messages": lambda s, t: [m.text for m in s.messages.list(t)],
    "the past": lambda s, t: [m.text for m in s.messages.list(t, at_version=AT_ONCE + 1)],
    "events": lambda s, t: [(e.content or {}).get("parts") for e in s.events.read(t)],
    "backwards": lambda s, t: [e.hash for e in s.events.read(t, backwards=True)],
    "everything": lambda s, _: [e.hash for e in s.events.read_all()],
    "steps": lambda s, t: [step.event.hash for step in s.replay.steps(t)],
}


MEASURED = READS.keys() - {"messages", "the past"}
"""Pages of the log hold so many bytes and no more; a page of messages what was asked for."""


def asked(faults, act):
    with faults.watched() as calls:
        act()
    return [call for call in calls if call.startswith("SELECT")]


@pytest.mark.parametrize("way", READS)
def test_a_page_of_small_contents_asks_nothing_more_and_one_of_large_contents_once(
    opened, faults, way
):
    small, large = opened.threads.create().id, opened.tenant("other").threads.create().id
    for n in range(AT_ONCE):
        say(opened, small, str(n))
        say(opened.tenant("other"), large, long(33 * KIB, chr(65 + n)))
    look = READS[way]
    look(opened, small)  # names of tenants and categories are known from here on
    look(opened.tenant("other"), large)
    before = asked(faults, lambda: look(opened, small))
    assert not any("blobs" in call for call in before)
    after = asked(faults, lambda: look(opened.tenant("other"), large))
    among = [call for call in after if "blobs" in call]
    measured = [call for call in among if "length(content)" in call]
    assert len(measured) == (way in MEASURED)
    assert len(among) - len(measured) == 1
    assert len(after) == len(before) + len(among)


@pytest.mark.parametrize("count", [1, 2, 3, 31, 32, 33, 65])
def test_however_many_there_are_each_is_found(path, url, monkeypatch, count):
    monkeypatch.setattr(blobs, "IN_ROW_BYTES_MAX", 20)
    with ConversationStore.open(url) as store:
        threads = [store.threads.create().id for _ in range(3)]
        said = [f"{n}: not so short" for n in range(count)]
        for n, text in enumerate(said):
            say(store, threads[n % 3], text)
        told = [
            (e.content or {})["parts"] for e in store.events.read_all() if e.type == "MessageAdded"
        ]
        assert told == [[text] for text in said]
    assert len(sizes(path, "blobs")) == count


@pytest.mark.usefixtures("opened")
def test_each_blob_is_found_by_its_key_however_many_are_asked_for(path):
    with closing(sqlite3.connect(path)) as database:
        for count in (1, AT_ONCE):
            where = " OR ".join(
                ["(tenant = 1 AND category = 1 AND stream = ? AND version = 1)"] * count
            )
            plan = database.execute(
                f"EXPLAIN QUERY PLAN SELECT content FROM blobs WHERE {where}", [b"x"] * count
            ).fetchall()
            steps = [step[3] for step in plan]
            assert not any(step.startswith("SCAN") for step in steps)
            assert sum("SEARCH blobs USING INDEX" in step for step in steps) == count


# -- what is not there -----------------------------------------------------------------------------


def test_a_blob_that_is_missing_is_told_and_never_read_as_erased(opened, path):
    thread = opened.threads.create().id
    said = say(opened, thread, long(40 * KIB))
    by_hand(path, "DROP TRIGGER blobs_no_delete", "DELETE FROM blobs")
    for act in (
        lambda: opened.messages.list(thread),
        lambda: opened.messages.get(thread, said.id),
        lambda: list(opened.events.read(thread)),
        lambda: list(opened.events.read_all()),
        lambda: opened.replay.state(thread),
        lambda: opened.privacy.erase(thread, said.id),
    ):
        with pytest.raises(BrokenChain, match="among the blobs") as told:
            act()
        assert (told.value.stream_id, told.value.version) == (thread, 2)


class Between:
    """A transaction in which every statement sees what is committed by then, as on PostgreSQL.

    Before the first look at the blobs something happens elsewhere.
    """

    def __init__(self, path, act):
        self._driver = sqlite3.connect(path, isolation_level=None)
        database = SqliteDatabase(
            Naming(), migrate="off", busy_timeout_seconds=1, check_connections=False
        )
        self._inner = database.on_driver(self._driver)
        self._act = act

    def all(self, sql, parameters=()):
        if "{blobs}" in sql and self._act is not None:
            act, self._act = self._act, None
            act()
        return self._inner.all(sql, parameters)

    def __getattr__(self, name):
        return getattr(self._inner, name)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._driver.close()


def test_what_is_erased_between_two_statements_is_read_as_erased(opened, path):
    thread = opened.threads.create().id
    said = [say(opened, thread, long(40 * KIB, letter)) for letter in "ab"]
    key = StreamKey("", THREAD, bytes.fromhex(thread.removeprefix("thread_")))
    with Between(path, lambda: opened.privacy.erase(thread, said[0].id)) as tx:
        _, gone, there, erased = read.read_page(tx, key)
    assert (gone.content, gone.salt, len(gone.commitment or b"")) == (None, None, 32)
    assert (len(there.content or b""), there.commitment) == (40 * KIB, None)
    assert erased.type == "ContentErased"


def test_what_is_purged_between_two_statements_is_not_there(opened, path):
    thread, other = opened.threads.create().id, opened.threads.create().id
    say(opened, thread, long(40 * KIB))
    say(opened, other, long(40 * KIB, "o"))
    with Between(path, lambda: opened.privacy.purge(thread)) as tx:
        found = whole_store.read_all(tx, whole_store.Filter()).events
    assert [e.type for e in found] == ["ThreadCreated", "MessageAdded", "ThreadPurged"]
    assert len(found[1].content or b"") == 40 * KIB


# -- how it goes -----------------------------------------------------------------------------------


def test_it_goes_with_the_content_of_its_event_and_with_its_stream(opened, path):
    thread, other = opened.threads.create().id, opened.threads.create().id
    said = [say(opened, thread, long(size * KIB)) for size in (33, 34, 1)]
    say(opened, other, long(35 * KIB))
    assert sizes(path, "blobs") == [33 * KIB, 34 * KIB, 35 * KIB]
    opened.privacy.erase(thread, said[0].id)
    assert sizes(path, "blobs") == [34 * KIB, 35 * KIB]
    opened.privacy.purge(thread)
    assert sizes(path, "blobs") == [35 * KIB]
