"""Given, when, then: the helper holds what it says, and says what it found."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eventstore import InvalidInput
from eventstore.conversation import commands as c
from eventstore.conversation import events as e
from eventstore.errors import Refused
from eventstore.testing.scenarios import Scenario, thread

QUESTION, ANSWER, OTHER, RUN = (bytes(15) + bytes([number]) for number in (10, 11, 12, 13))

HISTORY = (
    e.ThreadCreated(),
    (e.MessageAdded(QUESTION, "user"), e.MessageContent(parts=["Why?"])),
    (e.MessageAdded(ANSWER, "assistant", QUESTION), e.MessageContent(parts=["Because."])),
)


def draft(text):
    return c.Draft(parts=[text])


def test_regenerating_an_answer_adds_its_sibling():
    thread.given(*HISTORY).when(
        c.RegenerateMessage(target=ANSWER, draft=draft("So."), message_id=OTHER)
    ).then(e.MessageRegenerated(OTHER, "assistant", QUESTION, replaces=ANSWER))


def test_regenerating_a_question_is_refused():
    thread.given(*HISTORY).when(
        c.RegenerateMessage(target=QUESTION, draft=draft("So."))
    ).then_refused("not_an_answer")


def test_selecting_the_head_changes_nothing():
    thread.given(*HISTORY).when(c.SelectBranch(branch=QUESTION)).then()


def test_removing_a_message_on_the_path_moves_the_head_to_its_parent():
    thread.given(*HISTORY).when(c.RemoveMessage(target=ANSWER)).then(
        e.MessageRemoved(ANSWER, head=QUESTION, head_moved=True)
    )


def test_a_message_sent_during_a_run_waits_and_joins_when_it_ends():
    busy = (*HISTORY, e.RunQueued(RUN), e.RunStarted(RUN, head=ANSWER))
    say = c.CreateMessage(role="user", draft=draft("And?"), message_id=OTHER)
    thread.given(*busy).when(say).then(e.MessageQueued(OTHER, "user"))
    waiting = (*busy, (e.MessageQueued(OTHER, "user"), e.MessageContent(parts=["And?"])))
    thread.given(*waiting).when(c.CompleteRun(run_id=RUN)).then(
        e.RunCompleted(RUN), e.MessageAdded(OTHER, "user", ANSWER, queued_version=6)
    )


def test_a_thread_is_created_once():
    thread.given().when(c.CreateThread()).then(e.ThreadCreated())
    thread.given(e.ThreadCreated()).when(c.CreateThread()).then_refused(InvalidInput)


def test_a_sentence_that_is_not_so_fails_and_shows_what_came():
    outcome = thread.given(*HISTORY).when(c.ArchiveThread())
    with pytest.raises(AssertionError, match="ThreadArchived"):
        outcome.then()
    with pytest.raises(AssertionError, match="not refused"):
        outcome.then_refused("thread_busy")
    refused = thread.given(*HISTORY).when(c.RegenerateMessage(target=QUESTION, draft=draft("So.")))
    with pytest.raises(AssertionError, match="refused"):
        refused.then()
    with pytest.raises(AssertionError, match="not_an_answer"):
        refused.then_refused("thread_busy")


def test_a_decider_of_your_own_is_told_in_the_same_words():
    def withdraw(balance, amount):
        if amount > balance:
            raise Refused("too_much", "there is not that much", "Take less.")
        return [-amount]

    account = Scenario(withdraw, lambda balance, change: balance + change, lambda: 0)
    account.given(5, 3).when(6).then(-6)
    account.given(5).when(6).then_refused("too_much")


class Overdrawn(Exception):
    """An error of an application's own."""


def withdraw_or_pay_in(balance, amount):
    if amount > 100:
        raise ZeroDivisionError
    if balance + amount < 0:
        raise Overdrawn(f"there are {balance}")
    return [amount] if amount else []


ACCOUNT = Scenario(
    withdraw_or_pay_in, lambda balance, change: balance + change, lambda: 0, refusals=(Overdrawn,)
)


def test_an_error_of_your_own_is_a_refusal_if_you_say_so():
    ACCOUNT.given(5).when(-6).then_refused(Overdrawn)
    ACCOUNT.given(5).when(-6).then_refused("Overdrawn")
    ACCOUNT.given(5).when(0).then()
    assert ACCOUNT.state(5, 3) == 8
    with pytest.raises(AssertionError, match=r"refused: Overdrawn\('there are 5'\)"):
        ACCOUNT.given(5).when(-6).then(-6)


def test_an_error_that_is_no_refusal_is_a_bug():
    with pytest.raises(ZeroDivisionError):
        ACCOUNT.given(5).when(101)
    unsaid = Scenario(withdraw_or_pay_in, ACCOUNT.evolve, ACCOUNT.initial_state)
    with pytest.raises(Overdrawn):
        unsaid.given(5).when(-6)


@given(ACCOUNT.histories(st.integers(-100, 100), max_commands=5))
def test_a_history_that_is_drawn_is_one_that_the_decider_leads_to(history):
    assert 0 not in history
    assert len(history) <= 5
    assert all(ACCOUNT.state(*history[:end]) >= 0 for end in range(len(history) + 1))
