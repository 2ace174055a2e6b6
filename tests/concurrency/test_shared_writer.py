"""The writer that shares commits, with a database that does what the test says.

What must stay true stands in the module's own words: a request is performed at most once and its
caller hears exactly one outcome; somebody leads while anything waits; what was withdrawn is never
performed.
"""
# ruff: noqa: SLF001 (schedules are made by looking at the queue)

import asyncio
import threading
from contextlib import suppress

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from eventstore.errors import OutcomeUnknown, StoreBusy, StoreClosed, StoreUnavailable
from eventstore.execution import tickets
from eventstore.execution.shared_writer import SharedWriter
from eventstore.execution.tickets import ThreadTicket
from tests.concurrency.schedules import (
    SECONDS,
    Gate,
    Thread,
    at_once,
    outcome,
    thread,
    until_queued,
)

PATIENCE = 20.0


class Database:
    """Performs requests by noting them; a request that is callable is called first."""

    def __init__(self):
        self.batches = []
        self.failing = {}

    @property
    def written(self):
        return [request for batch in self.batches for request in batch]

    def __call__(self, requests):
        for request in requests:
            if callable(request):
                request()
            if request in self.failing:
                raise self.failing[request]
        self.batches.append(list(requests))
        return [("written", request) for request in requests]


@pytest.fixture
def database():
    return Database()


@pytest.fixture
def writer(database):
    made = SharedWriter(database, queue_max=100, patience_seconds=PATIENCE)
    yield made
    closing = Thread(target=made.close)
    closing.start()
    closing.join(SECONDS)
    assert not closing.is_alive(), "close() waits for a lead that nobody has"


# -- threads ---------------------------------------------------------------------------------------


def test_a_lone_thread_writes_in_its_own_thread(writer):
    names = []
    writer.submit(lambda: names.append(threading.current_thread()))
    assert names == [threading.current_thread()]


def test_what_queued_during_a_commit_is_written_together(writer, database):
    gate = Gate()
    with thread(writer.submit, gate):
        gate.wait()
        results = []
        workers = [Thread(target=lambda n=n: results.append(writer.submit(n))) for n in range(5)]
        for worker in workers:
            worker.start()
        until_queued(writer, 5)
        gate.open()
        for worker in workers:
            worker.join(SECONDS)
    assert sorted(results) == [("written", n) for n in range(5)]
    assert [len(batch) for batch in database.batches] == [1, 5]


def test_sixty_four_threads_write_everything_once(writer, database):
    def work(number):
        return [writer.submit((number, n)) for n in range(50)]

    made = [one for results in at_once(64, work) for one in results]
    wanted = [(number, n) for number in range(64) for n in range(50)]
    assert sorted(database.written) == wanted
    assert sorted(request for _, request in made) == wanted


@pytest.fixture
def nobody_looks(monkeypatch):
    """Threads sleep until they are woken: one that is forgotten sleeps for longer than the test."""
    monkeypatch.setattr(tickets, "LOOK_SECONDS", 10 * SECONDS)


@pytest.mark.usefixtures("nobody_looks")
@pytest.mark.parametrize("threads", [2, 3, 16])
def test_threads_that_come_back_at_once_share_their_commits(writer, database, threads):
    """They wake one another, and nobody leads before the last is awake."""
    gate = Gate()
    with thread(writer.submit, gate):
        gate.wait()

        def work(number):
            return [writer.submit((number, n)) for n in range(200)]

        workers = [Thread(target=work, args=(number,)) for number in range(threads)]
        for worker in workers:
            worker.start()
        until_queued(writer, threads)
        gate.open()
        for worker in workers:
            worker.join(SECONDS)
            assert not worker.is_alive(), "nobody woke it"
    sizes = [*map(len, database.batches)]
    assert len(sizes) < 200 / 0.75, sizes


