"""Tools for concurrent schedules: every wait is for a condition, and has an end."""

import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

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


@contextmanager
def thread(act, *args):
    """A thread that runs ``act`` beside the block and must end soon after it."""
    running = threading.Thread(target=act, args=args)
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
