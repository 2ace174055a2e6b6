"""A recorded run that is struck at any of its lines ends, or is found once its lease ends.

An interrupt strikes at lines that a life passes through in the recording's own modules and in the
loop itself, one life a line: at each with ``LAWS=long``, at some otherwise. That the store below
survives an interrupt is the subject of ``tests/concurrency/test_struck_anywhere.py``.
"""

import contextlib
import os
import sys
from collections import Counter

import pytest

from eventstore import ConversationStore
from eventstore.api.faces import recorded
from eventstore.api.operations import recording, routine
from tests.recording import lives
from tests.recording.lives import check, live

LONG = os.environ.get("LAWS") == "long"
NEAR = {module.__file__ for module in (recorded, recording, routine, lives)}


class Striker:
    """Raises an interrupt at the n-th line that the main thread passes through."""

    def __init__(self, at):
        self.at, self.passed = at, 0

    def __enter__(self):
        sys.settrace(self._call)
        return self

    def __exit__(self, *_):
        sys.settrace(None)

    def _call(self, frame, event, _):
        return self._line if event == "call" and frame.f_code.co_filename in NEAR else None

    def _line(self, _, event, __):
        if event == "line":
            self.passed += 1
            if self.passed == self.at:
                raise KeyboardInterrupt
        return self._line


@pytest.fixture
def store():
    with ConversationStore.open("sqlite://") as opened:
        yield opened


def struck(store, at, *, fails):
    """Live once, struck at a line; return how it ended, and how many lines there were."""
    thread = store.threads.create(messages=[{"role": "user", "content": "When?"}]).id
    heard: list[str] = []
    errors = (KeyboardInterrupt, ValueError)
    with Striker(at) as striker, contextlib.suppress(*errors):
        live(store, thread, heard, fails=fails)
    return check(store, thread, heard), striker.passed


STRIDE = 1 if LONG else 11


@pytest.mark.parametrize("fails", [False, True], ids=["completes", "fails"])
def test_at_every_line_of_the_recording(store, fails):
    ended, lines = struck(store, 0, fails=fails)
    assert ended == ("failed" if fails else "completed")
    ends = Counter(struck(store, at, fails=fails)[0] for at in range(1 + fails, lines + 1, STRIDE))
    assert ends["cancelled"] > ends.total() / 2
    assert ends["stuck"] < ends.total() / 10
    assert store.projections.compare().ok
