"""An engine that dies at any request leaves a run that another one ends well."""

import itertools

import pytest

from eventstore.engine import replay
from tests.engine.crashing import Life


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
def test_a_run_survives_a_death_at_every_request(store, monkeypatch, after):
    for at in itertools.count(1):
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
