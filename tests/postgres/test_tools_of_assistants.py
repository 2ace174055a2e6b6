"""Tools of an assistant on PostgreSQL, all kinds in one run."""

import pytest

from eventstore import ConversationStore
from tests.engine.services.assistants import answered


@pytest.mark.newest_postgres
def test_an_assistant_uses_each_kind_of_tool(server, migrated):
    with ConversationStore.open(server.url(database=migrated), durability="as_is") as store:
        run, _, answers = answered(store)
        assert [answer[0].status for answer in answers] == ["completed"] * 7
        kept = [message for message in store.messages.list(run.thread_id) if message.role == "tool"]
    assert kept[2].content == answers[2]
