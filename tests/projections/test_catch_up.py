"""Projections that follow the log, on SQLite, in both faces."""

from contextlib import contextmanager
from functools import partial

import pytest
from sqlalchemy import create_engine

from eventstore import AsyncConversationStore, ConversationStore
from eventstore.connect import system_sources
from eventstore.testing.conformance import blocking
from tests.projections.following import Basics, Following, Killed


class OnSqlite(Following):
    durability = "full"

    @pytest.fixture(autouse=True)
    def _place(self, tmp_path):
        self.url = f"sqlite:///{tmp_path}/chat.db"


class TestSync(OnSqlite, Killed):
    def open(self, **options):
        return ConversationStore.open(self.url, **given(options))


class TestAsync(OnSqlite):
    def open(self, **options):
        return blocking(partial(AsyncConversationStore.open, self.url, **given(options)))


class TestOnAnOwnedEngine(Basics):
    @contextmanager
    def open(self, **options):
        engine = create_engine(self.url)
        with ConversationStore.open(engine, durability="as_is", **given(options)) as store:
            yield store
        engine.dispose()

    @pytest.fixture(autouse=True)
    def _place(self, tmp_path):
        self.url = f"sqlite:///{tmp_path}/app.db"


def given(options):
    """Options of `open()`, with a clock of the test's own."""
    clock = options.pop("clock", None)
    if clock is not None:
        options["sources"] = system_sources()._replace(clock=clock)
    return options
