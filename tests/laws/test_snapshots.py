"""A state that goes on from snapshots is the one that all events give, at every version."""

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eventstore import ConversationStore, ConversationStoreError
from eventstore.storage.snapshots import Snapshots
from eventstore.testing.environments import jumping_environment
from eventstore.threads import folding
from tests.laws.examples import LONG, of_a_law_of_lives
from tests.laws.facts_of_states import facts_of
from tests.laws.lives import live
from tests.laws.test_past import finish
from tests.storage.lives import environment, full_life

SEEDS = st.integers(min_value=0, max_value=10_000)


@of_a_law_of_lives
@given(seed=SEEDS, few=st.sampled_from([1, 4, 9]), backwards=st.booleans())
def test_at_every_version_snapshots_change_nothing(seed, few, backwards):
    with (
        pytest.MonkeyPatch.context() as patch,
        ConversationStore.open("sqlite://", environment=jumping_environment(seed)) as store,
    ):
        patch.setattr(folding, "EVENTS_MAX", few)
        patch.setattr(folding, "size_of", lambda _: 0)
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


def test_so_it_is_for_every_type_of_event(monkeypatch):
    monkeypatch.setattr(folding, "EVENTS_MAX", 2)
    monkeypatch.setattr(folding, "size_of", lambda _: 0)
    with ConversationStore.open("sqlite://", environment=environment()) as store:
        full_life(store)
        for thread in store.threads.list(include_deleted=True).iter():
            compare(store, thread.id, backwards=False)
            store.threads.create()  # writes what waits
            compare(store, thread.id, backwards=False)
        assert store.audit.verify().findings == ()


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
