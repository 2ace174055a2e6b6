"""Law 9: only the moves of the table exist, one run past queued, all in the order sent."""

import itertools

import pytest

from eventstore import ConversationStore, Refused
from eventstore.conversation.run_lifecycle import MOVES, TERMINAL, next_status

EVENTS = sorted({event for moves in MOVES.values() for event in moves})
STATUSES = [*MOVES, *sorted(TERMINAL)]

# Written out again, from the domain's table and not from the code's.
LEGAL = {
    ("queued", "RunStarted"): "in_progress",
    ("queued", "RunCancelled"): "cancelled",
    ("queued", "RunExpired"): "expired",
    ("queued", "RunFailed"): "failed",
    ("in_progress", "RunActionRequired"): "requires_action",
    ("in_progress", "RunCompleted"): "completed",
    ("in_progress", "RunIncomplete"): "incomplete",
    ("in_progress", "RunFailed"): "failed",
    ("in_progress", "RunCancelling"): "cancelling",
    ("in_progress", "RunExpired"): "expired",
    ("in_progress", "RunTakenOver"): "in_progress",
    ("requires_action", "ToolOutputsSubmitted"): "queued",
    ("requires_action", "RunCancelling"): "cancelling",
    ("requires_action", "RunExpired"): "expired",
    ("requires_action", "RunFailed"): "failed",
    ("cancelling", "RunTakenOver"): "cancelling",
    ("cancelling", "RunCancelled"): "cancelled",
    ("cancelling", "RunCompleted"): "completed",
    ("cancelling", "RunFailed"): "failed",
    ("cancelling", "RunIncomplete"): "incomplete",
    ("cancelling", "RunExpired"): "expired",
}


@pytest.mark.parametrize(("status", "event"), list(itertools.product(STATUSES, EVENTS)))
def test_only_the_moves_of_the_table_exist(status, event):
    if (status, event) in LEGAL:
        assert next_status(status, event, "run_1") == LEGAL[status, event]
    else:
        with pytest.raises(Refused):
            next_status(status, event, "run_1")


def test_runs_and_messages_are_taken_in_the_order_they_were_sent():
    with ConversationStore.open("sqlite://") as store:
        thread = store.threads.create().id
        runs = []
        for number in range(5):
            runs.append(store.runs.create(thread).id)
            store.messages.create(thread, role="user", content=f"after run {number}")
        for later in runs[1:]:
            with pytest.raises(Refused, match="was sent before"):
                store.runs.start(thread, later)
        for number, run in enumerate(runs):
            store.runs.start(thread, run)
            for later in runs[number + 1 :]:
                with pytest.raises(Refused, match="is under way"):
                    store.runs.start(thread, later)
            store.runs.complete(thread, run)
            expected = [f"after run {sent}" for sent in range(number + 1)]
            assert [message.text for message in store.messages.list(thread)] == expected
