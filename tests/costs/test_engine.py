"""What an engine asks of the database for a run: a statement is a trip on a server."""

import pytest

from eventstore import ConversationStore
from eventstore.engine import Engine
from eventstore.engine.models import ScriptedModel

RUNS = 10


@pytest.fixture
def store(effort, tmp_path):
    del effort  # it counts on stores that are opened after it
    with ConversationStore.open(f"sqlite:///{tmp_path / 'chat.db'}") as opened:
        yield opened


def test_a_run_takes_few_statements(store, effort):
    """Three commits and a read, about 15 statements each; its engine's own looks are rare."""

    def answer():
        run = engine.run(thread.id, model="m", messages=[{"role": "user", "content": "Why?"}])
        assert engine.execute(thread.id, run.id).status == "completed"

    def answers():
        for _ in range(RUNS):
            answer()

    with Engine(store, models={"m": ScriptedModel(lambda _: "So.")}) as engine:
        thread = store.threads.create()
        answer()
        took = effort(answers)
    assert took.statements <= 60 * RUNS
