"""Two versions of the library on one database: stamps on each thread keep them from harm."""

import pytest

from eventstore import ConversationStore, SchemaTooNew
from eventstore.conversation.rows import PROJECTION_VERSION
from tests.storage.lives import ask
from tests.storage.test_chain import tampered


@pytest.fixture
def url(path):
    return f"sqlite:///{path}"


@pytest.fixture
def thread(url):
    with ConversationStore.open(url) as store:
        made = store.threads.create(title="x")
        store.messages.create(made.id, role="user", content="one")
        return made


def test_rows_of_a_newer_version_are_not_appended_to(url, path, thread):
    newer = PROJECTION_VERSION + 1
    tampered(path, f"UPDATE threads SET projection_version = {newer}")
    with ConversationStore.open(url) as store:
        with pytest.raises(SchemaTooNew, match=f"rows {newer}"):
            store.messages.create(thread.id, role="user", content="two")
        assert store.threads.create().version == 1, "other threads go on"
    assert ask(path, "SELECT count(*) FROM events WHERE type = 'MessageAdded'") == [(1,)]


def test_rows_of_an_older_version_are_made_again_before_an_append(url, path, thread):
    older = PROJECTION_VERSION - 1
    tampered(path, f"UPDATE threads SET open_runs = 9, projection_version = {older}")
    tampered(path, "UPDATE streams SET summary = NULL")
    with ConversationStore.open(url) as store:
        said = store.messages.create(thread.id, role="user", content="two")
        first, second = store.messages.list(thread.id)
        assert (first.text, second.id, second.parent_id) == ("one", said.id, first.id)
        assert store.projections.compare().ok
    assert ask(path, "SELECT projection_version FROM threads") == [(PROJECTION_VERSION,)]
