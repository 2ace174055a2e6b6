"""Which calls are struck where to strike each takes long: numbers from 1; each with ``LAWS=long``.

What a call does to the transaction or the file depends on its statement and on whether the commit
is over, so one of each is met, and all that stand around the commit.
"""

import os


def by_kind(calls):
    """One call of each statement before the commit and after it, and those around the commit."""
    commit = calls.index("COMMIT") + 1
    first: dict[tuple[bool, str], int] = {}
    for number, call in enumerate(calls, 1):
        first.setdefault((number > commit, call), number)
    return _of(calls, {*first.values(), commit - 1, commit, commit + 1, len(calls)})


def by_trace(calls):
    """The same without reads but the first and the last: who dies at one leaves no trace of it."""
    reads = [number for number, call in enumerate(calls, 1) if call.startswith("SELECT")]
    return _of(calls, set(by_kind(calls)) - set(reads) | {reads[0], reads[-1]})


def _of(calls, few):
    return list(range(1, len(calls) + 1)) if os.environ.get("LAWS") == "long" else sorted(few)
