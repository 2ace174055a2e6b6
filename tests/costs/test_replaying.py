"""Replaying costs what it returns, and a step what happened in it."""

import sys

import pytest

from eventstore import ConversationStore
from tests.costs.talking import talk
from tests.effort import assert_flat


@pytest.fixture
def store(effort):
    del effort  # it counts on stores that are opened after it
    with ConversationStore.open("sqlite://") as opened:
        yield opened


def calls_of(act):
    """How many Python functions are called by an act."""
    calls = 0

    def heard(_, event, __):
        nonlocal calls
        calls += event == "call"

    before = sys.getprofile()
    sys.setprofile(heard)
    try:
        act()
    finally:
        sys.setprofile(before)
    return calls


def test_walking_the_steps_and_counting_the_path_at_each_costs_a_step_each(store):
    counts = []
    for count in (100, 400):
        thread, _ = talk(store, count)

        def walk(thread=thread):
            return [
                (len(step.state.messages), step.state.messages[-1:])
                for step in store.replay.steps(thread)
            ]

        counts.append(calls_of(walk) / count)
    assert counts[1] <= 1.1 * counts[0]


def test_a_path_is_the_sequence_of_its_messages(store):
    thread, trunk = talk(store, 7)
    store.messages.edit(thread, trunk[3], content="otherwise")
    store.messages.create(thread, role="user", content="further")
    path = store.replay.state(thread).messages
    listed = store.messages.list(thread).data
    assert len(path) == len(listed) == 5
    assert path == listed
    assert listed == path
    assert path != listed[:-1]
    assert [path[n] for n in range(-5, 5)] == [listed[n] for n in range(-5, 5)]
    for asked in (slice(2), slice(1, -1), slice(None, None, -1), slice(4, 0, -2), slice(3, 3)):
        assert path[asked] == listed[asked]
    assert listed[2] in path
    assert [*reversed(path)] == [*reversed(listed)]
    with pytest.raises(IndexError):
        path[5]
    assert repr(path) == "<path of 5 messages>"


def test_a_thread_without_messages_has_an_empty_path(store):
    path = store.replay.state(store.threads.create().id).messages
    assert not path
    assert path == ()
    assert [*path] == []


def test_neighbouring_versions_are_compared_without_reading_the_rest(store, effort):
    counts = []
    for count in (60, 600):
        thread, trunk = talk(store, count)
        store.messages.amend(thread, trunk[3], content="reworded")
        store.messages.edit(thread, trunk[-2], content="otherwise")
        store.branches.select(thread, trunk[-1])
        last = store.threads.get(thread).version
        pairs = [(last - 3, last - 2), (last - 2, last - 1), (last - 1, last), (5, 6)]
        counts.append(
            [
                effort(store.replay.diff, thread, from_version=one, to_version=two)
                for one, two in pairs
            ]
        )
        changed = store.replay.diff(thread, from_version=last - 3, to_version=last - 2)
        assert (changed.common, changed.amended) == (count, (trunk[3],))
        assert changed.only_a == changed.only_b == ()
        changed = store.replay.diff(thread, from_version=last - 2, to_version=last - 1)
        assert (changed.common, changed.parted_at) == (count - 2, trunk[-3])
        assert [one.id for one in changed.only_a] == trunk[-2:]
        assert [one.text for one in changed.only_b] == ["otherwise"]
        back = store.replay.diff(thread, from_version=last - 1, to_version=last - 2)
        assert (back.only_a, back.only_b) == (changed.only_b, changed.only_a)
    for small, large in zip(*counts, strict=True):
        assert_flat(small, large)


def test_branches_are_compared_from_where_they_part(store, effort):
    counts = []
    for count in (60, 600):
        thread, trunk = talk(store, count)
        other = store.messages.edit(thread, trunk[-2], content="otherwise").id
        counts.append(effort(store.branches.diff, thread, trunk[-1], other))
        found = store.branches.diff(thread, trunk[-1], other)
        assert (found.common, found.parted_at) == (count - 2, trunk[-3])
        assert [one.id for one in found.only_b] == [other]
    assert_flat(*counts)


def test_a_state_of_the_past_costs_the_same_whatever_came_later(store, effort):
    counts = []
    for count in (60, 600):
        thread, trunk = talk(store, count)
        store.messages.edit(thread, trunk[-2], content="otherwise")
        counts.append(effort(store.replay.state, thread, at_version=40))
    assert_flat(*counts)


def test_a_state_costs_an_event_each_and_less_than_walking_there(store):
    counts = []
    for count in (100, 400):
        thread, _ = talk(store, count)
        state = calls_of(lambda thread=thread: store.replay.state(thread))
        steps = calls_of(lambda thread=thread: list(store.replay.steps(thread)))
        counts.append(state / count)
        assert state < 0.75 * steps
    assert counts[1] <= 1.1 * counts[0]
