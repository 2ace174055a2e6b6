"""A file with a full life in it, to be looked at and tampered with from outside."""

import pytest

from eventstore import ConversationStore
from tests.storage.lives import environment, full_life


@pytest.fixture
def store():
    with ConversationStore.open("sqlite://", environment=environment()) as opened:
        yield opened


@pytest.fixture
def path(tmp_path):
    return tmp_path / "chat.db"


@pytest.fixture
def lived(path):
    """The same file, with a full life in it."""
    with ConversationStore.open(f"sqlite:///{path}", environment=environment()) as opened:
        full_life(opened)
    return path
