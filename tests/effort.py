"""What an act asks of SQLite, counted: statements, and steps of its virtual machine.

Time is noisy and says little at sizes that a test can afford. Steps are exact: a scan takes at
least three for each row it visits, so an act that takes as many beside 2,000 rows as beside 200
visits none of the others. The fixture ``effort`` is in ``tests/conftest.py``.
"""

from typing import NamedTuple
from unittest.mock import patch

from eventstore.core.catalogue import Catalogue


class Effort(NamedTuple):
    """What one act took."""

    statements: int
    """Every statement, BEGIN and COMMIT too."""
    steps: int
    """Steps of SQLite's virtual machine, over all connections of the store."""
    held: int
    """The most steps within one write transaction: how long other writers wait, at most."""


class Watch:
    """Counts what is said on the connections it was shown: ``effort(act, *args)``.

    A connection gets its handlers before anybody else knows it, and keeps them. To set one on a
    connection that another thread may use is to wait, with the interpreter's lock held, for that
    thread's statement, which waits for the lock to call the handler: neither ever goes on.
    """

    def __init__(self):
        self._statements = self._steps = self._begun = self._held = 0
        self._counting = self._writing = False

    def look_at(self, connection):
        """Count what is said on a new connection whenever an act is counted."""
        connection.set_trace_callback(self._hear)
        connection.set_progress_handler(self._step, 1)

    def __call__(self, act, *args, **kwargs):
        """Do it, and return what it took."""
        self._statements = self._steps = self._held = 0
        self._counting = True
        try:
            act(*args, **kwargs)
        finally:
            self._counting = False
        return Effort(self._statements, self._steps, self._held)

    def _hear(self, sql):
        if not self._counting:
            return
        self._statements += 1
        if sql == "BEGIN IMMEDIATE":
            self._writing, self._begun = True, self._steps
        elif sql in {"COMMIT", "ROLLBACK"} and self._writing:
            self._writing = False
            self._held = max(self._held, self._steps - self._begun)

    def _step(self):
        self._steps += self._counting
        return 0


def assert_flat(small, large, *, searches=0):
    """Hold that an act took the same at both sizes.

    ``searches``: how many binary searches it may do, each a few statements more at the larger size.
    """
    assert large.statements <= small.statements + 5 * searches, (small, large)
    assert large.steps <= small.steps * 1.1 + 30 + 300 * searches, (small, large)
    assert large.held <= small.held * 1.1 + 30 + 300 * searches, (small, large)


def events_decoded(act, *args, **kwargs):
    """Do it, and return how many events of any store it decoded."""
    decode, count = Catalogue.decode, [0]

    def counted(*given, **named):
        count[0] += 1
        return decode(*given, **named)

    with patch.object(Catalogue, "decode", counted):
        act(*args, **kwargs)
    return count[0]
