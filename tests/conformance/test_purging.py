"""Purging on SQLite, in both faces, on our connections and on an application's."""

from contextlib import contextmanager

from eventstore import AsyncConversationStore, ConversationStore
from eventstore.testing.conformance import blocking, within
from tests.conformance.purging import Purging, PurgingBesideOthers
from tests.conformance.test_ways_of_running import engine_at


class TestSyncOnAFile(PurgingBesideOthers):
    def opened(self, place, **options):
        return ConversationStore.open(f"sqlite:///{place}/chat.db", **options)


class TestAsyncInMemory(Purging):
    def opened(self, place, **options):  # noqa: ARG002 (in memory)
        return blocking(lambda: AsyncConversationStore.open("sqlite://", **options))


class TestInTransactionsOfTheApplication(PurgingBesideOthers):
    @contextmanager
    def opened(self, place, **options):
        with (
            engine_at(f"sqlite:///{place}/chat.db") as engine,
            ConversationStore.open(engine, **options) as store,
        ):
            yield within(store, engine.begin)
