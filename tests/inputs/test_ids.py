"""Ids: their shape, whether they are taken, and that every place that takes one says so."""

import pytest

from eventstore import InvalidInput
from tests.inputs.untouched import refused, untouched

HEX = "0123456789abcdef" * 2
MALFORMED = [
    "",
    HEX,
    "thread",
    "{prefix}",
    "{prefix}_",
    "{prefix}_" + HEX[:31],
    "{prefix}_" + HEX + "0",
    "{prefix}_" + HEX.upper(),
    "{prefix}_" + HEX[:31] + "g",
    "{prefix}_" + HEX + "\n",
    " {prefix}_" + HEX,
    "{prefix}-" + HEX,
    "other_" + HEX,
    "{prefix}_\u0660" + HEX[1:],
    5,
    b"{prefix}_" + HEX.encode(),
    ["{prefix}_" + HEX],
]


def taking_ids(store):
    """Every argument that takes an id: its field, its prefix, and a call with it."""
    thread = f"thread_{HEX}"
    message = f"msg_{HEX}"
    run = f"run_{HEX}"
    threads, messages, runs = store.threads, store.messages, store.runs
    say = {"role": "user", "content": "x"}
    return [
        ("thread_id", "thread", lambda v: threads.create(thread_id=v)),
        ("thread_id", "thread", threads.get),
        ("thread_id", "thread", lambda v: threads.update(v, title="x")),
        ("thread_id", "thread", threads.fork),
        ("fork_id", "thread", lambda v: threads.fork(thread, fork_id=v)),
        ("at_message", "msg", lambda v: threads.fork(thread, at_message=v)),
        ("thread_id", "thread", threads.archive),
        ("thread_id", "thread", threads.unarchive),
        ("thread_id", "thread", threads.delete),
        ("thread_id", "thread", threads.restore),
        ("thread_id", "thread", lambda v: threads.batch(v).__enter__()),
        ("thread_id", "thread", lambda v: messages.create(v, **say)),
        ("message_id", "msg", lambda v: messages.create(thread, message_id=v, **say)),
        ("parent_id", "msg", lambda v: messages.create(thread, parent_id=v, **say)),
        ("run_id", "run", lambda v: messages.create(thread, run_id=v, **say)),
        ("thread_id", "thread", lambda v: messages.create_many(v, [say])),
        ("thread_id", "thread", lambda v: messages.get(v, message)),
        ("message_id", "msg", lambda v: messages.get(thread, v)),
        ("thread_id", "thread", messages.list),
        ("until", "msg", lambda v: messages.list(thread, until=v)),
        ("after", "msg", lambda v: messages.list(thread, after=v)),
        ("before", "msg", lambda v: messages.list(thread, before=v)),
        ("message_id", "msg", lambda v: messages.edit(thread, v, content="x")),
        (
            "new_message_id",
            "msg",
            lambda v: messages.edit(thread, message, content="x", new_message_id=v),
        ),
        ("message_id", "msg", lambda v: messages.regenerate(thread, v, content="x")),
        ("message_id", "msg", lambda v: messages.amend(thread, v, content="x")),
        ("message_id", "msg", lambda v: messages.update(thread, v, name="x")),
        ("message_id", "msg", lambda v: messages.remove(thread, v)),
        ("message_id", "msg", lambda v: messages.restore(thread, v)),
        ("message_id", "msg", lambda v: messages.revisions(thread, v)),
        ("thread_id", "thread", messages.queued),
        ("thread_id", "thread", store.branches.list),
        ("thread_id", "thread", store.branches.tree),
        ("message_id", "msg", lambda v: store.branches.label(thread, v, "x")),
        ("message_id", "msg", lambda v: store.branches.siblings(thread, v)),
        ("thread_id", "thread", runs.create),
        ("run_id", "run", lambda v: runs.create(thread, run_id=v)),
        ("assistant_id", "asst", lambda v: runs.create(thread, assistant_id=v)),
        ("regenerates", "msg", lambda v: runs.create(thread, regenerates=v)),
        ("run_id", "run", lambda v: runs.start(thread, v)),
        ("run_id", "run", lambda v: runs.get(thread, v)),
        ("run_id", "run", lambda v: runs.context(thread, v)),
        ("step_id", "step", lambda v: runs.context(thread, run, step_id=v)),
        ("leave_out", "msg", lambda v: runs.context(thread, run, leave_out=[v])),
        ("run_id", "run", lambda v: runs.steps.start(thread, v)),
        ("step_id", "step", lambda v: runs.steps.start(thread, run, step_id=v)),
        ("step_id", "step", lambda v: runs.steps.complete(thread, v)),
        ("step_id", "step", lambda v: runs.steps.fail(thread, v)),
        ("run_id", "run", lambda v: runs.steps.list(thread, v)),
        ("assistant_id", "asst", lambda v: store.assistants.create(assistant_id=v)),
        ("assistant_id", "asst", store.assistants.get),
        ("assistant_id", "asst", store.assistants.versions),
        ("thread_id", "thread", store.replay.state),
        ("thread_id", "thread", store.replay.steps),
        ("thread_id", "thread", lambda v: store.replay.diff(v, from_version=1)),
        ("thread_id", "thread", store.projections.rebuild),
        ("expected_head", "msg", lambda v: messages.create(thread, expected_head=v, **say)),
    ]


