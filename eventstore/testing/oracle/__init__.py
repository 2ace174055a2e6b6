"""The oracle: a naive model of threads, to hold a store against.

A thread here is what anybody would write first: dictionaries of messages with parent pointers, a
list of children for each, the child that was active last, and a walk up whenever a question comes.
It knows nothing of segments, depths, ranges or rows, and a fork is a copy. That is the point: the
store is fast because it does none of this, and must give the same answers.

Each method is a command. It raises :class:`Refusal` with the code that the store's error has, or
changes the model and notes in :attr:`OracleThread.events` which events must come of it.

Whoever doubts the store reads here what a thread is, one subject a file, each a class upon the one
before: ``values``, ``tree`` (what is where), ``runs`` (and who waits for them), ``messages``,
``threads``. What concerns several threads, erasing and purging, is functions in ``erasing``.
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
