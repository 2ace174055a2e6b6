"""The text of a run on PostgreSQL: the law of tests/laws."""

import pytest
from hypothesis import HealthCheck, given, settings

from eventstore import ConversationStore
from eventstore.storage.transaction import only_row
from tests.conftest import LONG
from tests.laws.run_texts import ENDS, LIVES, SEEN_BEFORE, live


@pytest.mark.newest_postgres
def test_a_reader_sees_the_text_once(server, migrated):
    with ConversationStore.open(server.url(database=migrated), durability="as_is") as store:

        @settings(max_examples=300 if LONG else 8, suppress_health_check=list(HealthCheck))
        @given(LIVES)
        def law(life):
            live(store, *life)
            [left] = store._executor.read(  # noqa: SLF001 (no door shows the table)
                lambda tx: only_row(tx, "SELECT count(*) FROM {run_chunks}")
            )
            assert left == 0

        for acts, end in zip(SEEN_BEFORE, ENDS, strict=False):
            live(store, acts, end)
        law()
