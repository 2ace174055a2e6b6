"""The events of a run that goes on stay in the writer's memory: no words longer than they may."""

import pytest


@pytest.fixture
def run(store):
    thread = store.threads.create(messages=[{"role": "user", "content": "Why?"}])
    made = store.runs.create(
        thread.id, instructions="Mention Ada.", settings={"response_format": {"type": "text"}}
    )
    return store.runs.start(thread.id, made.id, holder="me")


def test_words_that_are_erased_while_a_run_goes_on_are_not_in_its_next_value(store, run):
    assert store.runs.heartbeat(run.thread_id, run.id, fence=run.fence).instructions is not None
    said = store.messages.create(
        run.thread_id, role="assistant", content="Ada.", run_id=run.id, fence=run.fence
    )
    store.privacy.erase(run.thread_id, said.id, include=["run"])
    assert store.runs.heartbeat(run.thread_id, run.id, fence=run.fence).instructions is None
    assert store.runs.complete(run.thread_id, run.id, fence=run.fence).instructions is None


def test_a_value_that_somebody_changes_is_not_what_the_next_one_is_made_of(store, run):
    run.settings["response_format"]["type"] = "something else"
    after = store.runs.heartbeat(run.thread_id, run.id, fence=run.fence)
    assert after.settings == {"response_format": {"type": "text"}}


def test_each_write_of_a_run_returns_what_a_reader_finds(store, run):
    thread, fence = run.thread_id, {"fence": run.fence}
    step = store.runs.steps.start(thread, run.id, details={"n": 1}, **fence)
    assert store.runs.steps.list(thread, run.id) == [step]
    ended = store.runs.steps.complete(
        thread, step.id, usage={"input": 1, "output": 2}, details={"m": 2}, **fence
    )
    assert store.runs.steps.list(thread, run.id) == [ended]
    for write, options in (
        (store.runs.update, {"metadata": {"a": 1}}),
        (store.runs.heartbeat, fence),
        (store.runs.cancel, {}),
        (store.runs.cancel, fence),
    ):
        written = write(thread, run.id, **options)
        found = store.runs.get(thread, run.id)
        assert written == found
        assert written.model_dump_json() == found.model_dump_json()
        assert hash(written) == hash(found)
    assert store.runs.get(thread, run.id).status == "cancelled"
