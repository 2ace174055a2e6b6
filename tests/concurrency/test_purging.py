"""Purges beside appends and forks, on a file that several stores have open."""

from eventstore import ConversationStore
from tests.concurrency.purging import everybody_at_once


def test_purges_forks_and_appends_at_once(tmp_path):
    everybody_at_once(lambda: ConversationStore.open(f"sqlite:///{tmp_path}/chat.db"))
