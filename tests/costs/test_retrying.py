"""A retry costs what its answer takes, whatever was written before and since."""

import pytest

from eventstore import ConversationStore
from tests.costs.talking import talk
from tests.effort import assert_flat

FEW, MANY = 60, 600


@pytest.fixture
def store(effort):
    del effort  # it counts on stores that are opened after it
    with ConversationStore.open("sqlite://") as opened:
        yield opened


def say(store, thread, **options):
    return store.messages.create(thread, role="user", content="once", **options)


def touched(store, thread):
    """A message that was sent with a key, in the middle of a life of its own."""
    made = say(store, thread, idempotency_key="k")
    store.messages.amend(thread, made.id, content="reworded")
    other = store.messages.edit(thread, made.id, content="otherwise")
    store.messages.remove(thread, made.id)
    store.messages.remove(thread, other.id)
    return lambda: say(store, thread, idempotency_key="k")


def updated(store, thread):
    def act():
        return store.threads.update(thread, title="Plans", idempotency_key="k")

    act()
    store.threads.archive(thread)
    store.threads.unarchive(thread)
    return act


def selected(store, thread):
    made = say(store, thread, parent_id=None)
    store.branches.label(thread, made.id, "mine")
    first = store.branches.tree(thread).nodes[0].message.id

    def act():
        return store.branches.select(thread, made.id, idempotency_key="k")

    store.branches.select(thread, first)
    act()
    return act


def run(store, thread):
    made = store.runs.create(thread).id

    def act():
        return store.runs.start(thread, made, idempotency_key="k")

    act()
    store.messages.create(thread, role="assistant", content="said", run_id=made)
    store.runs.complete(thread, made)
    return act


def forked(store, thread):
    def act():
        return store.threads.fork(thread, idempotency_key=f"fork {thread}")

    act()
    return act


ACTS = [touched, updated, selected, run, forked]


@pytest.mark.parametrize("act", ACTS)
def test_it_takes_the_same_after_few_messages_and_after_many(store, effort, act):
    counts = []
    for count in (FEW, MANY):
        thread, _ = talk(store, count)
        again = act(store, thread)
        store.messages.create_many(
            thread, [{"role": "user", "content": f"later {n}"} for n in range(count)]
        )
        first = again()
        counts.append(effort(again))
        assert again() == first
    assert_flat(*counts)


@pytest.mark.parametrize("act", ACTS)
def test_a_page_of_the_past_takes_the_same_in_a_short_thread_and_in_a_long_one(store, effort, act):
    counts = []
    for count in (FEW, MANY):
        thread, _ = talk(store, count)
        act(store, thread)
        version = store.threads.get(thread).version
        store.messages.create_many(
            thread, [{"role": "user", "content": f"later {n}"} for n in range(count)]
        )
        asked = {"at_version": version, "limit": 10, "order": "desc"}
        counts.append(effort(store.messages.list, thread, **asked))
        past = store.replay.state(thread, at_version=version).messages
        assert store.messages.list(thread, **asked).data == past[:-11:-1]
        assert store.messages.list(thread, at_version=version).data == past
    assert_flat(*counts)
