"""Law 9 and the context law, with engines at work, in random lives of several engines and people.

Law 9: only legal moves of runs, one run past queued in a thread, and runs in the order they were
sent. Every run ends, no call stays open, and what must not be repeated is not.
"""

from collections import Counter

import pytest
from hypothesis import given

from eventstore import ConversationStore
from eventstore.conversation.commands import queue
from eventstore.engine import step
from tests.laws.engine_lives import World, check_lives
from tests.laws.examples import LONG, of_a_law
from tests.laws.test_laws_one_by_one import SEEDS

MOMENTS = 400 if LONG else 150


@of_a_law
@given(seed=SEEDS)
def test_runs_hold_to_the_laws_whatever_happens(seed):
    with ConversationStore.open("sqlite://") as store:
        World(store, seed).live(MOMENTS)


def test_a_holder_does_not_take_the_records_of_the_next_one_for_its_own():
    """An engine did not learn what became of its record, and another one recorded the same since.

    The first then made the call, too, and wrote with the fence of the second.
    """
    with ConversationStore.open("sqlite://") as store:
        World(store, 5397).live(400)


def lived(seeds):
    happened: Counter[str] = Counter()
    for seed in seeds:
        with ConversationStore.open("sqlite://") as store:
            world = World(store, seed)
            world.live(MOMENTS)
            happened += world.happened
    return happened


def test_these_lives_are_full():
    happened = lived(range(8, 16))
    for what in ("crashes", "models asked", "ask", "edit", "cancel", "answer", "remove"):
        assert happened[what] > 5, happened
    for what in ("effects of careful", "effects of again", "results"):
        assert happened[what] > 1, happened


def test_a_tool_that_is_repeated_is_noticed(monkeypatch):
    reason = step._reason  # noqa: SLF001

    def careless(call, rules):
        return None if call.status == "unknown" else reason(call, rules)

    monkeypatch.setattr(step, "_reason", careless)
    with pytest.raises(AssertionError, match="was made again"):
        lived(range(80))


def test_a_call_that_is_left_open_is_noticed(monkeypatch):
    monkeypatch.setattr(queue, "closed_by", lambda _view, _run, head, *_: ([], head))
    with pytest.raises(AssertionError):
        lived(range(80))


def test_a_run_out_of_turn_is_noticed():
    class Event:
        def __init__(self, type_, run):
            self.type, self.data = type_, {"run_id": run}

    queued = [Event("RunQueued", "a"), Event("RunQueued", "b")]
    for wrong, words in [
        ([Event("RunStarted", "b")], "before its turn"),
        ([Event("RunStarted", "a"), Event("RunStarted", "b")], "two runs at once"),
        ([Event("RunCompleted", "a")], "of a run that is queued"),
    ]:
        with pytest.raises(AssertionError, match=words):
            check_lives([*queued, *wrong])