@pytest.mark.usefixtures("nobody_looks")
def test_a_refusal_wakes_those_behind_it(writer, database):
    """Some of a batch are refused alone; the others come back, too, and somebody leads on."""
    database.failing = {(7, n): ValueError("no") for n in range(0, 40, 3)}

    def work(number):
        return [outcome(lambda n=n: writer.submit((number, n))) for n in range(40)]

    answers = at_once(16, work)
    for number, found in enumerate(answers):
        for n, answer in enumerate(found):
            refused = (number, n) in database.failing
            assert isinstance(answer, ValueError) if refused else answer == ("written", (number, n))


@pytest.mark.usefixtures("nobody_looks")
@pytest.mark.parametrize("struck", range(1, 5))
def test_one_that_is_interrupted_after_it_was_taken_breaks_no_chain(
    writer, database, monkeypatch, struck
):
    """It is one of five that were taken together, of whom the first leads, and goes before them."""
    first, taken, answers = Gate(), Gate(), []
    interrupt_the_next_wait(monkeypatch, taken.wait)

    def perform(requests):
        if len(requests) > 1:
            taken()
        return database(requests)

    writer._perform = perform
    with thread(writer.submit, first):
        first.wait()
        workers = []

        def queue(numbers):
            for number in numbers:
                workers.append(Thread(target=lambda n=number: answers.append(writer.submit(n))))
                workers[-1].start()
                until_queued(writer, len(workers) + (number > struck))

        queue(range(struck))

        def then():
            until_queued(writer, struck + 1)
            queue(range(struck + 1, 5))
            first.open()

        others = Thread(target=then)
        others.start()
        with pytest.raises(KeyboardInterrupt):
            writer.submit(struck)
        taken.open()
        others.join(SECONDS)
        for worker in workers:
            worker.join(SECONDS)
            assert not worker.is_alive(), "nobody woke it"
    assert sorted(answers) == [("written", n) for n in range(5) if n != struck]
    assert at_once(1, lambda _: writer.submit("after")) == [("written", "after")]


def test_a_batch_that_the_database_refuses_is_tried_one_by_one(writer, database):
    database.failing = {3: StoreUnavailable("disk_full", "full", "Free some.")}
    gate = Gate()
    with thread(writer.submit, gate):
        gate.wait()
        answers = {}
        workers = [
            Thread(target=lambda n=n: answers.update({n: outcome(lambda: writer.submit(n))}))
            for n in range(5)
        ]
        for worker in workers:
            worker.start()
        until_queued(writer, 5)
        gate.open()
        for worker in workers:
            worker.join(SECONDS)
    assert isinstance(answers.pop(3), StoreUnavailable)
    assert answers == {n: ("written", n) for n in (0, 1, 2, 4)}
    assert sorted(database.written[1:]) == [0, 1, 2, 4]


@pytest.mark.parametrize("error", [StoreBusy("locked"), OutcomeUnknown("fsync failed")])
def test_a_batch_that_met_a_lock_or_an_unknown_outcome_is_not_tried_again(error):
    calls = []

    def perform(requests):
        calls.append(list(requests))
        if len(calls) == 1:
            requests[0]()
            return [None]
        raise error

    writer = SharedWriter(perform, queue_max=100, patience_seconds=PATIENCE)
    gate, answers = Gate(), []
    with thread(writer.submit, gate):
        gate.wait()
        workers = [
            Thread(target=lambda: answers.append(outcome(lambda: writer.submit(1))))
            for _ in range(3)
        ]
        for worker in workers:
            worker.start()
        until_queued(writer, 3)
        gate.open()
        for worker in workers:
            worker.join(SECONDS)
    assert [len(call) for call in calls] == [1, 3]
    assert [type(answer) for answer in answers] == [type(error)] * 3
    assert len({id(answer) for answer in answers}) == 3, "callers share one error's traceback"
    writer.close()


# -- interruptions ---------------------------------------------------------------------------------


class Interrupted:
    """Stands in for the lock that a waiting thread sleeps on: Ctrl-C arrives there."""

    def __init__(self, lock, when):
        self._lock, self._when = lock, when

    def acquire(self):
        self._when()
        raise KeyboardInterrupt

    def release(self):
        with suppress(RuntimeError):
            self._lock.release()


