"""The laws of conversations on PostgreSQL: the state machine and the dictionary, as on SQLite."""

import secrets

import pytest
from hypothesis import HealthCheck, settings
from hypothesis.stateful import run_state_machine_as_test

from eventstore import ConversationStore
from eventstore.storage import blobs
from eventstore.testing.machine import ConversationMachine
from tests.laws.examples import IN_ROW_BYTES_MAX

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
