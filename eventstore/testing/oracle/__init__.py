"""The oracle: a naive model of threads, to compare a store with.

A thread here is what anybody would write first: dictionaries of messages with parent pointers, a
list of children for each, the child that was active last, and a walk up whenever a question comes.
It knows nothing of segments, depths, ranges or rows, and a fork is a copy. That is the point: the
store is fast because it does none of this, and must give the same answers.

Each method is a command. It raises :class:`Refusal` with the code that the store's error has, or
changes the model and notes in :attr:`OracleThread.events` which events must come of it.

These files define a thread, one subject a file, each a class upon the one before: ``values``,
``tree`` (places), ``runs`` (and messages that wait for them), ``messages``, ``threads``. Erasing
and purging concern several threads, and are functions in ``erasing``.
"""

from eventstore.testing.oracle.threads import OracleThread
from eventstore.testing.oracle.values import (
    HEAD,
    LEGAL_MOVES,
    TERMINAL,
    OracleMessage,
    OracleRun,
    Refusal,
    Words,
    code_of,
)

__all__ = [
    "HEAD",
    "LEGAL_MOVES",
    "TERMINAL",
    "OracleMessage",
    "OracleRun",
    "OracleThread",
    "Refusal",
    "Words",
    "code_of",
]
