"""Finding the runs that have not ended costs the same, however many have."""

from typing import Any

import pytest

from eventstore import ConversationStore
from tests.effort import assert_flat

FEW, MANY = 20, 200


@pytest.fixture
def store(effort):
    del effort  # it counts on stores that are opened after it
    with ConversationStore.open("sqlite://") as opened:
        yield opened


def crowded(store, ended):
    """A tenant with many runs that ended, and a few that did not."""
    thread = store.threads.create().id
    for _ in range(ended):
        run = store.runs.create(thread, queue="mail").id
        store.runs.start(thread, run, holder="worker-1")
        store.runs.complete(thread, run)
    for holder in ("worker-1", "worker-2"):
        other = store.threads.create().id
        run = store.runs.create(other, queue="mail").id
        store.runs.start(other, run, holder=holder, lease_seconds=0)
        store.runs.create(other)


ASKED: list[dict[str, Any]] = [
    {},
    {"lease_ended": True},
    {"status": "queued"},
    {"holder": "worker-1"},
    {"queue": "mail"},
    {"queue": None, "status": ["queued", "requires_action"]},
    {"status": "completed", "limit": 5},
]


def test_it_takes_the_same_after_few_runs_and_after_many(store, effort):
    for tenant, ended in (("small", FEW), ("large", MANY)):
        crowded(store.tenant(tenant), ended)
    for asked in ASKED:
        counts = [effort(store.tenant(one).runs.list, **asked) for one in ("small", "large")]
        assert_flat(*counts)


def test_a_page_of_many_runs_takes_few_statements(store, effort):
    """About five statements for 32 runs, however many events each has."""
    for number in range(50):
        thread = store.threads.create().id
        for _ in range(2):
            run = store.runs.create(thread).id
            store.runs.start(thread, run, holder=f"worker-{number}")
            if number % 2:
                store.runs.fail(thread, run, code="server_error")
            else:
                store.runs.complete(thread, run)
    page = store.runs.list(status=["completed", "failed"])
    assert list(page) == [store.runs.get(one.thread_id, one.id) for one in page]
    assert len(page.data) == 100
    assert effort(store.runs.list, status=["completed", "failed"]).statements <= 30
