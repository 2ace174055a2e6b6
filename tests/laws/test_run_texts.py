"""A reader that drops and resumes sees the text of a run exactly once, whatever happens."""

import pytest
from hypothesis import given

from eventstore import ConversationStore
from tests.laws.examples import of_a_law
from tests.laws.run_texts import ENDS, LIVES, SEEN_BEFORE, live


@pytest.fixture(scope="module")
def store():
    with ConversationStore.open("sqlite://") as opened:
        yield opened


@pytest.mark.parametrize("end", ENDS)
@pytest.mark.parametrize("acts", SEEN_BEFORE)
def test_a_reader_saw_the_text_once_in_every_life_before(store, acts, end):
    live(store, acts, end)


@of_a_law
@given(LIVES)
def test_a_reader_sees_the_text_once(store, life):
    live(store, *life)
    counted = store._executor.read(  # noqa: SLF001 (no door shows the table)
        lambda tx: tx.one("SELECT count(*) FROM {run_chunks}")
    )
    assert counted[0] == 0
