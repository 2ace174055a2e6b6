"""Corners where two features meet: each of these went wrong once."""

import asyncio
import sqlite3

import pytest

from eventstore import (
    AsyncConversationStore,
    ConversationStore,
    InvalidInput,
    MessageNotFound,
    NewEvent,
    Refused,
    Thread,
    ThreadNotFound,
)

CALL = {"type": "tool_call", "id": "call_1", "name": "weather"}


@pytest.fixture
def store():
    with ConversationStore.open("sqlite://") as opened:
        yield opened


@pytest.fixture
def thread(store):
    return store.threads.create().id


def say(store, thread, text, role="user", **options):
    return store.messages.create(thread, role=role, content=text, **options)


def texts(store, thread):
    return [message.text for message in store.messages.list(thread)]


async def test_a_refused_batch_leaves_what_its_neighbours_decided(tmp_path):
    async with AsyncConversationStore.open(f"sqlite:///{tmp_path / 'chat.db'}") as store:
        thread = (await store.threads.create()).id
        nowhere = "msg_" + "0" * 32
        bad = [
            {"role": "user", "content": "a"},
            {"role": "user", "content": "b", "parent_id": nowhere},
        ]

        one, refused, two = await asyncio.gather(
            store.threads.update(thread, title="one"),
            store.messages.create_many(thread, bad),
            store.threads.update(thread, title="two"),
            return_exceptions=True,
        )

        assert isinstance(one, Thread)
        assert isinstance(two, Thread)
        assert (one.title, two.title) == ("one", "two")
        assert isinstance(refused, MessageNotFound)
        assert (await store.projections.compare()).ok


def test_a_rebuild_reaches_the_process_that_runs_it(tmp_path):
    path = tmp_path / "chat.db"
    with ConversationStore.open(f"sqlite:///{path}") as store:
        thread = store.threads.create().id
        with sqlite3.connect(path) as vandal:
            vandal.execute("UPDATE threads SET archived = 1")
        vandal.close()
        with pytest.raises(Refused):
            say(store, thread, "hello")

        store.projections.rebuild()

        assert say(store, thread, "hello").text == "hello"


def test_a_fork_is_found_by_the_metadata_it_was_forked_with(store):
    source = store.threads.create(metadata={"v": 1}).id
    say(store, source, "hello")
    store.threads.update(source, metadata={"v": 2})
    fork = store.threads.fork(source, at_version=2).id
    store.projections.rebuild()

    assert store.threads.get(fork).metadata == {"v": 1}
    assert [found.id for found in store.threads.list(metadata={"v": 1})] == [fork]
    assert [found.id for found in store.threads.list(metadata={"v": 2})] == [source]
    assert store.projections.compare().ok


def test_comparing_sees_what_threads_and_messages_are_found_by(tmp_path):
    path = tmp_path / "chat.db"
    with ConversationStore.open(f"sqlite:///{path}") as store:
        thread = store.threads.create(metadata={"user": "u"}).id
        say(store, thread, "hello", external_id="e1")
        with sqlite3.connect(path) as vandal:
            vandal.execute("DELETE FROM thread_metadata")
            vandal.execute("UPDATE external_ids SET external_id = 'e2'")
        vandal.close()

        report = store.projections.compare()

        assert sorted(finding.kind for finding in report.findings) == [
            "extra_row",
            "missing_row",
            "missing_row",
        ]
        store.projections.rebuild()
        assert store.projections.compare().ok


def test_comparing_a_thread_that_is_not_there_says_so(store):
    with pytest.raises(ThreadNotFound):
        store.projections.compare("thread_" + "0" * 32)


@pytest.mark.parametrize(
    ("stored", "asked", "found"),
    [(1.2345678, 1.2345679, 0), (1000000.0, 1000000.4, 0), (1000000.0, 1000000, 1), (0.1, 0.1, 1)],
)
def test_numbers_are_found_by_their_value(store, stored, asked, found):
    store.threads.create(metadata={"n": stored})
    assert len(store.threads.list(metadata={"n": asked})) == found


def test_rolling_back_to_a_removed_message_goes_to_what_is_left_of_its_path(store, thread):
    say(store, thread, "a")
    start = say(store, thread, "b", role="assistant")
    run = store.runs.create(thread)
    store.runs.start(thread, run.id)
    store.messages.remove(thread, start.id)

    say(store, thread, "c", on_busy="rollback")

    assert texts(store, thread) == ["a", "c"]


def test_a_restored_message_does_not_come_between_a_later_runs_messages(store, thread):
    say(store, thread, "u")
    first, waits = store.runs.create(thread), say(store, thread, "q")
    second = store.runs.create(thread)
    store.messages.remove(thread, waits.id)
    store.runs.start(thread, first.id)
    store.runs.complete(thread, first.id)
    store.runs.start(thread, second.id)
    say(store, thread, "one", role="assistant", run_id=second.id)

    store.messages.restore(thread, waits.id)
    say(store, thread, "two", role="assistant", run_id=second.id)
    assert texts(store, thread) == ["u", "one", "two"]

    store.runs.complete(thread, second.id)
    assert texts(store, thread) == ["u", "one", "two", "q"]


@pytest.mark.parametrize("option", [{"select": False}, {"status": "incomplete"}])
def test_a_message_that_would_wait_cannot_be_told_what_is_lost_by_waiting(store, thread, option):
    store.runs.create(thread)
    with pytest.raises(Refused, match="busy"):
        say(store, thread, "later", **option)


