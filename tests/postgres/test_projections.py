"""Projections that follow the log, on PostgreSQL: what holds on SQLite holds here."""

from functools import partial

import pytest
from sqlalchemy import create_engine

from eventstore import AsyncConversationStore, ConversationStore
from eventstore.testing.conformance import blocking
from tests.projections.following import Basics, Following, Killed
from tests.projections.shipped import Shipped
from tests.projections.test_catch_up import given


class OnPostgres:
    driver = "psycopg"
    durability = "as_is"
    grace = True

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


class InASchemaWithAPrefix(OnPostgres):
    def open(self, **options):
        engine = create_engine(self.url)
        with engine.begin() as connection:
            connection.exec_driver_sql('CREATE SCHEMA IF NOT EXISTS "Chat"')
        engine.dispose()
        options = {**self.options(options), "schema": "Chat", "prefix": "my_"}
        return ConversationStore.open(self.url, **options)


class TestSync(Sync, Following, Killed):
    pass


class TestAsync(Async, Basics):
    pass


class TestInASchemaWithAPrefix(InASchemaWithAPrefix, Basics):
    pass


class TestShippedSync(Sync, Shipped):
    pass


class TestShippedAsync(Async, Shipped):
    pass
