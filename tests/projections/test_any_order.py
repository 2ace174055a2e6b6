"""Search and usage on SQLite through random lives; ``LAWS=long`` tries many more."""

import pytest

from eventstore import ConversationStore
from tests.laws.examples import LONG, of_a_law
from tests.projections.any_order import ReadModels, walk


class OnSqlite(ReadModels):
    def open_store(self):
        return ConversationStore.open("sqlite://")


TestReadModels = OnSqlite.TestCase
TestReadModels.settings = of_a_law


@pytest.mark.parametrize("seed", range(1_000 if LONG else 16))
def test_long_lives(seed):
    walk(OnSqlite, seed, steps=120)
