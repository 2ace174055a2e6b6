"""A tree that was read at once is the one that is found by asking for each row."""

import random

import pytest

from eventstore import ConversationStore
from eventstore.api.operations.loaders import live_thread, thread_key
from eventstore.api.operations.operation import Read
from eventstore.conversation.present import message_value
from eventstore.core import ids
from eventstore.threads import paths
from tests.concurrency.schedules import outcome
from tests.laws.lives import go_on, live


@pytest.fixture
def store():
    with ConversationStore.open("sqlite://") as opened:
        yield opened


def by_key(store, thread):
    """The messages of a tree in order, and the ids of its leaves, each row asked for by itself."""

    def look(tx):
        view = live_thread(tx, store.scope, thread_key(store.scope, thread))
        rows = paths.visible_tree(view)
        parents = {row.parent_id for row in rows}
        leaves = [row.message_id for row in rows if row.message_id not in parents]
        found = [message_value(view, row) for row in rows]
        return found, [ids.show(ids.MESSAGE, leaf) for leaf in leaves]

    return store.perform(Read(look))


def assert_same(store, threads):
    for thread in threads:
        messages, leaves = by_key(store, thread)
        tree = store.branches.tree(thread)
        assert [node.message for node in tree.nodes] == messages
        active = [node.message.id for node in tree.nodes if node.active]
        assert active == [message.id for message in store.messages.list(thread)]
        assert [branch.leaf_id for branch in store.branches.list(thread)] == leaves


@pytest.mark.parametrize("seed", range(12))
def test_whatever_happened_to_threads_and_their_forks(store, seed):
    threads = live(store, seed, writes=90)
    assert_same(store, threads)
    dice = random.Random(seed)
    for thread in dice.sample(threads, len(threads) // 2):
        purged = outcome(lambda: store.privacy.purge(thread))  # noqa: B023
        if not isinstance(purged, Exception):
            threads.remove(thread)
    assert_same(store, threads)
    go_on(store, dice, threads, range(100, 140), lambda _: None)
    assert_same(store, threads)
    assert len(threads) > 1


def test_what_a_source_said_after_the_fork_is_not_in_it(store):
    thread = store.threads.create().id
    said = [store.messages.create(thread, role="user", content=word).id for word in "abc"]
    store.messages.amend(thread, said[0], content="a, amended")
    fork = store.threads.fork(thread).id
    for message in said:
        store.messages.amend(thread, message, content="too late")
    store.messages.amend(fork, said[1], content="b in the fork")
    further = store.threads.fork(fork).id
    store.messages.amend(fork, said[2], content="too late, too")
    store.messages.remove(further, said[2])
    assert_same(store, [thread, fork, further])
    texts = [node.message.text for node in store.branches.tree(further).nodes]
    assert texts == ["a, amended", "b in the fork"]
