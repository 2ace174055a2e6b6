"""A store with encryption passes the same suite as one without."""

from contextlib import contextmanager

import pytest

from eventstore import AsyncConversationStore, ConversationStore
from eventstore.testing.conformance import ConformanceSuite, blocking, within
from tests.conformance.test_ways_of_running import engine_at
from tests.encryption.vaults import in_a_file, in_the_database


class TestSyncWithKeysInAFile(ConformanceSuite):
    def opened(self, place):
        encryption = in_a_file(place)
        return ConversationStore.open(f"sqlite:///{place}/chat.db", encryption=encryption)


@pytest.mark.long
class TestAsyncWithKeysInAFile(ConformanceSuite):
    def opened(self, place):
        encryption = in_a_file(place)
        return blocking(
            lambda: AsyncConversationStore.open(f"sqlite:///{place}/chat.db", encryption=encryption)
        )


@pytest.mark.long
class TestSyncInMemoryWithKeysInTheDatabase(ConformanceSuite):
    lasting = False

    def opened(self, place):  # noqa: ARG002 (in memory)
        return ConversationStore.open("sqlite://", encryption=in_the_database())


@pytest.mark.long
class TestAsyncWithKeysInTheDatabase(ConformanceSuite):
    def opened(self, place):
        return blocking(
            lambda: AsyncConversationStore.open(
                f"sqlite:///{place}/chat.db", encryption=in_the_database()
            )
        )


@pytest.mark.long
class TestWithinTheApplicationsTransactionsWithKeysInAFile(ConformanceSuite):
    @contextmanager
    def opened(self, place):
        url = f"sqlite:///{place}/chat.db"
        encryption = in_a_file(place)
        with engine_at(url) as engine, ConversationStore.open(url, encryption=encryption) as store:
            yield within(store, engine.begin)


@pytest.mark.long
class TestWithinTheApplicationsTransactionsWithKeysInTheDatabase(ConformanceSuite):
    @contextmanager
    def opened(self, place):
        url = f"sqlite:///{place}/chat.db"
        encryption = in_the_database()
        with engine_at(url) as engine, ConversationStore.open(url, encryption=encryption) as store:
            yield within(store, engine.begin)
