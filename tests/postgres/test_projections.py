"""Projections that follow the log, on PostgreSQL: what holds on SQLite holds here."""

from functools import partial

import pytest

from eventstore import AsyncConversationStore, ConversationStore
from eventstore.testing.conformance import blocking
from tests.projections.following import Basics, Following, Killed
from tests.projections.test_catch_up import given


class OnPostgres(Basics):
    driver = "psycopg"
    durability = "as_is"

    @pytest.fixture(autouse=True)
    def _place(self, server, database):
        self.url = server.url(driver=self.driver, database=database)

    def options(self, options):
        return {**given(options), "durability": self.durability}


class TestSyncWithPsycopg(OnPostgres, Following, Killed):
    def open(self, **options):
        return ConversationStore.open(self.url, **self.options(options))


class TestAsyncWithAsyncpg(OnPostgres):
    driver = "asyncpg"

    def open(self, **options):
        opening = partial(AsyncConversationStore.open, self.url, **self.options(options))
        return blocking(opening)
