"""A store in memory, with a thread that has something in it."""

import pytest

from eventstore import ConversationStore


@pytest.fixture
def store():
    with ConversationStore.open("sqlite://") as opened:
        yield opened


@pytest.fixture
def thread(store):
    return store.threads.create()


@pytest.fixture
def question(store, thread):
    return store.messages.create(thread.id, role="user", content="Why is the sky blue?")
