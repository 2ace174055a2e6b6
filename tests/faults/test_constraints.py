"""A constraint that one request breaks on SQLite, through each way of running."""

import sqlite3
from contextlib import asynccontextmanager, closing, contextmanager
from typing import ClassVar

import pytest
from sqlalchemy import create_engine
from sqlalchemy.ext.asyncio import create_async_engine

from eventstore import AsyncConversationStore, ConversationStore
from eventstore.testing.conformance import blocking
from tests.faults.refusing import Refusing


class OnSqlite(Refusing):
    check = (
        "CREATE TRIGGER planted BEFORE INSERT ON thread_metadata WHEN NEW.value = 's:open-sesame'"
        " BEGIN SELECT RAISE(ABORT, 'no open-sesame here'); END"
    )
    named: ClassVar = {"unique": "UNIQUE thread_metadata.key", "check": "SQLITE_CONSTRAINT_TRIGGER"}

    @pytest.fixture(autouse=True)
    def _place(self, tmp_path):
        self.file = tmp_path / "chat.db"
        self.url = f"sqlite:///{self.file}"
        ConversationStore.open(self.url).close()

    def run(self, sql):
        with closing(sqlite3.connect(self.file)) as connection:
            connection.execute(sql)


class TestUrl(OnSqlite):
    def opened(self):
        return ConversationStore.open(self.url)


class TestEngine(OnSqlite):
    @contextmanager
    def opened(self):
        engine = create_engine(self.url)
        with ConversationStore.open(engine, durability="as_is") as store:
            yield store
        engine.dispose()


class TestAsyncEngine(OnSqlite):
    def opened(self):
        return blocking(self.opened_async)

    @asynccontextmanager
    async def opened_async(self):
        engine = create_async_engine(self.url.replace("sqlite", "sqlite+aiosqlite"))
        async with AsyncConversationStore.open(engine, durability="as_is") as store:
            yield store
        await engine.dispose()
