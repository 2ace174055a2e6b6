"""Stores with a history: everything happens in them, they shrink, and they are closed."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from eventstore import AsyncConversationStore, ConversationStore, StoreClosed
from eventstore.testing.environments import fixed_environment, jumping_environment
from eventstore.testing.history import History, histories, stores_with_history
from eventstore.testing.history_actions import Step

EVERYTHING = History(
    (
        Step("say", text="Why?"),
        Step("answer", text="Because."),
        Step("edit", message=0, text="Why not?"),
        Step("answer", text="So."),
        Step("regenerate", message=3, text="Thus."),
        Step("select", message=1),
        Step("amend", message=1, text="Because of that."),
        Step("remove", message=1),
        Step("restore", message=1),
        Step("fork", message=0),
        Step("say", thread=1, text="In the fork."),
        Step("begin", text="Plans"),
        Step("retitle", thread=2, text="Other plans"),
        Step("begin_run", thread=2),
        Step("call_tool", thread=2, text="4 °C"),
        Step("answer", thread=2, text="It is cold."),
        Step("end_run", thread=2),
        Step("archive", thread=2),
        Step("unarchive", thread=2),
        Step("delete_thread", thread=2),
        Step("restore_thread", thread=2),
        Step("erase", message=1),
    )
)


def told(store):
    """What a store says of all events, ids and hashes apart: those that it made itself."""
    return [(event.stream_id[:6], event.version, event.type) for event in store.events.read_all()]


@pytest.fixture
def empty():
    with ConversationStore.open("sqlite://", environment=jumping_environment()) as store:
        yield store


def test_every_action_is_something_that_a_store_takes(empty):
    played = EVERYTHING.play(empty)
    assert played.refused == 0
    assert len(played.threads) == 3
    with pytest.raises(ValueError, match="there are") as found:
        histories(without=["?"])
    every = str(found.value).partition("there are ")[2].split(", ")
    assert {step.action for step in EVERYTHING.steps} == set(every)
    assert empty.projections.compare().findings == ()


async def test_both_faces_play_the_same(empty):
    played = EVERYTHING.play(empty)
    async with AsyncConversationStore.open("sqlite://", environment=jumping_environment()) as other:
        assert await EVERYTHING.play_async(other) == played
        assert [event async for event in other.events.read_all()] == list(empty.events.read_all())


def test_a_history_is_played_the_same_each_time_whatever_it_makes(empty):
    seen: list[History] = []

    @settings(max_examples=10)
    @given(histories())
    def play(history):
        tenants = [empty.tenant(f"t{len(seen)}-{number}") for number in range(2)]
        first, second = (history.play(tenant) for tenant in tenants)
        assert told(tenants[0]) == told(tenants[1])
        assert first.refused == second.refused
        seen.append(history)

    play()
    assert any(len(history.steps) > 3 for history in seen)


def test_a_store_is_open_in_its_example_and_closed_after_it():
    seen = []

    @settings(max_examples=5)
    @given(stores_with_history(max_steps=3))
    def look(store):
        assert store.projections.compare().ok
        seen.append(store)

    look()
    assert len(seen) >= 5
    for store in seen:
        with pytest.raises(StoreClosed):
            store.threads.list()


def test_what_is_shown_of_a_failing_test_is_the_shortest_history():
    @settings(max_examples=200)
    @given(stores_with_history(max_steps=12))
    def nobody_ever_edits(store):
        assert "MessageEdited" not in {event.type for event in store.events.read_all()}

    with pytest.raises(AssertionError) as found:
        nobody_ever_edits()
    [shown] = [note for note in found.value.__notes__ if "History" in note]
    assert [line.strip() for line in shown.splitlines() if "thread=" in line] == [
        "say(thread=0, text='a'),",
        "edit(thread=0, message=0, text='a'),",
    ]


def test_the_clock_is_the_one_that_was_asked_for():
    @settings(max_examples=5)
    @given(stores_with_history(environment=fixed_environment))
    def time_stands_still(store):
        assert len({event.recorded_at for event in store.events.read_all()}) == 1

    time_stands_still()


def test_actions_can_be_left_out_and_words_chosen():
    @settings(max_examples=20)
    @given(histories(without=["fork", "erase"], text=st.just("word"), max_steps=5))
    def look(history):
        assert not {"fork", "erase"} & {step.action for step in history.steps}
        assert {step.text for step in history.steps} <= {"word", ""}
        assert len(history.steps) <= 5

    look()


def test_an_action_that_there_is_not_is_named():
    with pytest.raises(ValueError, match="'shout'; there are say, answer"):
        histories(without=["shout"])


def test_a_history_reads_as_calls():
    assert repr(History(EVERYTHING.steps[:2])) == (
        "History(\n    say(thread=0, text='Why?'),\n    answer(thread=0, text='Because.'),\n)"
    )
    assert repr(History(())) == "History()"