def interrupt_the_next_wait(monkeypatch, when):
    wait = ThreadTicket.wait
    struck: list[bool] = []

    def waiting(ticket):
        if threading.current_thread() is threading.main_thread() and not struck:
            struck.append(True)
            Interrupted(ticket._baton, when).acquire()
        wait(ticket)

    monkeypatch.setattr(ThreadTicket, "wait", waiting)


def test_a_thread_interrupted_while_it_waits_withdraws_its_request(writer, database, monkeypatch):
    gate = Gate()
    interrupt_the_next_wait(monkeypatch, lambda: None)
    with thread(writer.submit, gate):
        gate.wait()
        with pytest.raises(KeyboardInterrupt):
            writer.submit("never")
        gate.open()
    assert writer.submit("after") == ("written", "after")
    assert "never" not in database.written


def test_a_thread_interrupted_as_it_was_to_lead_passes_the_lead_on(writer, monkeypatch):
    gate, answers = Gate(), []
    late = Thread(target=lambda: answers.append(writer.submit("late")))

    def once_it_is_heir():
        late.start()
        until_queued(writer, 2)
        leader = writer._heir
        with writer._changed:
            writer._watched = True
        gate.open()
        with writer._changed:
            assert writer._changed.wait_for(lambda: writer._heir is not leader, SECONDS)

    interrupt_the_next_wait(monkeypatch, once_it_is_heir)
    with thread(writer.submit, gate):
        gate.wait()
        with pytest.raises(KeyboardInterrupt):
            writer.submit("never")
    late.join(SECONDS)
    assert answers == [("written", "late")]


@pytest.mark.parametrize("tried_alone", [False, True], ids=["in a batch", "one by one"])
def test_an_interrupted_leader_leaves_nobody_waiting(writer, database, tried_alone):
    """The leader's KeyboardInterrupt is its own; those it wrote for hear that nobody knows."""

    def interrupt():
        raise KeyboardInterrupt

    if tried_alone:
        database.failing = {0: ValueError("a bug")}
    gate, answers, interruptions = Gate(), [], []

    def submit(request):
        try:
            answers.append(outcome(lambda: writer.submit(request)))
        except KeyboardInterrupt:
            interruptions.append(request)

    with thread(writer.submit, gate):
        gate.wait()
        requests = [0, interrupt, 2] if tried_alone else [0, 1, interrupt]
        workers = []
        for count, request in enumerate(requests, 1):
            workers.append(Thread(target=submit, args=(request,)))
            workers[-1].start()
            until_queued(writer, count)
        gate.open()
        for worker in workers:
            worker.join(SECONDS)
            assert not worker.is_alive()
    assert len(interruptions) == 1, "only the thread that was leading is interrupted"
    assert any(isinstance(answer, OutcomeUnknown) for answer in answers)
    assert writer.submit("after") == ("written", "after")


async def test_the_worker_survives_what_is_no_exception(writer):
    def leave():
        raise SystemExit

    with pytest.raises(OutcomeUnknown):
        await writer.submit_async(leave)
    assert await writer.submit_async("after") == ("written", "after")


# -- tasks -----------------------------------------------------------------------------------------


async def test_tasks_that_are_ready_together_share_a_commit(writer, database):
    await asyncio.gather(*(writer.submit_async(n) for n in range(50)))
    assert database.batches == [list(range(50))]


async def test_a_task_cancelled_while_it_waits_is_never_performed(writer, database):
    gate = Gate()
    leading = asyncio.create_task(writer.submit_async(gate))
    await asyncio.to_thread(gate.wait)
    waiting = asyncio.create_task(writer.submit_async("never"))
    await asyncio.to_thread(until_queued, writer, 1)
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    gate.open()
    await leading
    assert database.written == [gate]


async def test_a_task_cancelled_once_it_was_taken_waits_for_its_outcome(writer, database):
    gate = Gate()
    task = asyncio.create_task(writer.submit_async(gate))
    await asyncio.to_thread(gate.wait)
    for _ in range(3):
        task.cancel()
        await asyncio.sleep(0)
        assert not task.done(), "it came back while its transaction was running"
    gate.open()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert database.written == [gate]


