"""What is removed, amended or branched off costs those who look at it, and nobody beside it."""

import pytest

from eventstore import ConversationStore
from eventstore.threads.removed import REMOVED_MAX
from tests.effort import Effort, assert_flat

FEW, MANY = 150, 600


@pytest.fixture
def store(effort):
    del effort  # it counts on stores that are opened after it
    with ConversationStore.open("sqlite://") as opened:
        yield opened


def talk(store, count):
    """A thread, and the ids of its messages."""
    thread = store.threads.create().id
    drafts = [{"role": "user", "content": f"words {n}"} for n in range(count)]
    return thread, [message.id for message in store.messages.create_many(thread, drafts)]


def said(store, thread):
    return store.messages.create(thread, role="user", content="more")


@pytest.mark.parametrize("removed", [1, REMOVED_MAX + 6])
@pytest.mark.parametrize("forked", [False, True])
def test_an_append_after_a_removal_is_as_cheap_in_a_long_thread(store, effort, removed, forked):
    efforts = []
    for count in (FEW, MANY):
        thread, messages = talk(store, count)
        if forked:
            thread = store.threads.fork(thread).id
        tips = [
            store.messages.edit(thread, messages[-2], content=f"otherwise {n}", select=False).id
            for n in range(removed)
        ]
        for tip in tips:
            store.messages.remove(thread, tip)
        said(store, thread)
        efforts.append(effort(said, store, thread))
    assert_flat(*efforts)


@pytest.mark.parametrize("forked", [False, True])
def test_listing_the_branches_costs_what_there_is_of_branches(store, effort, forked):
    efforts = []
    for count in (FEW, MANY):
        thread, messages = talk(store, count)
        if forked:
            thread = store.threads.fork(thread).id
        store.messages.edit(thread, messages[40], content="otherwise", select=False)
        store.messages.remove(thread, messages[90])
        efforts.append(effort(store.branches.list, thread))
        assert [branch.depth for branch in store.branches.list(thread)] == [90, 41]
    assert_flat(*efforts)


@pytest.mark.parametrize("kept", [1, 20])
def test_a_page_beside_removed_siblings_costs_what_is_removed(store, effort, kept):
    efforts = []
    for count in (70, 210):  # above what is counted of segments
        thread, messages = talk(store, 60)
        tips = [
            store.messages.edit(thread, messages[30], content=f"otherwise {n}", select=False).id
            for n in range(count)
        ]
        for tip in tips[5 : 5 + kept]:
            store.messages.remove(thread, tip)
        shown = store.messages.list(thread, limit=50, order="desc").data[29]
        assert (shown.id, shown.sibling_index) == (messages[30], 1)
        assert shown.sibling_count == count + 1 - kept
        last = store.messages.get(thread, tips[-1])
        assert last.sibling_index == last.sibling_count == count + 1 - kept
        efforts.append(effort(store.messages.list, thread, limit=50, order="desc"))
        efforts.append(effort(store.messages.get, thread, tips[-1]))
    assert_flat(efforts[0], efforts[2])
    assert_flat(efforts[1], efforts[3])


READ = {
    "get": lambda store, thread, told, _: store.messages.get(thread, told),
    "list": lambda store, thread, *_: store.messages.list(thread).data[2],
    "tree": lambda store, thread, *_: store.branches.tree(thread).nodes[2].message,
    "context": lambda store, thread, _, run: store.runs.context(thread, run).messages[2],
}


@pytest.mark.parametrize("read", READ)
def test_a_message_that_was_amended_often_is_read_like_one_that_was_amended_once(
    store, effort, read
):
    efforts = []
    for times in (2, 60):
        thread, messages = talk(store, 5)
        for number in range(times):
            store.messages.update(thread, messages[2], metadata={"n": number}, name="Ann")
            store.messages.amend(thread, messages[2], content=f"amended {number}")
        fork = store.threads.fork(thread).id
        for one in (thread, fork):
            given = store, one, messages[2], store.runs.create(one).id
            shown = READ[read](*given)
            assert (shown.text, shown.revision) == (f"amended {times - 1}", times)
            assert (shown.metadata, shown.name) == ({"n": times - 1}, "Ann")
            efforts.append(effort(READ[read], *given))
    assert_flat(efforts[0], efforts[2])
    assert_flat(efforts[1], efforts[3])


@pytest.mark.parametrize("restored", [False, True])
@pytest.mark.parametrize("forked", [False, True])
def test_an_earlier_version_costs_what_is_removed_or_changed(store, effort, restored, forked):
    """To fork it, or to read its end: not the length of the path above."""
    forking: list[Effort] = []
    reading: list[Effort] = []
    for count in (FEW, MANY):
        thread, messages = talk(store, count)
        if forked:
            thread = store.threads.fork(thread).id
        store.messages.remove(thread, messages[-2])
        said(store, thread)
        version = store.threads.get(thread).version
        said(store, thread)
        if restored:
            store.messages.restore(thread, messages[-2])
        forking.append(effort(store.threads.fork, thread, at_version=version))
        page = {"at_version": version, "limit": 10, "order": "desc"}
        reading.append(effort(store.messages.list, thread, **page))
        assert texts_at(store, thread, version) == [f"words {count - 3}", "more"]
    assert_flat(*forking)
    assert_flat(*reading)


def texts_at(store, thread, version):
    page = store.messages.list(thread, at_version=version, limit=2, order="desc")
    return [message.text for message in page.data][::-1]


def test_the_end_of_a_fork_costs_what_is_read(store, effort):
    """However long the path is that it inherits."""
    efforts = []
    for count in (FEW, MANY):
        thread, _ = talk(store, count)
        fork = store.threads.fork(thread).id
        said(store, fork)
        efforts.append(effort(store.messages.list, fork, limit=10, order="desc"))
    assert_flat(*efforts)
