"""Tools for concurrent schedules: every wait is for a condition, and has an end."""
# ruff: noqa: SLF001 (the writer's queue is looked at)

import os
import signal
import sys
import threading
import time
import traceback
import warnings
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial

SECONDS = 30
"""How long anything may take before the test fails instead of waiting on."""


def at_once(count, act):
    """Call ``act(0)`` … ``act(count - 1)`` in threads that start together; results in order."""
    start = threading.Barrier(count)

    def run(number):
        start.wait(SECONDS)
        return act(number)

    with ThreadPoolExecutor(count) as pool:
        return list(pool.map(run, range(count), timeout=SECONDS))


def outcome(act):
    """What a call returns, or the error that it raises."""
    try:
        return act()
    except Exception as error:  # noqa: BLE001 (the test looks at it)
        return error


Thread = partial(threading.Thread, daemon=True)
"""One that never comes back fails its test and does not hold up those after it."""


@contextmanager
def thread(act, *args):
    """A thread that runs ``act`` beside the block and must end soon after it."""
    running = Thread(target=act, args=args)
    running.start()
    try:
        yield running
    finally:
        running.join(SECONDS)
        assert not running.is_alive(), "a thread never came back"


class Gate:
    """Holds whoever calls it until it is opened; says when somebody stands before it."""

    def __init__(self):
        self.reached = threading.Event()
        self.opened = threading.Event()

    def __call__(self):
        self.reached.set()
        assert self.opened.wait(SECONDS), "the gate was never opened"

    def wait(self):
        assert self.reached.wait(SECONDS), "nobody came to the gate"

    def open(self):
        self.opened.set()


class Child:
    """A forked child that runs ``act`` and ends; 0 if nothing was raised."""

    def __init__(self, act):
        with warnings.catch_warnings():
            # From 3.12 on Python warns of a fork beside threads: the very hazard of these tests.
            warnings.filterwarnings("ignore", ".*multi-threaded", DeprecationWarning)
            self._id = os.fork()
        if self._id == 0:
            code = 1
            try:
                signal.alarm(SECONDS)
                act()
                code = 0
            except BaseException:  # noqa: BLE001 (nothing may go on in a child of pytest's)
                traceback.print_exc(file=sys.__stderr__)
            finally:
                os._exit(code)

    def kill(self):
        os.kill(self._id, signal.SIGKILL)

    def wait(self):
        _, status = os.waitpid(self._id, 0)
        return os.waitstatus_to_exitcode(status)


class Signal:
    """Something one process waits for and another gives."""

    def __init__(self):
        self._out, self._in = os.pipe()

    def give(self):
        os.write(self._in, b"x")

    def wait(self):
        assert os.read(self._out, 1) == b"x"

    def close(self):
        os.close(self._out)
        os.close(self._in)


@contextmanager
def signals(count):
    made = [Signal() for _ in range(count)]
    yield made
    for one in made:
        one.close()


def until_queued(writer, count):
    """Wait until so many requests are queued at a SharedWriter."""
    deadline = time.monotonic() + SECONDS
    with writer._changed:
        while len(writer._queue) != count:
            assert time.monotonic() < deadline, "they were never queued"
            writer._changed.wait(0.001)  # queueing signals nothing