def test_a_loop_that_stopped_before_it_woke_the_worker_holds_nobody_back(writer, database):
    """Its task queued in the very turn in which the loop stopped."""
    loop = asyncio.new_event_loop()

    async def queue_and_stop():
        task = asyncio.ensure_future(writer.submit_async("from a loop that stopped"))
        loop.stop()
        return task

    first = loop.create_task(queue_and_stop())
    loop.run_forever()
    while not writer._queue:  # the loop's next turn, and not one more
        loop.call_soon(loop.stop)
        loop.run_forever()
    assert asyncio.run(asyncio.wait_for(writer.submit_async("elsewhere"), SECONDS))
    assert database.written == ["from a loop that stopped", "elsewhere"]
    task = first.result()
    assert loop.run_until_complete(task) == ("written", "from a loop that stopped")
    loop.close()


def test_a_loop_that_was_closed_with_a_write_waiting_does_not_hold_close_back(database):
    writer = SharedWriter(database, queue_max=100, patience_seconds=PATIENCE)
    loop = asyncio.new_event_loop()
    task = loop.create_task(writer.submit_async("left"))
    while not writer._queue:
        loop.call_soon(loop.stop)
        loop.run_forever()
    with thread(writer.close):
        pass
    assert database.written == ["left"], "closing finishes what waits"
    loop.run_until_complete(task)
    loop.close()


def test_threads_and_loops_mix(writer, database):
    def work(number):
        if number % 2:
            return [writer.submit((number, n)) for n in range(30)]

        async def tasks():
            return await asyncio.gather(*(writer.submit_async((number, n)) for n in range(30)))

        return asyncio.run(tasks())

    results = at_once(8, work)
    wanted = [(number, n) for number in range(8) for n in range(30)]
    assert sorted(database.written) == wanted
    assert [request for found in results for _, request in found] == wanted


@settings(max_examples=40, deadline=None)
@given(
    schedule=st.lists(
        st.tuples(st.integers(0, 3), st.booleans(), st.integers(0, 4)), min_size=1, max_size=40
    )
)
def test_in_a_storm_of_cancellations_nothing_is_lost_or_doubled(schedule):
    """Each task is cancelled, or not, after some turns of the loop; some more than once."""
    database = Database()

    async def storm():
        writer = SharedWriter(database, queue_max=1_000, patience_seconds=PATIENCE)
        tasks = []
        for number, (turns, cancelled, more) in enumerate(schedule):
            task = asyncio.create_task(writer.submit_async(number))
            tasks.append((task, cancelled))
            for _ in range(turns):
                await asyncio.sleep(0)
            for _ in range(more if cancelled else 0):
                task.cancel()
                await asyncio.sleep(0)
            if cancelled:
                task.cancel()
        done = await asyncio.wait_for(
            asyncio.gather(*(task for task, _ in tasks), return_exceptions=True), SECONDS
        )
        await asyncio.wait_for(asyncio.to_thread(writer.close), SECONDS)
        return done

    results = asyncio.run(storm())
    assert len(database.written) == len(set(database.written)), "a request was performed twice"
    for number, result in enumerate(results):
        if isinstance(result, asyncio.CancelledError):
            assert schedule[number][1]
        else:
            assert result == ("written", number)
            assert number in database.written


# -- a full queue ----------------------------------------------------------------------------------


def test_a_thread_waits_for_room(database):
    writer = SharedWriter(database, queue_max=2, patience_seconds=PATIENCE)
    gate = Gate()
    with thread(writer.submit, gate):
        gate.wait()
        workers = [Thread(target=writer.submit, args=(n,)) for n in range(6)]
        for worker in workers:
            worker.start()
        until_queued(writer, 2)
        gate.open()
        for worker in workers:
            worker.join(SECONDS)
    assert sorted(database.written[1:]) == list(range(6))
    writer.close()


def test_a_thread_whose_patience_ends_is_told_that_nothing_was_written(database):
    writer = SharedWriter(database, queue_max=1, patience_seconds=0.05)
    gate = Gate()
    with thread(writer.submit, gate):
        gate.wait()
        with thread(writer.submit, "waits"):
            until_queued(writer, 1)
            with pytest.raises(StoreBusy):
                writer.submit("too much")
            gate.open()
    assert database.written == [gate, "waits"]
    writer.close()


