"""Title and metadata of a thread cost the same however often they were updated before."""

import pytest

from eventstore import ConversationStore
from tests.effort import assert_flat, events_decoded

FEW, MANY = 10, 600


def renamed(tenant, count):
    """A thread whose title was updated so often, and forks from before and after the last time."""
    thread = tenant.threads.create().id
    tenant.messages.create(thread, role="user", content="hello")
    for number in range(count):
        tenant.threads.update(thread, title=f"title {number}")
    early = tenant.threads.fork(thread).id
    tenant.threads.update(thread, title="the last one")
    return thread, tenant.threads.fork(thread).id, early


ACTS = {
    "threads.update, the title": lambda s, t, *_: s.threads.update(t, title="another"),
    "threads.get": lambda s, t, *_: s.threads.get(t),
    "threads.get, a fork": lambda s, _, fork, __: s.threads.get(fork),
    "threads.list": lambda s, *_: s.threads.list(),
    "threads.fork": lambda s, t, *_: s.threads.fork(t),
    "threads.update, a fork's title": lambda s, _, fork, __: s.threads.update(fork, title="own"),
    "threads.update, the metadata": lambda s, t, *_: s.threads.update(t, metadata={"a": 1}),
    "threads.archive": lambda s, t, *_: s.threads.archive(t),
}


@pytest.fixture
def store(effort):
    del effort  # it counts on stores that are opened after it
    with ConversationStore.open("sqlite://") as opened:
        yield opened


def test_they_cost_the_same_after_ten_updates_and_after_six_hundred(store, effort):
    few, many = store.tenant("few"), store.tenant("many")
    small, large = renamed(few, FEW), renamed(many, MANY)
    for act in ACTS.values():
        assert_flat(effort(act, few, *small), effort(act, many, *large), searches=1)
        decoded = [events_decoded(act, few, *small), events_decoded(act, many, *large)]
        assert decoded[0] == decoded[1]


def test_a_fork_finds_the_title_that_was_replaced_since_without_reading_all(store):
    few, many = store.tenant("few"), store.tenant("many")
    early = [renamed(few, FEW)[2], renamed(many, MANY)[2]]
    decoded = [
        events_decoded(few.threads.get, early[0]),
        events_decoded(many.threads.get, early[1]),
    ]
    assert decoded[0] == decoded[1]
    assert many.threads.get(early[1]).title == f"title {MANY - 1}"
