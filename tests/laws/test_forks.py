"""Law 6 where it is narrow: a fork counts, turns and batches as if its path were its own."""

import inspect
import sys

import pytest

from eventstore import ConversationStore, InvalidInput, Limits, MessageNotFound


@pytest.fixture
def store():
    with ConversationStore.open("sqlite://") as opened:
        yield opened


def talk(store, *texts):
    thread = store.threads.create().id
    made = [store.messages.create(thread, role="assistant", content=text).id for text in texts]
    return thread, made


def place(store, thread, message):
    found = store.messages.get(thread, message)
    return found.sibling_index, found.sibling_count


def path(store, thread):
    return [message.id for message in store.messages.list(thread)]


def test_the_third_of_three_answers_is_the_only_one_in_a_fork(store):
    source, (asked, first) = talk(store, "Why?", "Because.")
    store.messages.regenerate(source, first, content="So that.")
    third = store.messages.regenerate(source, first, content="Who knows.").id
    assert place(store, source, third) == (3, 3)
    fork = store.threads.fork(source).id
    assert place(store, fork, third) == (1, 1)
    other = store.messages.regenerate(fork, third, content="Nobody.").id
    assert (place(store, fork, third), place(store, fork, other)) == ((1, 2), (2, 2))
    assert path(store, fork) == [asked, other]


def test_an_inherited_root_has_the_roots_of_the_fork_as_siblings(store):
    source, (root, _) = talk(store, "Why?", "Because.")
    fork = store.threads.fork(source).id
    edited = store.messages.edit(fork, root, content="How?").id
    assert (place(store, fork, root), place(store, fork, edited)) == ((1, 2), (2, 2))
    assert [one.id for one in store.branches.siblings(fork, edited)] == [root, edited]
    assert place(store, source, root) == (1, 1)


def test_an_inherited_root_that_is_removed_and_restored_has_the_head_below_it_again(store):
    source, (root, last) = talk(store, "Why?", "Because.")
    fork = store.threads.fork(source).id
    store.messages.remove(fork, root)
    assert store.threads.get(fork).head_id is None
    store.messages.restore(fork, root)
    assert store.threads.get(fork).head_id == last


def test_the_path_goes_on_to_the_first_child_as_it_would_in_the_source(store):
    source, (*_, last) = talk(store, "Why?", "Because.")
    fork = store.threads.fork(source).id
    for thread in (source, fork):
        new = store.messages.create(thread, role="user", content="Draft", select=False).id
        assert store.branches.select(thread, last).leaf_id == new


def test_a_batch_that_touches_an_inherited_message_still_sees_what_follows_it(store):
    """The inherited row bears version 3, of the source; so does the event that removes it here."""
    source, (_, second, third) = talk(store, "one", "two", "three")
    fork = store.threads.fork(source).id
    with store.threads.batch(fork) as batch:
        batch.messages.create(role="user", content="another root", parent_id=None)
        batch.messages.remove(second)
        batch.messages.restore(second)
        selected = batch.branches.select(second)
    assert selected.object.leaf_id == third


def test_a_thread_inherits_nothing_of_a_fork_of_the_same_id_that_was_refused():
    limits = Limits(content_bytes_max=100)
    with ConversationStore.open("sqlite://", limits=limits) as store:
        source, (root,) = talk(store, "Why?")
        named = f"thread_{7:032x}"
        with pytest.raises(InvalidInput):  # its event was decided on, and is too large
            store.threads.fork(source, fork_id=named, reason="x" * 200)
        store.threads.create(thread_id=named)
        with pytest.raises(MessageNotFound):
            store.messages.amend(named, root, content="Not mine.")
        assert store.messages.create(named, role="user", content="First.").parent_id is None
        assert store.projections.compare().findings == ()


def test_no_depth_of_forks_is_too_much_to_fold():
    """Python's own limit would be met where each fork is folded inside the fold of the next."""
    with ConversationStore.open("sqlite://") as store:
        thread = store.threads.create().id
        store.messages.create(thread, role="user", content="Why?")
        for n in range(30):
            thread = store.threads.fork(thread).id
            store.messages.create(thread, role="user", content=str(n))
        before = store.replay.state(thread).value()
        limit, depth = sys.getrecursionlimit(), len(inspect.stack(0))
        sys.setrecursionlimit(depth + 80)
        try:
            folded = store.replay.state(thread)
        finally:
            sys.setrecursionlimit(limit)
        assert folded.value() == before
        assert store.projections.compare(thread).ok


@pytest.mark.parametrize("hops", [1, 3])
@pytest.mark.parametrize("edited", [0, 2])
def test_the_path_goes_on_along_what_is_inherited_once_that_was_selected(store, hops, edited):
    """Wherever the fork had turned off before: at the root, or at an inner message."""
    thread, said = talk(store, "one", "two", "three", "four")
    for hop in range(hops):
        thread = store.threads.fork(thread).id
        said.append(store.messages.create(thread, role="assistant", content=f"more {hop}").id)
    fork = store.threads.fork(thread).id
    other = store.messages.edit(fork, said[edited], content="otherwise").id
    above = said[edited - 1] if edited else None
    if above:
        assert store.branches.select(fork, above).leaf_id == other
    assert store.branches.select(fork, said[-1]).leaf_id == said[-1]
    assert store.branches.select(fork, above or said[0]).leaf_id == said[-1]
    assert store.branches.select(fork, other).leaf_id == other
    if above:
        assert store.branches.select(fork, above).leaf_id == other
    store.messages.remove(fork, other)
    assert store.projections.compare(fork).findings == ()
    assert [branch.leaf_id for branch in store.branches.list(fork)] == [said[-1]]
