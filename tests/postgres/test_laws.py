"""The laws of conversations on PostgreSQL: the state machine and the dictionary, as on SQLite."""

import secrets

import pytest
from hypothesis import HealthCheck, settings
from hypothesis.stateful import run_state_machine_as_test

from eventstore import ConversationStore
from eventstore.storage import blobs
from eventstore.testing.machine import ConversationMachine
from tests.laws.examples import IN_ROW_BYTES_MAX
from tests.laws.lives import live
from tests.laws.test_trail import assert_differs, assert_leads
from tests.storage.lives import environment, full_life

SOME = settings(
    max_examples=4,
    stateful_step_count=25,
    deadline=None,
    derandomize=True,
    suppress_health_check=list(HealthCheck),
)


@pytest.mark.timeout(300)
@pytest.mark.newest_postgres
def test_a_conversation_is_what_the_dictionary_says(server, migrated, monkeypatch):
    monkeypatch.setattr(blobs, "IN_ROW_BYTES_MAX", IN_ROW_BYTES_MAX)

    class OnPostgres(ConversationMachine):
        def open_store(self, environment):
            url = server.url(database=migrated)
            store = ConversationStore.open(url, environment=environment, durability="as_is")
            return store.tenant(secrets.token_hex(8))  # an empty one for each example

    run_state_machine_as_test(OnPostgres, settings=SOME)


@pytest.mark.newest_postgres
def test_trails_and_differences_say_what_the_folded_states_say(server, migrated, monkeypatch):
    monkeypatch.setattr(blobs, "IN_ROW_BYTES_MAX", IN_ROW_BYTES_MAX)
    url = server.url(database=migrated)
    with ConversationStore.open(url, environment=environment(), durability="as_is") as store:
        full_life(store)
        for thread in store.threads.list(limit=1_000, include_deleted=True):
            assert_leads(store, thread.id)
            assert_differs(store, thread.id, 1, thread.version)
        for thread in live(store, 7, writes=60):
            assert_leads(store, thread)
        built_in = ("thread_", "asst_", "store_")
        told = [one for one in store.events.read_all() if one.stream_id.startswith(built_in)]
        found = [(entry.stream_id, entry.version) for entry in store.audit.trail()]
        assert found == [(one.stream_id, one.version) for one in told]
