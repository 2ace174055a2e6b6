"""A rebuild holds nobody up, and whoever writes meanwhile never decides on half of it."""

from contextlib import suppress

import pytest

from eventstore import ConversationStore, ConversationStoreError
from eventstore.api.operations import projections
from tests.projections.vandals import TABLES, contents, vandal

LONG = 700
"""Messages of a thread that takes several slices."""


class Steps:
    """A rebuild, a transaction at a time."""

    def __init__(self, store, thread):
        self._store = store
        self._walk = projections.rebuild(store.scope, thread).walk
        self._place = self._walk.first
        self.counts = []

    def __iter__(self):
        while self._place is not None:
            operation = self._walk.page(self._place)
            counts, self._place = self._store.perform(operation)
            self.counts += counts
            yield type(operation).__name__


@pytest.fixture
def path(tmp_path):
    return tmp_path / "chat.db"


@pytest.fixture
def store(path):
    with ConversationStore.open(f"sqlite:///{path}") as opened:
        yield opened


@pytest.fixture
def long(store):
    thread = store.threads.create(title="long").id
    drafts = [
        {"role": "user", "content": f"words {n}", "external_id": f"x{n}"} for n in range(LONG)
    ]
    trunk = [message.id for message in store.messages.create_many(thread, drafts)]
    store.messages.amend(thread, trunk[5], content="reworded")
    store.messages.edit(thread, trunk[9], content="otherwise")
    store.branches.select(thread, trunk[-1])
    return thread


def say(store, thread, words="meanwhile"):
    return store.messages.create(thread, role="user", content=words).id


def lose(path, thread, *tables):
    with vandal(path) as connection:
        for table in tables:
            connection.execute(
                f"DELETE FROM {table} WHERE thread = x'{thread.removeprefix('thread_')}'"
            )


def test_a_thread_that_is_right_is_looked_at_and_not_locked(store, long):
    assert [*Steps(store, long)] == ["Read"]


def test_few_rows_are_written_in_one_transaction(store, path, long):
    before = contents(path)
    lose(path, long, "touches", "branch_points")
    assert [*Steps(store, long)] == ["Read", "Write"]
    assert contents(path) == before


def test_many_rows_are_written_in_slices_and_other_threads_are_written_between(store, path, long):
    before = contents(path)
    other = store.threads.create().id
    lose(path, long, "messages", "external_ids", "segments")
    steps = Steps(store, long)
    for number, _ in enumerate(steps):
        say(store, other, f"between {number}")
    assert number > 2
    assert store.threads.get(other).version == number + 2
    store.privacy.purge(other)
    found = contents(path)
    assert {table: found[table] for table in TABLES} == {table: before[table] for table in TABLES}
    assert store.projections.compare().ok


@pytest.mark.parametrize("tables", [["touches"], ["segments", "branch_points"], ["messages"]])
@pytest.mark.parametrize("moment", range(3))
def test_whenever_somebody_appends_it_is_right_in_the_end(store, path, long, tables, moment):
    lose(path, long, *tables)
    for number, _ in enumerate(Steps(store, long)):
        if number == moment:
            with suppress(ConversationStoreError, LookupError):  # the rows may be beyond that
                say(store, long)
            with (
                ConversationStore.open(f"sqlite:///{path}") as other,
                suppress(ConversationStoreError, LookupError),
            ):
                other.messages.create(long, role="user", content="a root", parent_id=None)
    assert store.projections.compare(long).ok
    assert store.messages.list(long, limit=1, order="desc").data


def test_nobody_decides_on_rows_of_which_only_some_are_right(store, path, long):
    last = store.messages.list(long, limit=1, order="desc").data[0].id
    lose(path, long, "messages")
    steps = iter(Steps(store, long))
    assert [next(steps) for _ in range(3)] == ["Read", "Write", "Write"]
    assert not store.projections.compare(long).ok
    said = store.messages.create(long, role="user", content="meanwhile")
    assert said.parent_id == last
    assert store.projections.compare(long).ok
    assert [*steps] == ["Write", "Read"]  # which sees that somebody was faster


def test_a_rebuild_that_was_interrupted_is_run_again(store, path, long):
    before = contents(path)
    lose(path, long, "messages")
    steps = iter(Steps(store, long))
    assert [next(steps) for _ in range(3)] == ["Read", "Write", "Write"]
    with ConversationStore.open(f"sqlite:///{path}") as other:
        other.projections.rebuild()
    assert contents(path) == before


def test_two_rebuilds_do_not_meet(store, path, long):
    before = contents(path)
    lose(path, long, "messages", "touches")
    steps = [iter(Steps(store, long)) for _ in range(2)]
    while steps:
        steps = [one for one in steps if next(one, None)]
    assert contents(path) == before


def test_a_thread_that_is_written_to_all_the_time_is_rebuilt_at_last(store, path, long):
    """More is appended each time than is folded under the lock."""
    lose(path, long, "touches")
    said = [{"role": "user", "content": f"more {n}"} for n in range(120)]
    kinds = []
    for kind in Steps(store, long):
        kinds.append(kind)
        if kind == "Read":
            store.messages.create_many(long, said)
    assert kinds == ["Read", "Write"] * 4 + ["Write"]
    assert store.projections.compare(long).ok


def test_a_slice_takes_the_same_in_a_short_thread_and_in_a_long_one(effort, tmp_path):
    held = []
    for count in (700, 1_400):
        path = tmp_path / f"{count}.db"
        with ConversationStore.open(f"sqlite:///{path}") as store:
            thread = store.threads.create().id
            drafts = [{"role": "user", "content": f"words {n}"} for n in range(count)]
            store.messages.create_many(thread, drafts)
            right = effort(store.projections.rebuild, thread)
            lose(path, thread, "messages")
            lost = effort(store.projections.rebuild, thread)
            assert store.projections.compare(thread).ok
        held.append((right.held, lost.held))
    assert [one for one, _ in held] == [0, 0]
    assert held[1][1] <= 1.2 * held[0][1]
