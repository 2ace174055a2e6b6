"""Projections that follow the log, on PostgreSQL: what holds on SQLite holds here."""

from functools import partial

import pytest

from eventstore import AsyncConversationStore, ConversationStore
from eventstore.testing.conformance import blocking
from tests.projections.following import Basics, Following, Killed
from tests.projections.shipped import Shipped
from tests.projections.test_catch_up import given


class OnPostgres:
    driver = "psycopg"
    durability = "as_is"

    @pytest.fixture(autouse=True)
    def _place(self, server, database):
        self.url = server.url(driver=self.driver, database=database)

    def options(self, options):
        return {**given(options), "durability": self.durability}


class Sync(OnPostgres):
    def open(self, **options):
        return ConversationStore.open(self.url, **self.options(options))


class Async(OnPostgres):
    driver = "asyncpg"

    def open(self, **options):
        opening = partial(AsyncConversationStore.open, self.url, **self.options(options))
        return blocking(opening)


class TestSync(Sync, Following, Killed):
    pass


class TestAsync(Async, Basics):
    pass


class TestShippedSync(Sync, Shipped):
    pass


class TestShippedAsync(Async, Shipped):
    pass
