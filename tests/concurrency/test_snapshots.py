"""Snapshots that writers leave change nothing, whoever writes, is struck or is killed meanwhile."""

import os
import signal
from random import Random

import pytest

from eventstore import AsyncConversationStore, ConversationStore
from eventstore.threads import folding, leaving
from tests.concurrency.schedules import Child, at_once, signals
from tests.concurrency.test_struck_anywhere import Scene, hold_cancellations, moments, scene
from tests.laws.test_snapshots import compare

SAMPLE = 25
KILLED_AFTER = 60


@pytest.fixture(autouse=True)
def _always(monkeypatch):
    """One is due after every third event, and each event leaves one then."""
    monkeypatch.setattr(leaving, "SPAN", 3)
    monkeypatch.setattr(folding, "EVENTS_MAX", 1)
    monkeypatch.setattr(folding, "size_of", lambda _: 0)
    monkeypatch.setattr(leaving, "_has_more_rows", lambda *_: False)


def hold(store, thread):
    """Hold every state that goes on from a snapshot to the one that the events give."""
    compare(store, thread, backwards=False)
    store.threads.create()  # writes what waits
    assert store.audit.verify().findings == ()
    assert store.projections.compare().findings == ()


def act(store, thread, said, number):
    if number % 3:
        store.messages.amend(thread, said, content=f"words {number}")
    elif number % 2:
        store.threads.update(thread, title=f"title {number}")
    else:
        store.messages.create(thread, role="user", content=f"more {number}")


def begun(store):
    thread = store.threads.create().id
    return thread, store.messages.create(thread, role="user", content="words").id


def test_many_threads_leave_what_one_would(tmp_path):
    url = f"sqlite:///{tmp_path}/chat.db"
    with ConversationStore.open(url) as store, ConversationStore.open(url) as beside:
        thread, said = begun(store)

        def write(number):
            for n in range(15):
                act((store, beside)[number % 2], thread, said, n)

        at_once(4, write)
        hold(store, thread)


def test_a_process_that_is_killed_leaves_none_that_lies(tmp_path):
    url = f"sqlite:///{tmp_path}/chat.db"
    with ConversationStore.open(url) as store:
        thread, said = begun(store)
    with signals(2) as (half, _):

        def write():
            with ConversationStore.open(url) as own:
                for n in range(10 * KILLED_AFTER):
                    act(own, thread, said, n)
                    if n == KILLED_AFTER:
                        half.give()
                os.kill(os.getpid(), signal.SIGKILL)

        writing = Child(write)
        half.wait()
        writing.kill()
        assert writing.wait() == -signal.SIGKILL
    with ConversationStore.open(url) as store:
        assert store.threads.get(thread).version > KILLED_AFTER
        assert store.audit.verify().findings == ()
        versions = [one.version for one in store.events.read(thread)]
        assert versions == [*range(1, len(versions) + 1)]
        steps = [*store.replay.steps(thread)]
        for version in (3, 4, KILLED_AFTER, versions[-1]):
            told = store.replay.state(thread, at_version=version).value()
            assert told == steps[version - 1].state.value()


def test_a_write_that_is_struck_while_it_leaves_one_is_like_any_other(tmp_path, monkeypatch):
    monkeypatch.setattr(leaving, "SPAN", 1)
    random = Random(5)
    with scene("file", tmp_path) as made:
        count = moments(Scene.struck, made)
        for _ in range(SAMPLE):
            Scene.struck(made, random.randint(1, count))
        hold(made.store, made.thread_id)


async def test_so_is_one_of_a_task_that_is_cancelled_at_any_turn(tmp_path, monkeypatch):
    monkeypatch.setattr(leaving, "SPAN", 1)
    async with AsyncConversationStore.open(f"sqlite+aiosqlite:///{tmp_path}/chat.db") as store:
        await hold_cancellations(store, 25)
        assert (await store.audit.verify()).findings == ()