def test_a_malformed_id_is_refused_wherever_one_is_taken(store):
    for field, prefix, call in taking_ids(store):
        for shape in MALFORMED:
            given = shape.replace("{prefix}", prefix) if isinstance(shape, str) else shape
            if field == "after" and given == "":
                continue
            with untouched(store), pytest.raises(InvalidInput) as caught:
                call(given)
            assert caught.value.field == field, given
            assert f"{prefix}_<32 lowercase hex digits>" in caught.value.remedy


@pytest.mark.parametrize(
    "stream_id",
    ["", HEX, f"Invoice_{HEX}", f"1nvoice_{HEX}", f"{'x' * 33}_{HEX}", f"in-voice_{HEX}", None, 5],
)
def test_a_malformed_stream_id_is_refused(store, stream_id):
    with refused(store, "stream_id", "<category>_<32 lowercase hex digits>"):
        store.events.append(stream_id, [{"type": "Sent"}], expected_version="any")
    with refused(store, "stream_id"):
        store.events.read(stream_id)


@pytest.mark.parametrize("category", ["thread", "asst", "store"])
def test_streams_of_the_library_are_not_appended_to_by_hand(store, category):
    with refused(store, "stream_id", "category of your own"):
        store.events.append(f"{category}_{HEX}", [{"type": "Sent"}], expected_version="any")


@pytest.mark.parametrize("event_id", ["", HEX, f"evt_{HEX.upper()}", f"msg_{HEX}"])
def test_a_malformed_event_id_is_refused(store, event_id):
    with refused(store, "events[0].event_id"):
        store.events.append(
            f"invoice_{HEX}", [{"type": "Sent", "event_id": event_id}], expected_version="any"
        )


def test_an_id_in_use_is_refused_with_what_to_do(store, thread, question):
    run = store.runs.create(thread.id)
    store.runs.start(thread.id, run.id)
    step = store.runs.steps.start(thread.id, run.id)
    assistant = store.assistants.create()
    with refused(store, "thread_id", "Leave it out"):
        store.threads.create(thread_id=thread.id)
    with refused(store, "thread_id", "Leave it out"):
        store.threads.fork(thread.id, fork_id=thread.id)
    with refused(store, "message_id", "external_id"):
        store.messages.create(thread.id, role="user", content="x", message_id=question.id)
    with refused(store, "message_id", "external_id"):
        store.messages.edit(thread.id, question.id, content="x", new_message_id=question.id)
    with refused(store, "run_id", "Leave it out"):
        store.runs.create(thread.id, run_id=run.id)
    with refused(store, "step_id", "Leave it out"):
        store.runs.steps.start(thread.id, run.id, step_id=step.id)
    with refused(store, "assistant_id", "Leave it out"):
        store.assistants.create(assistant_id=assistant.id)


def test_an_id_inherited_by_a_fork_is_in_use_there_too(store, thread, question):
    fork = store.threads.fork(thread.id)
    with refused(store, "message_id"):
        store.messages.create(fork.id, role="user", content="x", message_id=question.id)


def test_the_same_message_id_may_stand_in_two_threads(store, question):
    other = store.threads.create()
    made = store.messages.create(other.id, role="user", content="x", message_id=question.id)
    assert made.id == question.id


def test_an_id_of_the_callers_own_is_taken_as_it_is(store):
    assert store.threads.create(thread_id=f"thread_{HEX}").id == f"thread_{HEX}"
