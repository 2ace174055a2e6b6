"""Stores for engines: a file of SQLite, and a thread with a question in it."""

import pytest

from eventstore import ConversationStore
from tests.engine.services.spans import spans

__all__ = ["spans"]


@pytest.fixture
def url(tmp_path):
    return f"sqlite:///{tmp_path / 'chat.db'}"


@pytest.fixture
def store(url):
    with ConversationStore.open(url) as opened:
        yield opened


@pytest.fixture
def thread(store):
    return store.threads.create(messages=[{"role": "user", "content": "Weather in Oslo?"}])