async def test_tasks_wait_for_room_without_threads_of_the_loop(database):
    """Name lookups and files use those threads, too."""
    writer = SharedWriter(database, queue_max=2, patience_seconds=PATIENCE)
    gate = Gate()
    tasks = [asyncio.create_task(writer.submit_async(gate))]
    await asyncio.to_thread(gate.wait)
    tasks += [asyncio.create_task(writer.submit_async(n)) for n in range(200)]
    await asyncio.to_thread(until_queued, writer, 2)
    await asyncio.wait_for(asyncio.to_thread(gate.open), SECONDS)
    await asyncio.wait_for(asyncio.gather(*tasks), SECONDS)
    assert sorted(database.written[1:]) == list(range(200))
    assert max(len(batch) for batch in database.batches) <= 2
    await asyncio.to_thread(writer.close)


async def test_a_task_whose_patience_ends_is_told_that_nothing_was_written(database):
    writer = SharedWriter(database, queue_max=1, patience_seconds=0.05)
    gate = Gate()
    leading = asyncio.create_task(writer.submit_async(gate))
    await asyncio.to_thread(gate.wait)
    waiting = asyncio.create_task(writer.submit_async("waits"))
    await asyncio.to_thread(until_queued, writer, 1)
    with pytest.raises(StoreBusy):
        await writer.submit_async("too much")
    gate.open()
    await asyncio.gather(leading, waiting)
    assert database.written == [gate, "waits"]
    await asyncio.to_thread(writer.close)


async def test_room_left_by_cancelled_tasks_is_used(database):
    writer = SharedWriter(database, queue_max=1, patience_seconds=PATIENCE)
    gate = Gate()
    leading = asyncio.create_task(writer.submit_async(gate))
    await asyncio.to_thread(gate.wait)
    tasks = [asyncio.create_task(writer.submit_async(n)) for n in range(20)]
    await asyncio.to_thread(until_queued, writer, 1)
    for task in tasks[:19]:
        task.cancel()
    await asyncio.wait(tasks[:19])
    gate.open()
    assert await asyncio.wait_for(tasks[19], SECONDS) == ("written", 19)
    await leading
    assert database.written == [gate, 19]
    await asyncio.to_thread(writer.close)


async def test_closing_when_all_that_waited_was_withdrawn_comes_to_an_end(database):
    """The worker is woken to lead nothing, and has to give the lead back before it goes."""
    for _ in range(20):
        writer = SharedWriter(database, queue_max=100, patience_seconds=PATIENCE)
        task = asyncio.create_task(writer.submit_async("never"))
        await asyncio.sleep(0)
        task.cancel()
        closing = Thread(target=writer.close)
        closing.start()
        with pytest.raises(asyncio.CancelledError):
            await task
        await asyncio.to_thread(closing.join, SECONDS)
        assert not closing.is_alive()
    assert set(database.written) <= {"never"}


# -- closing ---------------------------------------------------------------------------------------


async def test_closing_finishes_what_waits_and_refuses_what_comes(database):
    writer = SharedWriter(database, queue_max=2, patience_seconds=PATIENCE)
    gate = Gate()
    tasks = [asyncio.create_task(writer.submit_async(gate))]
    await asyncio.to_thread(gate.wait)
    tasks += [asyncio.create_task(writer.submit_async(n)) for n in range(2)]
    await asyncio.to_thread(until_queued, writer, 2)
    waiting = asyncio.create_task(writer.submit_async("waits for room"))
    await asyncio.sleep(0)
    closing = asyncio.create_task(asyncio.to_thread(writer.close))
    with pytest.raises(StoreClosed):
        await asyncio.wait_for(waiting, SECONDS)
    with pytest.raises(StoreClosed):
        await writer.submit_async("late")
    with pytest.raises(StoreClosed):
        writer.submit("late")
    assert not closing.done()
    gate.open()
    await asyncio.wait_for(asyncio.gather(closing, *tasks), SECONDS)
    assert database.written == [gate, 0, 1]
    await asyncio.to_thread(writer.close)
