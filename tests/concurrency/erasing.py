"""A schedule: steps of runs begin in forks while what they read is erased in the source."""

from contextlib import ExitStack
from functools import partial

from eventstore import RunStep
from tests.concurrency.schedules import at_once, outcome
from tests.conformance.purging import talk


def steps_begin_beside_erasures(opening, *, workers=4, rounds=15, steps=3):
    """Afterwards no step that read the words can prove it; return how many had, and were refused.

    Worker 0 erases a message in each round, the others record in forks what they read.
    """
    with ExitStack() as stack:
        stores = [stack.enter_context(opening()) for _ in range(2)]
        proven, refused = 0, 0
        for number in range(rounds):
            source, (said, _) = talk(stores[0], f"pin {number}", "two")
            fork = stores[0].threads.fork(source).id
            forks = [stores[0].threads.fork(fork).id for _ in range(workers)]
            runs = [begun_run(stores[0], one) for one in forks]
            before = begin(stores[1], forks[0], runs[0], 1)  # one that the erasure has to find
            stale = stores[1].runs.context(forks[0], runs[0])

            def act(worker, source=source, said=said, forks=forks, runs=runs):
                store = stores[worker % 2]
                if worker == 0:
                    store.privacy.erase(source, said)
                    return None
                return begin(store, forks[worker], runs[worker], steps)

            for worker, (made, told) in enumerate([before, *at_once(workers, act)[1:]]):
                refused += told
                for step, seen in made:
                    proof = stores[0].runs.context(forks[worker], runs[worker], step_id=step)
                    read_words = not seen.messages[0].erased
                    assert (proof.salt is None) is read_words
                    proven += read_words
            refused += begin(stores[1], forks[0], runs[0], 1, stale)[1]
        assert stores[0].projections.compare().findings == ()
        return proven, refused


def begun_run(store, thread):
    run = store.runs.create(thread).id
    store.runs.start(thread, run)
    return run


def begin(store, thread, run, count, read=None):
    """Read and begin a few steps; return them with what they saw, and how many were refused."""
    made, refused = [], 0
    for _ in range(count):
        seen = read or store.runs.context(thread, run)
        told = outcome(partial(store.runs.steps.start, thread, run, context=seen))
        if isinstance(told, RunStep):
            made.append((told.id, seen))
        else:
            assert getattr(told, "reason", told) == "context_erased"
            refused += 1
    return made, refused
