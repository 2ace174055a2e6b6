"""Search and usage on SQLite, in both faces."""

from functools import partial

import pytest

from eventstore import AsyncConversationStore, ConversationStore
from eventstore.testing.conformance import blocking
from tests.projections.shipped import Shipped
from tests.projections.test_catch_up import given


class TestSync(Shipped):
    @pytest.fixture(autouse=True)
    def _place(self, tmp_path):
        self.url = f"sqlite:///{tmp_path}/chat.db"

    def open(self, **options):
        return ConversationStore.open(self.url, **given(options))


class TestAsyncInMemory(Shipped):
    def open(self, **options):
        return blocking(partial(AsyncConversationStore.open, "sqlite://", **given(options)))
