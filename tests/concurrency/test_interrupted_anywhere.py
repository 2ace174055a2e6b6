"""A KeyboardInterrupt at any line of the shared writer, in the thread that submits.

Whatever line it strikes: each request is performed once at most, each other caller has its outcome,
and somebody leads whatever comes later. The exits of `with` are left out, since Python interrupts
nobody between the end of such a block and the release of its lock.
"""
# ruff: noqa: SLF001 (schedules are made by looking at the queue)

import linecache
import sys
import threading

import pytest

from eventstore.errors import OutcomeUnknown
from eventstore.execution import leading, shared_writer, tickets
from eventstore.execution.shared_writer import SharedWriter
from tests.concurrency.schedules import SECONDS, Gate, Thread, until_queued
from tests.subscriptions.ways import until

FILES = {leading.__file__, shared_writer.__file__, tickets.__file__}
LINES_MAX = 300
UNWINDING = "_leave"
"""A second interrupt while the first is dealt with is more than is promised."""


class Interrupting:
    """Raises at the n-th line of the writer that this thread comes to."""

    def __init__(self, nth, writer):
        self.left = nth
        self.mutex, self.leading = writer._mutex, writer._leading

    def __enter__(self):
        sys.settrace(self.entered)
        return self

    def __exit__(self, *_):
        sys.settrace(None)

    def entered(self, frame, *_):
        return self.line if frame.f_code.co_filename in FILES else None

    def line(self, frame, event, _):
        if event == "line" and not self.is_exit(frame) and not self.unwinds(frame):
            self.left -= 1
            if self.left == 0:
                sys.settrace(None)
                raise KeyboardInterrupt
        return self.line

    def is_exit(self, frame):
        text = linecache.getline(frame.f_code.co_filename, frame.f_lineno).strip()
        return text.startswith("with ") and (self.mutex._is_owned() or self.leading.locked())

    def unwinds(self, frame):
        while frame is not None:
            if frame.f_code.co_name == UNWINDING:
                return True
            frame = frame.f_back
        return False


class Scene:
    """A writer, and threads that write beside the one that is interrupted."""

    def __init__(self):
        self.performed = []
        self.writer = SharedWriter(self.perform, queue_max=100, patience_seconds=SECONDS)
        self.others = []
        self.gone = threading.Event()
        self.answers = {}

    def perform(self, requests):
        for request in requests:
            name, act = request
            if act is not None:
                act()
            self.performed.append(name)
        return [name for name, _ in requests]

    def beside(self, name, act=None):
        """Submit in a thread of its own."""

        def submit():
            try:
                self.answers[name] = self.writer.submit((name, act))
            except OutcomeUnknown as error:
                self.answers[name] = error

        thread = Thread(target=submit)
        self.others.append(thread)
        thread.start()

    def interrupted(self, nth, act=None):
        """Submit here, interrupted at the n-th line; return whether there were that many."""
        with Interrupting(nth, self.writer) as interrupting:
            try:
                self.writer.submit(("mine", act))
            except KeyboardInterrupt:
                return True
        assert interrupting.left > 0
        return False

    def hold(self, *names):
        """Hold that nobody waits in vain, and that nothing was done twice."""
        self.beside("later")
        for thread in self.others:
            thread.join(SECONDS)
            assert not thread.is_alive(), "somebody waits for a lead that nobody has"
        for name in (*names, "later"):
            answer = self.answers[name]
            assert answer == name or isinstance(answer, OutcomeUnknown)
            if answer == name:
                assert self.performed.count(name) == 1
        assert len(self.performed) == len(set(self.performed))
        closing = Thread(target=self.writer.close)
        closing.start()
        closing.join(SECONDS)
        assert not closing.is_alive(), "close() waits for a lead that nobody has"


def alone(scene, nth):
    """It leads, and nobody else is there."""
    struck = scene.interrupted(nth)
    scene.hold()
    return struck


def leader_gone(scene, nth):
    """It leads, and two came meanwhile, the first of whom leads next."""

    def others_come():
        for count, name in enumerate(("one", "two"), 1):
            scene.beside(name)
            until_queued(scene.writer, count)

    struck = scene.interrupted(nth, others_come)
    names = [] if not scene.others else ["one", "two"]
    scene.hold(*names)
    return struck


def waiting(scene, nth):
    """Another leads, and a third waits; it waits its turn, and leads them both."""
    gate = Gate()
    scene.beside("first", gate)
    gate.wait()
    opening = Thread(target=_open_when_queued, args=(scene, gate))
    opening.start()
    struck = scene.interrupted(nth)
    scene.gone.set()
    opening.join(SECONDS)
    scene.hold("first", "behind")
    return struck


def _open_when_queued(scene, gate):
    """Once it waits, or was interrupted before it did."""
    until(lambda: len(scene.writer._queue) == 1 or scene.gone.is_set())
    scene.beside("behind")
    until(lambda: len(scene.writer._queue) == 2 or scene.gone.is_set())
    gate.open()


@pytest.mark.parametrize(
    "situation", [alone, leader_gone, waiting], ids=["alone", "leading", "waiting"]
)
def test_an_interrupt_at_any_line_leaves_nobody_waiting(situation):
    lines = 0
    for nth in range(1, LINES_MAX):
        if not situation(Scene(), nth):
            break
        lines = nth
    assert 10 < lines < LINES_MAX - 1
