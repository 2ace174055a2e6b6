"""The state machine of a subscription, by itself."""

import pytest

from eventstore.core.events import Position
from eventstore.subscriptions.subscription_state import MOVES, PageOutcome, State, SubscriptionState

START = Position(0, 0, 0)
POLL = 1.0


@pytest.fixture
def course():
    return SubscriptionState(START, POLL)


def test_it_begins_by_catching_up_from_where_it_was_told(course):
    assert (course.place, course.state) == (START, State.CATCHING_UP)


def test_whatever_can_be_found_has_its_move():
    assert set(MOVES) == set(PageOutcome)
    assert set(MOVES.values()) == set(State)


def test_a_full_page_is_followed_by_the_next_without_a_rest(course):
    course.move(PageOutcome.FULL, Position(0, 0, 500))
    assert course.rest_seconds is None
    assert course.place == Position(0, 0, 500)


def test_a_short_page_is_followed_by_a_rest_of_the_interval(course):
    course.move(PageOutcome.SHORT, Position(0, 0, 3))
    course.rested(told=False)
    course.move(PageOutcome.SHORT, Position(0, 0, 3))
    assert course.rest_seconds == POLL


def test_trouble_leaves_the_place_where_it_was(course):
    course.move(PageOutcome.SHORT, Position(0, 0, 3))
    course.move(PageOutcome.TROUBLE)
    assert course.place == Position(0, 0, 3)


def rests(course, found, count, *, told=False):
    seen = []
    for _ in range(count):
        course.move(found, course.place)
        seen.append(course.rest_seconds)
        course.rested(told=told)
    return seen


def test_held_back_it_looks_soon_and_never_later_than_the_interval(course):
    assert rests(course, PageOutcome.HELD, 3) == [0.005, 0.01, 0.02]
    assert rests(course, PageOutcome.HELD, 20)[-1] == POLL


def test_a_signal_does_not_make_the_next_rest_longer(course):
    assert rests(course, PageOutcome.HELD, 3, told=True) == [0.005] * 3


def test_in_trouble_pauses_grow_to_seconds(course):
    assert rests(course, PageOutcome.TROUBLE, 20)[-1] == 5.0
    assert rests(SubscriptionState(START, 60.0), PageOutcome.TROUBLE, 20)[-1] == 60.0


def test_after_trouble_or_being_held_back_pauses_begin_small_again(course):
    rests(course, PageOutcome.TROUBLE, 9)
    course.move(PageOutcome.SHORT, START)
    assert rests(course, PageOutcome.TROUBLE, 1) == rests(
        SubscriptionState(START, POLL), PageOutcome.TROUBLE, 1
    )


def test_an_interval_shorter_than_a_pause_is_kept():
    assert rests(SubscriptionState(START, 0.001), PageOutcome.HELD, 3) == [0.001] * 3


def test_a_change_of_state_is_told_once(course):
    assert course.move(PageOutcome.TROUBLE)
    assert not course.move(PageOutcome.TROUBLE)
    assert course.move(PageOutcome.SHORT, START)


def test_woken_for_nothing_it_sleeps_longer_each_time(course):
    slept = []
    for _ in range(9):
        course.rested(told=True)
        course.looked(news=False)
        slept.append(course.calm_seconds)
    assert slept == [0, 0.002, 0.004, 0.008, 0.016, 0.032, 0.05, 0.05, 0.05]
    course.rested(told=True)
    course.looked(news=True)
    assert course.calm_seconds == 0


def test_a_look_that_nobody_asked_for_does_not_make_it_sleep(course):
    course.rested(told=False)
    course.looked(news=False)
    assert course.calm_seconds == 0  # an idle follower hears of the next commit at once


def test_a_pause_is_slept_between_any_two_looks_of_a_follower_that_was_woken():
    course = SubscriptionState(START, POLL, 0.03)
    slept = []
    for news in (True, True, False, False, True):
        course.rested(told=True)
        course.looked(news=news)
        slept.append(course.calm_seconds)
    assert slept == [0.03, 0.03, 0.03, 0.05, 0.03]


def test_told_twice_of_each_commit_it_never_sleeps(course):
    for news in (True, False) * 5:  # its writer tells, and then the watcher of the file
        course.rested(told=True)
        course.looked(news=news)
        assert course.calm_seconds == 0
