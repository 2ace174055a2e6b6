"""A past moment told from rows is the one that the events give, at every version."""

from contextlib import suppress
from functools import partial

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from eventstore import ConversationStore, ConversationStoreError
from eventstore.api.operations.loaders import thread_key
from eventstore.api.operations.operation import Read
from eventstore.conversation import tree
from eventstore.conversation.present import message_value, revisions, thread_value
from eventstore.conversation.present_runs import run_value, step_value
from eventstore.conversation.rows import ROOT, MessageRow, RunRow, StepRow
from eventstore.testing.environments import jumping_environment
from eventstore.threads import folding, paths
from eventstore.threads.folding import folded_steps
from eventstore.threads.past_thread import PastThread
from tests.laws.examples import of_a_law_of_lives
from tests.laws.lives import live

SEEDS = st.integers(min_value=0, max_value=10_000)


@of_a_law_of_lives
@given(seed=SEEDS, most=st.sampled_from([1_000, 1_000, 3, 1]))
def test_at_every_version_rows_tell_what_the_events_give(seed, most):
    """Also where few events are read one by one, and the thread is folded for the rest."""
    with (
        pytest.MonkeyPatch.context() as patch,
        ConversationStore.open("sqlite://", environment=jumping_environment(seed)) as store,
    ):
        patch.setattr(folding, "EVENTS_MAX", most)
        for thread in live(store, seed, writes=60):
            finish(store, thread)
            key = thread_key(store.scope, thread)
            store.perform(Read(partial(compare, store, key)))


def finish(store, thread):
    """Let happen what a random life seldom has: archiving, a step, erasing, deleting."""
    with suppress(ConversationStoreError):
        store.threads.archive(thread)
        store.threads.unarchive(thread)
    with suppress(ConversationStoreError, StopIteration):
        run = next(run for run in store.runs.list(thread) if run.status == "in_progress")
        step = store.runs.steps.start(thread, run.id, type="model")
        store.runs.steps.complete(thread, step.id)
        store.runs.update(thread, run.id, metadata={"is": "new"})
    with suppress(ConversationStoreError, IndexError):
        store.privacy.erase(thread, store.messages.list(thread).data[-1].id)
    with suppress(ConversationStoreError):
        store.threads.delete(thread)
        store.threads.restore(thread)


def compare(store, key, tx):
    log = store.scope.log
    steps = list(folded_steps(tx, log, key.tenant, key.id))
    last = steps[-1][1]
    for _, state in steps[:-1]:
        past = PastThread(tx, log, key.tenant, key.id, as_of=state.version)
        assert told(past) == told(state)
        assert shown(past) == shown(state)
        for message_id in last.rows[MessageRow]:
            assert_same_message(past, state, message_id)
        for run_id in last.rows[RunRow]:
            assert_same_run(past, state, run_id)
        for step_id in last.rows[StepRow]:
            row = past.row(StepRow, step_id)
            assert row == state.row(StepRow, step_id)
            if row is not None:
                assert step_value(past, row) == step_value(state, row)
        for place in (ROOT, *last.places):
            if place == ROOT or state.message_at(place) is not None:
                assert [*past.children(place)] == [*state.children(place)]


def told(view):
    row = view.thread
    fields = row.head, row.archived, row.deleted, row.named, row.open_runs > 0, row.updated_at_us
    return fields, thread_value(view, row)


def shown(view):
    end = None if view.thread.head is None else view.message(view.thread.head)
    return end and paths.messages(view, end.place, paths.Window(1, end.place.depth))


def assert_same_message(past, state, message_id):
    row = past.message(message_id)
    assert row == state.message(message_id)
    if row is None:
        return
    assert message_value(past, row) == message_value(state, row)
    assert revisions(past, row) == revisions(state, row)
    assert past.label_of(message_id) == state.label_of(message_id)
    if row.place is not None:
        assert past.message_at(row.place) == row
        for stretch in tree.ranges(past, row.place):
            assert past.first_removed(*stretch) == state.first_removed(*stretch)


def assert_same_run(past, state, run_id):
    row, expected = past.run(run_id), state.run(run_id)
    assert (row is None) == (expected is None)
    if row is not None:
        assert replace(row, steps=0) == replace(expected, steps=0)
        assert run_value(past, row) == run_value(state, expected)


@pytest.mark.parametrize("asked", ["one", "another", "nothing"])
def test_what_rows_do_not_hold_is_folded(asked):
    with ConversationStore.open("sqlite://") as store:
        thread = store.threads.create().id
        first = store.messages.create(thread, role="user", content="a").id
        second = store.messages.create(thread, role="assistant", content="b").id
        third = store.messages.regenerate(thread, second, content="c").id
        store.branches.label(thread, second, "one")
        store.branches.label(thread, third, "another")
        version = store.threads.get(thread).version
        store.branches.label(thread, second, None)
        store.branches.label(thread, third, "nothing")
        store.branches.select(thread, second)
        listed = [one.id for one in store.messages.list(thread, branch=first, at_version=version)]
        assert listed == [first, third]
        past = {"one": second, "another": third}
        if asked in past:
            named = store.messages.list(thread, branch=asked, at_version=version).data
            assert named[-1].id == past[asked]
        else:
            with pytest.raises(ConversationStoreError):
                store.messages.list(thread, branch=asked, at_version=version)


@of_a_law_of_lives
@given(seed=SEEDS, data=st.data())
def test_two_moments_differ_as_their_paths_do(seed, data):
    with ConversationStore.open("sqlite://", environment=jumping_environment(seed)) as store:
        for thread in live(store, seed, writes=60):
            states = [step.state for step in store.replay.steps(thread)]
            versions = st.integers(min_value=1, max_value=len(states))
            for one, two in data.draw(st.lists(st.tuples(versions, versions), max_size=12)):
                found = store.replay.diff(thread, from_version=one, to_version=two)
                a, b = ([*states[version - 1].messages] for version in (one, two))
                shared = [(x, y) for x, y in zip(a, b, strict=False) if x.id == y.id]
                assert found.common == len(shared)
                assert found.parted_at == (shared[-1][1].id if shared else None)
                assert [*found.only_a] == a[len(shared) :]
                assert [*found.only_b] == b[len(shared) :]
                reworded = [x.id for x, y in shared if x.content != y.content]
                assert [*found.amended] == reworded