def test_an_edit_keeps_to_what_its_role_may_say(store, thread):
    asked = say(store, thread, "weather?")
    with pytest.raises(InvalidInput, match="tool_call"):
        store.messages.edit(thread, asked.id, content=[CALL])
    store.messages.create(thread, role="assistant", content=[CALL])
    result = {"type": "tool_result", "call_id": "call_1", "output": "rain"}
    answer = store.messages.create(thread, role="tool", content=[result])
    with pytest.raises(InvalidInput, match="tool_result"):
        store.messages.edit(thread, answer.id, content="rain")


def test_the_label_of_a_removed_message_can_be_freed(store, thread):
    first, second = say(store, thread, "a"), say(store, thread, "b")
    store.branches.label(thread, second.id, "here")
    store.messages.remove(thread, second.id)
    store.branches.label(thread, second.id, None)
    assert store.branches.label(thread, first.id, "here").label == "here"
    assert store.branches.select(thread, "here").leaf_id == first.id


def test_a_label_cannot_look_like_an_id(store, thread):
    message = say(store, thread, "a")
    with pytest.raises(InvalidInput, match="label"):
        store.branches.label(thread, message.id, "msg_x")


def test_a_busy_thread_is_not_archived(store, thread):
    store.runs.create(thread)
    with pytest.raises(Refused, match="run"):
        store.threads.archive(thread)


def test_tool_outputs_are_not_written_under_a_removed_message(store, thread):
    run = store.runs.create(thread)
    store.runs.start(thread, run.id)
    call = store.messages.create(thread, role="assistant", content=[CALL], run_id=run.id)
    store.runs.require_action(thread, run.id)
    store.messages.remove(thread, call.id)
    with pytest.raises(Refused, match="removed"):
        store.runs.submit_tool_outputs(thread, run.id, [{"call_id": "call_1", "output": 1}])


def test_the_first_child_at_the_end_of_a_fork_is_below_it_selected_or_not(store, thread):
    end = say(store, thread, "a")
    fork = store.threads.fork(thread).id
    child = say(store, fork, "b", select=False)
    assert store.messages.list(fork, branch=end.id)[-1].id == child.id


def test_a_fork_finds_inherited_messages_by_their_external_id(store, thread):
    said = say(store, thread, "a", external_id="e1")
    fork = store.threads.fork(thread).id
    assert store.messages.get(fork, external_id="e1").id == said.id


def test_an_external_id_used_again_finds_the_message_that_is_there(store, thread):
    gone = say(store, thread, "a", external_id="e1")
    store.messages.remove(thread, gone.id)
    here = say(store, thread, "b", external_id="e1")
    assert store.messages.get(thread, external_id="e1").id == here.id


def test_the_context_of_a_regenerating_run_leaves_out_the_answer_it_replaces(store, thread):
    say(store, thread, "u")
    answer = say(store, thread, "a", role="assistant")
    run = store.runs.create(thread, regenerates=answer.id)
    before = [message.text for message in store.runs.context(thread, run.id).messages]
    store.runs.start(thread, run.id)
    after = [message.text for message in store.runs.context(thread, run.id).messages]
    assert before == after == ["u"]


def test_a_step_that_never_reported_is_abandoned_when_its_run_ends(store, thread):
    run = store.runs.create(thread)
    store.runs.start(thread, run.id)
    store.runs.steps.start(thread, run.id)
    ended = store.runs.complete(thread, run.id).ended_at
    (step,) = store.runs.steps.list(thread, run.id)
    assert (step.status, step.ended_at) == ("abandoned", ended)


def test_a_cursor_of_one_branch_does_not_list_another(store, thread):
    first = say(store, thread, "a")
    say(store, thread, "b")
    page = store.messages.list(thread, limit=1)
    with pytest.raises(InvalidInput, match="cursor"):
        store.messages.list(thread, branch=first.id, after=page.next_cursor, limit=1)


def test_the_past_of_a_deleted_thread_is_not_listed(store, thread):
    say(store, thread, "a")
    store.threads.delete(thread)
    with pytest.raises(ThreadNotFound):
        store.messages.list(thread, at_version=2)


def test_an_append_of_the_applications_own_does_not_disturb_threads(store, thread):
    say(store, thread, "a")
    stream = "invoice_" + "0" * 32
    store.events.append(stream, [NewEvent(type="Sent")], expected_version="no_stream")
    assert [event.type for event in store.events.read(stream)] == ["Sent"]
    assert store.projections.compare().ok


# -- removing, restoring, and the head -------------------------------------------------------------


def test_restoring_moves_no_head_that_removing_did_not_move(store, thread):
    """A first child is what the tree would go on to, though nobody ever selected it."""
    first = say(store, thread, "first")
    aside = say(store, thread, "aside", select=False)
    store.messages.remove(thread, aside.id)
    store.messages.restore(thread, aside.id)
    assert store.threads.get(thread).head_id == first.id
    assert store.projections.compare().ok


def test_restoring_moves_no_head_that_came_there_another_way(store, thread):
    first = say(store, thread, "first")
    second = say(store, thread, "second")
    other = say(store, thread, "other", parent_id=None)
    store.messages.remove(thread, second.id)  # the head is elsewhere
    store.branches.select(thread, first.id)
    store.messages.restore(thread, second.id)
    assert store.threads.get(thread).head_id == first.id
    assert other.id != first.id
    assert store.projections.compare().ok


def test_what_a_source_removes_a_fork_still_has(store, thread):
    say(store, thread, "first")
    second = say(store, thread, "second")
    fork = store.threads.fork(thread).id
    store.messages.remove(thread, second.id)
    assert [(one.text, one.removed) for one in store.messages.list(fork)] == [
        ("first", False),
        ("second", False),
    ]
    assert store.messages.get(fork, second.id).removed is False
    assert store.projections.compare().ok
