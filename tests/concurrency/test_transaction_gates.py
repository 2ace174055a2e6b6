"""Where every transaction passes through: who is inside is known, whatever strikes whoever leaves.

What counts on it is closing, which waits until everybody has left, and forking.
"""

import sys
import threading
from time import monotonic

import pytest
from sqlalchemy import create_engine

from eventstore import ConversationStore, StoreClosed
from eventstore.execution import transaction_gate as gate_module
from eventstore.execution.transaction_gate import TransactionGate
from tests.concurrency.schedules import SECONDS, Gate, Thread, at_once, thread

FILE = gate_module.__file__
PLACES_MAX = 100


class Interrupting:
    """Raises at the n-th place of the module that this thread comes to, entries of calls too."""

    def __init__(self, nth):
        self.left = nth

    def __enter__(self):
        sys.settrace(self.traced)
        return self

    def __exit__(self, *_):
        sys.settrace(None)

    def traced(self, frame, event, _):
        if frame.f_code.co_filename != FILE:
            return None
        if event in ("call", "line"):
            self.left -= 1
            if self.left == 0:
                sys.settrace(None)
                raise KeyboardInterrupt
        return self.traced


def closes(store):
    closing = Thread(target=store.close)
    closing.start()
    closing.join(SECONDS)
    return not closing.is_alive()


@pytest.mark.parametrize("owned", [False, True], ids=["url", "engine"])
def test_closing_waits_for_nobody_who_was_interrupted_as_it_came_or_left(tmp_path, owned):
    places = 0
    for nth in range(1, PLACES_MAX):
        url = f"sqlite:///{tmp_path}/{nth}.db"
        engine = create_engine(url)
        store = ConversationStore.open(engine if owned else url, durability="as_is")
        thread_id = store.threads.create().id
        struck = False
        with Interrupting(nth):
            try:
                store.threads.get(thread_id)
            except KeyboardInterrupt:
                struck = True
        assert store.threads.get(thread_id).id == thread_id
        assert closes(store), f"close() waits for a read that was interrupted at place {nth}"
        engine.dispose()
        if not struck:
            break
        places = nth
    assert 2 < places < PLACES_MAX - 1


def test_closing_waits_for_those_inside_and_lets_nobody_in_afterwards():
    passage, gate, order = TransactionGate(), Gate(), []

    def stay():
        with passage.way(), passage.way():  # a read may read
            gate()
            order.append("left")

    def close():
        passage.close()
        order.append("closed")

    with thread(stay):
        gate.wait()
        with thread(close):
            gate.open()
    assert order == ["left", "closed"]
    with passage.way(), pytest.raises(StoreClosed):
        passage.check_open()


def test_a_shut_passage_lets_nobody_in_who_was_there_before_or_comes_anew():
    passage, entered = TransactionGate(), []
    came, shut = threading.Event(), threading.Event()

    def known():
        with passage.way():
            came.set()
        assert shut.wait(SECONDS)
        with passage.way():
            entered.append("known")

    def new():
        with passage.way():
            entered.append("new")

    with thread(known):
        assert came.wait(SECONDS)
        assert passage.shut(monotonic() + SECONDS)
        with thread(new) as unknown:
            shut.set()
            unknown.join(0.05)
            assert entered == []
            passage.reopen()
    assert sorted(entered) == ["known", "new"]
    assert passage.shut(monotonic() + SECONDS)
    passage.reopen()


def test_whoever_is_inside_does_not_wait_for_itself():
    passage = TransactionGate()
    with passage.way():
        assert passage.is_inside()
        assert not passage.shut(monotonic() + SECONDS)
        passage.reopen()  # nothing was shut
        passage.close()
    assert not passage.is_inside()


def test_shutting_gives_up_at_its_time_and_everybody_comes_in_again():
    passage, gate = TransactionGate(), Gate()

    def stay():
        with passage.way():
            gate()

    with thread(stay):
        gate.wait()
        assert not passage.shut(monotonic() + 0.01)
        passage.reopen()
        gate.open()

    def enter(number):
        with passage.way():
            return number

    assert at_once(8, enter) == list(range(8))
    assert passage.shut(monotonic() + SECONDS)
    passage.reopen()
