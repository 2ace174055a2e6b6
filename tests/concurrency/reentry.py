"""Calls of a store from inside another call of the same thread, as a signal handler makes them.

Python runs a signal handler between two instructions of whatever its thread does: when a function
begins, or when one has returned. Those are the moments at which a profiler is called, too, so a
profiler that calls the store stands for a handler at every moment there is.
"""

import signal
import sys
import threading
from contextlib import contextmanager
from random import Random

from eventstore import StoreBusy
from tests.concurrency.schedules import SECONDS, outcome

INSIDE = "inside a call of the store"
"""What the error of a call from inside says."""


class Reentering:
    """Calls ``act`` at each moment of a block, or at one of so many, in the thread that runs it."""

    def __init__(self, act, every=1):
        self.act = act
        self.every = every
        self.moments = 0
        self.outcomes = []

    def __enter__(self):
        sys.setprofile(self.moment)
        return self

    def __exit__(self, *_):
        sys.setprofile(None)

    def moment(self, *_):
        self.moments += 1
        if self.moments % self.every == 0:
            self.outcomes.append(outcome(self.act))  # in here, nothing is profiled


def hold_at_every_moment(store, act, enter, every=1):
    """Call ``enter`` at every moment of ``act``; both go well, or ``enter`` is told StoreBusy.

    Returns what ``act`` gave, and how often ``enter`` was let in: before and after the call.
    """
    act()  # what is worked out once is known from here on
    with Reentering(enter, every) as reentering:
        made = outcome(act)
    refused = [one for one in reentering.outcomes if isinstance(one, Exception)]
    assert len(refused) > 10
    assert {type(one) for one in refused} == {StoreBusy}
    assert all(INSIDE in str(one) for one in refused)
    if isinstance(made, Exception):
        raise made
    assert store.projections.compare().ok
    return made, len(reentering.outcomes) - len(refused)


@contextmanager
def signals_at_random(handler, seed=1):
    """Have ``handler`` run by signals that come at random moments of this, the main thread."""
    over, random = threading.Event(), Random(seed)
    main = threading.get_ident()

    def send():
        while not over.wait(random.uniform(0, 0.002)):
            signal.pthread_kill(main, signal.SIGUSR1)

    handling: list[bool] = []

    def handle(*_):
        if (
            not handling
        ):  # one that strikes the call of another is its interrupt, and not the outer's
            handling.append(True)
            try:
                handler()
            finally:
                handling.clear()

    before, unraisable = signal.signal(signal.SIGUSR1, handle), sys.unraisablehook
    sys.unraisablehook = id  # a finalizer that is struck; in C, so that pytest's own is not
    sender = threading.Thread(target=send)
    sender.start()
    try:
        yield
    finally:
        over.set()
        sender.join(SECONDS)
        signal.signal(signal.SIGUSR1, before)
        sys.unraisablehook = unraisable


def hold_through_signals(store, writes, enter):
    """Write while signals come, whose handler catches nothing; return how many were let in.

    A handler's error comes out of the call that it interrupted. StoreBusy means there, too, that
    nothing was written.
    """
    thread_id = store.threads.create().id
    handled = []

    def handler():
        try:
            enter()
        except StoreBusy:
            handled.append(False)
            raise
        handled.append(True)

    with signals_at_random(handler):
        told = [outcome(lambda n=n: say(store, thread_id, f"{n}")) for n in range(writes)]
    texts = [message.text for message in store.messages.list(thread_id).iter()]
    for number, one in enumerate(told):
        if isinstance(one, StoreBusy):
            assert f"{number}" not in texts
        elif not isinstance(one, Exception):
            assert texts.count(f"{number}") == 1
    assert len(set(texts)) == len(texts)
    assert store.projections.compare().ok
    assert False in handled
    return handled


def say(store, thread_id, text):
    return store.messages.create(thread_id, role="user", content=text)
