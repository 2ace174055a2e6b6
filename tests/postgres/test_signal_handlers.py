"""A signal handler that calls the store in the middle of a call, on PostgreSQL.

There a write may wait for another thread's head, or be in the middle of a statement.
"""

import pytest
from sqlalchemy import create_engine

from eventstore import ConversationStore, StoreBusy
from tests.concurrency.reentry import (
    INSIDE,
    hold_at_every_moment,
    hold_through_signals,
    say,
    signals_at_random,
)

pytestmark = pytest.mark.newest_postgres


@pytest.fixture(params=["url", "engine"])
def opened(request, url):
    target = url if request.param == "url" else create_engine(url)
    with ConversationStore.open(target, durability="as_is") as store:
        yield store
    if not isinstance(target, str):
        target.dispose()


def test_a_call_at_any_moment_of_another_is_refused_and_harms_nothing(opened):
    thread_id = opened.threads.create().id
    calls = (
        lambda: say(opened, thread_id, "x"),
        lambda: opened.messages.list(thread_id),
    )
    calls[0]()
    for outer in calls:
        for inner in calls:
            hold_at_every_moment(opened, outer, inner, every=13)


def test_signals_at_random_moments_of_writes_harm_nothing(store):
    aside = store.threads.create().id
    say(store, aside, "one")
    hold_through_signals(store, 100, lambda: store.messages.list(aside))
    hold_through_signals(store, 100, lambda: say(store, aside, "from a handler"))


def test_a_handler_is_answered_while_its_thread_waits_for_a_head(url, engine):
    refused = []
    with ConversationStore.open(url, durability="as_is", busy_timeout_seconds=0.3) as store:
        thread_id = store.threads.create().id

        def handler():
            try:
                say(store, store.threads.create().id, "x")
            except StoreBusy as error:
                refused.append(error.problem)

        with engine.begin() as connection:
            store.messages.create(thread_id, role="user", content="x", connection=connection)
            with signals_at_random(handler), pytest.raises(StoreBusy) as told:
                say(store, thread_id, "waits")
        assert INSIDE not in told.value.problem
        assert any(INSIDE in problem for problem in refused)
        assert store.projections.compare().ok
