"""A state that goes on from snapshots is the one that all events give, at every version."""

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eventstore import ConversationStore, ConversationStoreError
from eventstore.storage.snapshots import Snapshots
from eventstore.testing.environments import jumping_environment
from eventstore.threads import beginnings, folding, leaving
from tests.laws.examples import LONG, of_a_law_of_lives
from tests.laws.facts_of_states import facts_of
from tests.laws.lives import live
from tests.laws.test_past import finish
from tests.storage.lives import environment, full_life

SEEDS = st.integers(min_value=0, max_value=10_000)


@of_a_law_of_lives
@given(
    seed=SEEDS,
    few=st.sampled_from([1, 4, 9]),
    span=st.sampled_from([1, 3, 10_000]),
    backwards=st.booleans(),
)
def test_at_every_version_snapshots_change_nothing(seed, few, span, backwards):
    """Whether writers leave them as the thread grows, or readers."""
    with (
        pytest.MonkeyPatch.context() as patch,
        ConversationStore.open("sqlite://", environment=jumping_environment(seed)) as store,
    ):
        soon(patch, few, span)
        threads = live(store, seed, writes=60 if LONG else 30)
        for thread in threads:
            finish(store, thread)
            compare(store, thread, backwards=backwards)
        for thread in threads:  # what is erased after the snapshots were taken
            with suppress(ConversationStoreError, IndexError):
                store.privacy.erase(thread, store.messages.list(thread).data[0].id)
                compare(store, thread, backwards=backwards)
        store.privacy.erase(thread_id=threads[0])
        compare(store, threads[0], backwards=backwards)
        store.threads.create()  # writes what waits
        assert store.projections.compare().findings == ()
        assert store.audit.verify().findings == ()


@of_a_law_of_lives
@given(seed=SEEDS, few=st.sampled_from([0, 1, 3]), data=st.data())
def test_differences_do_not_depend_on_how_many_events_tell_of_a_thing(seed, few, data):
    with (
        pytest.MonkeyPatch.context() as patch,
        ConversationStore.open("sqlite://", environment=jumping_environment(seed)) as store,
    ):
        soon(patch, few, span=3)
        for thread in live(store, seed, writes=60 if LONG else 30):
            finish(store, thread)
            last = store.threads.get(thread, include_deleted=True).version
            versions = st.integers(min_value=1, max_value=last)
            for one, two in data.draw(st.lists(st.tuples(versions, versions), max_size=12)):
                found = store.replay.diff(thread, from_version=one, to_version=two)
                assert found == in_full(patch, store, thread, one, two)
            trail = [*store.audit.trail(thread)]
            with patch.context() as whole:
                whole.setattr(folding, "EVENTS_MAX", 10_000)
                assert trail == [*store.audit.trail(thread)]


def test_so_are_those_of_every_type_of_event(monkeypatch):
    soon(monkeypatch, few=0, span=5)
    with ConversationStore.open("sqlite://", environment=environment()) as store:
        full_life(store)
        for thread in store.threads.list(include_deleted=True).iter():
            for version in range(1, thread.version):
                for last in {version + 1, thread.version}:
                    found = store.replay.diff(thread.id, from_version=version, to_version=last)
                    assert found == in_full(monkeypatch, store, thread.id, version, last)


def in_full(patch, store, thread, one, two):
    with patch.context() as whole:
        whole.setattr(folding, "EVENTS_MAX", 10_000)
        return store.replay.diff(thread, from_version=one, to_version=two)


def soon(patch, few, span):
    """Let snapshots be taken after so many events."""
    patch.setattr(folding, "EVENTS_MAX", few)
    for module in (folding, beginnings):
        patch.setattr(module, "size_of", lambda _: 0)
    patch.setattr(leaving, "SPAN", span)
    patch.setattr(leaving, "_has_more_rows", lambda *_: False)


def test_so_it_is_for_every_type_of_event(monkeypatch):
    soon(monkeypatch, few=2, span=5)
    with ConversationStore.open("sqlite://", environment=environment()) as store:
        full_life(store)
        for thread in store.threads.list(include_deleted=True).iter():
            compare(store, thread.id, backwards=False)
            store.threads.create()  # writes what waits
            compare(store, thread.id, backwards=False)
        assert store.audit.verify().findings == ()


@of_a_law_of_lives
@given(seed=SEEDS, after=st.integers(min_value=1, max_value=40))
def test_steps_from_a_version_on_are_those_of_the_whole_walk(seed, after):
    with (
        pytest.MonkeyPatch.context() as patch,
        ConversationStore.open("sqlite://", environment=jumping_environment(seed)) as store,
    ):
        soon(patch, few=3, span=5)
        for thread in live(store, seed, writes=60 if LONG else 30):
            finish(store, thread)
            whole = [*store.replay.steps(thread)][after:]
            rest = [*store.replay.steps(thread, after=after)]
            assert [one.event for one in rest] == [one.event for one in whole]
            for one, other in zip(rest[::5], whole[::5], strict=True):
                assert one.state.value() == other.state.value()
                assert facts_of(one.state) == facts_of(other.state)


@pytest.mark.parametrize("seed", range(100 if LONG else 2))
def test_a_fork_stands_as_its_events_say_whatever_its_source_did_since(seed, monkeypatch):
    """Also where its source is folded, since too many events tell of what changed."""
    soon(monkeypatch, few=0, span=3)
    with ConversationStore.open("sqlite://", environment=jumping_environment(seed)) as store:
        for thread in live(store, seed, writes=80):
            last = [*store.replay.steps(thread)][-1].state
            assert store.threads.get(thread, include_deleted=True) == last.thread
            assert [*store.messages.list(thread, limit=None)] == [*last.messages]


def compare(store, thread, *, backwards):
    versions = range(1, store.threads.get(thread, include_deleted=True).version + 1)
    for version in reversed(versions) if backwards else versions:
        patched = store.replay.state(thread, at_version=version)
        plain = without_snapshots(store, thread, version)
        assert patched.value() == plain.value()
        assert facts_of(patched) == facts_of(plain)


def without_snapshots(store, thread, version):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Snapshots, "nearest", lambda *_: None)
        patch.setattr(Snapshots, "keep", lambda *_: None)
        return store.replay.state(thread, at_version=version)
