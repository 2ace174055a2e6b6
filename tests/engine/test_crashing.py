"""An engine that dies at any request leaves a run that another one ends well."""

import itertools

import pytest

from eventstore import OutcomeUnknown, StoreBusy, StoreUnavailable
from eventstore.engine import replay, working
from eventstore.engine.requests import Ask, Together
from tests.conftest import LONG
from tests.engine.crashing import Life

EACH = 1 if LONG else 3
"""Of three requests in a row one is struck each time, and all of them in the long run."""


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
def test_a_run_survives_a_death_at_every_request(store, monkeypatch, after):
    for at in itertools.count(1, EACH):
        thread = store.threads.create(messages=[{"role": "user", "content": "Go."}])
        life = Life(store, thread)
        if not life.dies(monkeypatch, at, after=after):
            break
        run = life.goes_on()
        assert run.status == "completed", at
        assert life.calls["careful"] <= 1, at
        assert life.calls["again"] >= 1, at
        messages = store.messages.list(thread.id)
        roles = [message.role for message in messages if message.status == "completed"]
        assert roles == ["user", "assistant", "tool", "tool", "tool", "assistant"], at
        report = replay(store, thread.id, run.id)
        assert report.same, (at, report.difference)
    assert at > 10


GONE = StoreUnavailable("connection_lost", "the server is gone", "Wait.")
TROUBLES = {
    "busy": (StoreBusy("the database is busy"), (Ask, Together), False),
    "gone": (GONE, (Ask, Together), False),
    "unknown, not written": (OutcomeUnknown("the connection broke"), Together, False),
    "unknown, written": (OutcomeUnknown("the connection broke"), Together, True),
}


@pytest.mark.parametrize("trouble", TROUBLES)
def test_a_run_survives_an_error_of_the_store_at_every_request(store, monkeypatch, trouble):
    error, kinds, after = TROUBLES[trouble]
    monkeypatch.setattr(working, "_TROUBLE_SECONDS", 0.0)
    for at in itertools.count(1, EACH):
        thread = store.threads.create(messages=[{"role": "user", "content": "Go."}])
        life = Life(store, thread)
        run, struck = life.in_trouble(monkeypatch, at, error, kinds, after=after)
        assert run.status == "completed", (at, run.error)
        assert life.calls == {"careful": 1, "again": 1}, at
        roles = [message.role for message in store.messages.list(thread.id)]
        assert roles == ["user", "assistant", "tool", "tool", "tool", "assistant"], at
        assert replay(store, thread.id, run.id).same
        if not struck:
            break
    assert at > 5
