"""A thread can go for good with its forks, and the others do not notice."""

from hypothesis import given
from hypothesis import strategies as st

from eventstore import ConversationStore
from tests.laws.examples import of_a_law_of_lives
from tests.laws.purging import purge_them_all

SEEDS = st.integers(min_value=0, max_value=10_000)


@of_a_law_of_lives
@given(seed=SEEDS)
def test_the_others_read_the_same_whatever_is_purged_and_in_whatever_order(seed):
    with ConversationStore.open("sqlite://") as store:
        purge_them_all(store, seed, writes=40)
