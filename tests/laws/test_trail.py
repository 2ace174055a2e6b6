"""Trails and differences say what the folded states say: nothing is missing, nothing is guessed."""

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eventstore import ConversationStore, ConversationStoreError
from eventstore.audit import trail as walking
from eventstore.storage import read, whole_store
from eventstore.testing.environments import jumping_environment
from eventstore.threads import folding
from tests.laws.examples import of_a_law_of_lives
from tests.laws.facts_of_states import GONE, assert_agree, facts_of, patched
from tests.laws.lives import live
from tests.laws.test_past import finish
from tests.storage.lives import environment, full_life

SEEDS = st.integers(min_value=0, max_value=10_000)


def begun(state):
    """The facts that a thread begins with: a fork has messages before its first event."""
    return {key: value for key, value in facts_of(state).items() if key[0].startswith("msg_")}


def erase_a_person(store, thread):
    """Let a person say all that one can, change what others said, and be erased."""
    hers = {"subject": "alice"}
    with suppress(ConversationStoreError):
        mine = store.messages.create(thread, role="user", content="mine", metadata={"is": 1}).id
        store.messages.amend(thread, mine, content="hers", **hers)
        store.messages.update(thread, mine, metadata={"is": 2}, name="Alice", **hers)
        store.branches.label(thread, mine, "her label", **hers)
        said = store.messages.create(thread, role="user", content="hers", name="Al", **hers).id
        store.messages.amend(thread, said, content="mine")
        store.threads.update(thread, title="hers", **hers)
        run = store.runs.create(thread, instructions="hers", metadata={"is": 1}, **hers).id
        store.runs.start(thread, run)
        step = store.runs.steps.start(thread, run, type="model", details={"a": 1}, **hers).id
        store.runs.steps.complete(thread, step, details={"b": 2})
        store.runs.fail(thread, run, message="hers", **hers)
        store.threads.update(thread, metadata={"is": "mine"})
        store.privacy.erase(subject="alice")


def assert_leads(store, thread):
    """The changes of each entry lead from one state to the next."""
    states = [step.state for step in store.replay.steps(thread)]
    facts = begun(states[0])
    entries = list(store.audit.trail(thread))
    assert [entry.version for entry in entries] == [state.version for state in states]
    for entry, state in zip(entries, states, strict=True):
        if entry.type != "ContentErased":
            facts = patched(facts, entry.changes)
        assert_agree(facts, facts_of(state))


@of_a_law_of_lives
@given(seed=SEEDS)
def test_the_changes_of_a_trail_lead_from_each_state_to_the_next(seed):
    with ConversationStore.open("sqlite://", environment=jumping_environment(seed)) as store:
        for thread in live(store, seed, writes=40):
            erase_a_person(store, thread)
            finish(store, thread)
            assert_leads(store, thread)


def test_so_they_do_for_every_type_of_event():
    with ConversationStore.open("sqlite://", environment=environment()) as store:
        full_life(store)
        for thread in store.threads.list(limit=1_000, include_deleted=True):
            assert_leads(store, thread.id)
            assert_differs(store, thread.id, 1, thread.version)


@of_a_law_of_lives
@given(seed=SEEDS, kept=st.integers(0, 3), size=st.integers(1, 50), data=st.data())
def test_a_trail_that_keeps_few_facts_and_reads_short_pages_is_the_same(seed, kept, size, data):
    with ConversationStore.open("sqlite://", environment=jumping_environment(seed)) as store:
        threads = live(store, seed, writes=40)
        erase_a_person(store, threads[0])
        finish(store, threads[-1])
        whole = {thread: list(store.audit.trail(thread)) for thread in threads}
        everything = [entry for entries in whole.values() for entry in entries]
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(walking, "_SUBJECTS_KEPT", kept)
            patch.setattr(read, "PAGE", size)
            patch.setattr(whole_store, "PAGE", size)
            for thread, entries in whole.items():
                assert list(store.audit.trail(thread)) == entries
                since = data.draw(st.sampled_from(entries)).recorded_at
                later = [entry for entry in entries if entry.recorded_at >= since]
                assert list(store.audit.trail(thread, since=since)) == later
            wanted = sorted(everything, key=lambda entry: entry.position)
            found = [one for one in store.audit.trail() if one.stream_id in whole]
            assert found == wanted


@of_a_law_of_lives
@given(seed=SEEDS, data=st.data(), most=st.sampled_from([1_000, 2]))
def test_a_difference_patches_one_state_into_the_other(seed, data, most):
    with (
        pytest.MonkeyPatch.context() as patch,
        ConversationStore.open("sqlite://", environment=jumping_environment(seed)) as store,
    ):
        patch.setattr(folding, "EVENTS_MAX", most)
        for thread in live(store, seed, writes=40):
            finish(store, thread)
            versions = st.integers(1, store.threads.get(thread).version)
            for one, two in data.draw(st.lists(st.tuples(versions, versions), max_size=8)):
                assert_differs(store, thread, one, two)


def assert_differs(store, thread, one, two):
    """A difference leads from a state to the other and back, and is empty where they are equal."""
    a, b = (facts_of(store.replay.state(thread, at_version=one)) for one in (one, two))
    there = store.replay.diff(thread, from_version=one, to_version=two)
    back = store.replay.diff(thread, from_version=two, to_version=one)
    assert_agree(patched(a, there.changes), b)
    assert_agree(patched(b, back.changes), a)
    if GONE not in [*a.values(), *b.values()]:
        assert bool(there.changes) == (a != b)
