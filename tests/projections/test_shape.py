"""What is known of a tree at once says what asking by key says, and pages show all siblings."""

import pytest

from eventstore import ConversationStore
from eventstore.conversation.rows import BranchPointRow, MessageRow, Place, SegmentRow
from eventstore.threads.shape import SEGMENTS_MAX, Shape


@pytest.fixture
def store():
    with ConversationStore.open("sqlite://") as opened:
        yield opened


def said_in(store, thread, count):
    roles = ("user", "assistant")
    drafts = [{"role": roles[n % 2], "content": f"words {n}"} for n in range(count)]
    return [message.id for message in store.messages.create_many(thread, drafts)]


def siblings(store, thread):
    return [message.sibling_count for message in store.messages.list(thread)]


def test_a_page_shows_the_siblings_in_the_middle_of_a_stretch(store):
    thread = store.threads.create().id
    trunk = said_in(store, thread, 5)
    assert siblings(store, thread) == [1, 1, 1, 1, 1]
    store.messages.edit(thread, trunk[2], content="otherwise", select=False)
    assert siblings(store, thread) == [1, 1, 2, 1, 1]


def test_a_page_shows_the_siblings_that_a_fork_gave_to_what_it_inherits(store):
    thread = store.threads.create().id
    trunk = said_in(store, thread, 5)
    fork = store.threads.fork(thread).id
    assert siblings(store, fork) == [1, 1, 1, 1, 1]
    store.messages.edit(fork, trunk[2], content="otherwise", select=False)
    assert siblings(store, fork) == [1, 1, 2, 1, 1]
    assert siblings(store, thread) == [1, 1, 1, 1, 1]


def test_a_thread_that_outgrows_what_is_kept_is_written_and_read_the_same(store):
    """The shape is given up on the way, by the store that has kept it from the first message."""
    thread = store.threads.create().id
    trunk = said_in(store, thread, 6)
    tips = []
    for n in range(2 * SEGMENTS_MAX + 10):
        target = trunk[1 + n % 5]
        tips.append(store.messages.edit(thread, target, content=f"otherwise {n}").id)
        if n % 7 == 0:
            store.branches.select(thread, trunk[-1])
            store.branches.select(thread, tips[n // 2])
    assert store.projections.compare(thread).findings == ()
    assert len(store.branches.list(thread)) == len(tips) + 1
    store.branches.select(thread, trunk[-1])
    assert [message.id for message in store.messages.list(thread)] == trunk


def test_rows_laid_over_a_shape_take_the_place_of_those_read():
    shape = Shape.of_rows([(0, 0, 2, 0, 0, 0, 0, 3), (1, 0, 2, 1, 2, 0, 0, 5)])
    assert shape.ends == {(0, 2): 3}
    turned = BranchPointRow(Place(0, 2, 1), children=3, active=(0, 7))
    for row in (
        SegmentRow(0, 7, Place(0, 2, 1), ordinal=2),
        turned,
        MessageRow(b"m", 8, "user", Place(0, 2, 4)),
        MessageRow(b"q", 9, "user", None),
    ):
        shape.keep(row)
    assert shape.ends == {(0, 2): 4}
    assert list(shape.points_in(0, 2, 1, 4)) == [turned]
    assert list(shape.points_in(0, 2, 2, 4)) == []
    assert set(shape.hanging_from(Place(0, 2, 1))) == {(0, 7)}
    assert set(shape.hanging_from(Place(0, 0, 0))) == {(0, 2)}
