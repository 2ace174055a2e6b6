"""Errors cross process boundaries: a worker's error is read in its parent."""

import pickle
from datetime import UTC, datetime

import pytest

from eventstore import errors

EXAMPLES = [
    errors.InvalidInput("content", "is empty", "Give text."),
    errors.Refused("thread_busy", "it is busy", "Wait."),
    errors.WrongExpectedVersion("thread_1", 3, 4),
    errors.ThreadNotFound("thread_1"),
    errors.MessageNotFound("msg_1", "thread_1"),
    errors.MomentNotFound("thread_1", "not_yet_recorded", datetime(2026, 5, 1, tzinfo=UTC), 3),
    errors.IdempotencyConflict("thread_1", "k"),
    errors.StoreBusy("the queue is full"),
    errors.OutcomeUnknown("the disk failed"),
    errors.SchemaTooNew("0009", "0001"),
    errors.StoreClosed(),
]


@pytest.mark.parametrize("error", EXAMPLES, ids=lambda error: type(error).__name__)
def test_an_error_survives_pickling_with_its_facts(error):
    copy = pickle.loads(pickle.dumps(error))

    assert type(copy) is type(error)
    assert str(copy) == str(error)
    assert vars(copy) == vars(error)
