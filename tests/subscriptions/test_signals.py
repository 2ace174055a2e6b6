"""Wake-ups: none is lost, all who wait are woken, and closing ends every wait."""

import asyncio
import threading
from typing import Any

import pytest

from eventstore.errors import StoreClosed
from eventstore.execution.signals import Signals

LONG = 60.0
"""Longer than any test may take: whoever waits this long was not woken."""


def test_a_wait_ends_by_itself():
    signals = Signals()
    assert signals.wait(signals.mark, 0.001) is False


def test_what_is_told_between_looking_and_waiting_is_not_lost():
    signals = Signals()
    seen = signals.mark
    signals.tell()
    assert signals.wait(seen, LONG) is True


def test_what_is_told_as_the_waiter_makes_itself_known_is_not_lost():
    made: list[Signals] = []

    def tell():
        made[0].tell()

    signals = Signals(wanted=tell)
    made.append(signals)
    assert signals.wait(signals.mark, LONG) is True


def test_every_thread_that_waits_is_woken():
    known = threading.Semaphore(0)
    signals = Signals(wanted=known.release)
    seen, told = signals.mark, []
    threads = [
        threading.Thread(target=lambda: told.append(signals.wait(seen, LONG))) for _ in range(3)
    ]
    for thread in threads:
        thread.start()
    for _ in threads:
        known.acquire()
    signals.tell()
    for thread in threads:
        thread.join()
    assert told == [True] * 3
    assert not signals.in_demand


def test_tasks_of_several_loops_are_woken_from_another_thread():
    known = threading.Semaphore(0)
    signals = Signals(wanted=known.release)
    seen, told = signals.mark, []

    def follow():
        told.append(asyncio.run(signals.wait_async(seen, LONG)))

    threads = [threading.Thread(target=follow) for _ in range(2)]
    for thread in threads:
        thread.start()
    for _ in threads:
        known.acquire()
    signals.tell()
    for thread in threads:
        thread.join()
    assert told == [True] * 2


def test_a_cancelled_task_waits_no_longer():
    async def cancelled():
        begun = asyncio.Event()
        signals = Signals(wanted=begun.set)
        task = asyncio.create_task(signals.wait_async(signals.mark, LONG))
        await begun.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        return signals.in_demand

    assert asyncio.run(cancelled()) is False


def test_closing_ends_waits_now_and_later():
    made: list[Signals] = []

    def close():
        made[0].close()

    signals = Signals(wanted=close)
    made.append(signals)
    with pytest.raises(StoreClosed):
        signals.wait(signals.mark, LONG)
    with pytest.raises(StoreClosed):
        asyncio.run(signals.wait_async(signals.mark, LONG))


def test_a_loop_that_was_closed_while_a_task_of_it_waited_hinders_nobody():
    signals = Signals()
    loop = asyncio.new_event_loop()
    waiting = signals.wait_async(signals.mark, LONG)
    task: Any = loop.create_task(waiting)
    loop.call_soon(loop.stop)
    loop.run_forever()
    loop.close()
    demands = [signals.in_demand]
    signals.tell()
    demands.append(signals.in_demand)
    assert demands == [True, False]
    task._log_destroy_pending = False  # noqa: SLF001 (it can never end)


def test_after_an_application_begins_to_commit_it_is_looked_for_often():
    signals = Signals()
    signals.tell_soon()
    assert signals.wait(signals.mark, LONG) is False
