"""`eventstore worker` executes the runs of a queue in a process of its own, until it is stopped."""

import signal
import subprocess
import sys

import pytest

from eventstore import ConversationStore

APP = """
from pathlib import Path

from eventstore import AsyncConversationStore, ConversationStore
from eventstore.engine import AsyncEngine, Engine
from eventstore.engine.models import Gate, ScriptedModel

HERE = Path(__file__).parent


def answer(request):
    (HERE / "begun").touch()
    return "Rain."


MODELS = {"m": ScriptedModel(answer)}


def make():
    store = ConversationStore.open(f"sqlite:///{HERE / 'chat.db'}")
    return Engine(store, models=MODELS, queue="answers")


async def make_async():
    store = await AsyncConversationStore.open(f"sqlite+aiosqlite:///{HERE / 'chat.db'}")
    return AsyncEngine(store, models=MODELS, queue="answers")


nothing = None
"""
COMMAND = [sys.executable, "-c", "from eventstore.cli import main; main()", "worker"]


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "answering.py").write_text(APP)
    return tmp_path


def asked(store):
    thread = store.threads.create(messages=[{"role": "user", "content": "Weather?"}])
    return store.runs.create(thread.id, model="m", queue="answers")


def ends(store, run):
    return store.runs.wait(run.thread_id, run.id, timeout_seconds=60)


@pytest.mark.parametrize("name", ["make_async", pytest.param("make", marks=pytest.mark.long)])
def test_a_worker_executes_the_runs_of_its_queue_and_stops_when_told(folder, name):
    with ConversationStore.open(f"sqlite:///{folder / 'chat.db'}") as store:
        before = asked(store)
        process = subprocess.Popen(
            [*COMMAND, f"answering:{name}"], cwd=folder, stderr=subprocess.PIPE, text=True
        )
        assert (
            store.runs.wait(before.thread_id, before.id, timeout_seconds=60).status == "completed"
        )
        after = asked(store)
        assert store.runs.wait(after.thread_id, after.id, timeout_seconds=60).status == "completed"
        process.send_signal(signal.SIGTERM)
        _, said = process.communicate(timeout=60)
    assert process.returncode == 0
    assert "executes the queue answers" in said


@pytest.mark.parametrize(
    ("target", "words"),
    [
        ("answering", "is not MODULE:NAME"),
        ("nowhere:engine", "there is no module nowhere"),
        ("answering:engine", "answering has no engine"),
        ("answering:nothing", "NoneType is no engine"),
    ],
)
def test_a_name_that_leads_to_no_engine_is_an_error(run, folder, monkeypatch, target, words):
    monkeypatch.chdir(folder)
    monkeypatch.setattr(sys, "path", [*sys.path])
    result = run("worker", target)
    assert result.exit_code == 1
    assert words in " ".join(result.stderr.split())
