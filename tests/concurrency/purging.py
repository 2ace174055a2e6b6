"""A schedule: threads are purged while others append to them, fork them and fork the forks."""

import random
from contextlib import ExitStack

from eventstore import StoreBusy, ThreadNotFound
from tests.concurrency.schedules import at_once
from tests.conformance.purging import talk


def everybody_at_once(opening, *, stores=3, workers=6, acts=40):
    """Several stores, two workers each; afterwards whatever is left can be read to its root."""
    with ExitStack() as stack:
        opened = [stack.enter_context(opening()) for _ in range(stores)]
        first, _ = talk(opened[0], "one", "two")
        threads = [first, *[opened[0].threads.fork(first).id for _ in range(3)]]
        done = at_once(
            workers, lambda n: _work(opened[n % stores], threads, random.Random(n), acts)
        )
        purged = {thread for one, _ in done for thread in one}
        assert len(purged) > workers
        assert sum(forked for _, forked in done) > workers
        store = opened[-1]
        assert store.projections.compare().findings == ()
        events = list(store.events.read_all())
        gone = [event.data["thread_id"] for event in events if event.type == "ThreadPurged"]
        left = {thread.id for thread in store.threads.list(limit=None)}
        assert sorted(gone) == sorted(purged)
        assert not purged & (left | {event.stream_id for event in events})
        for thread in left:
            path = store.messages.list(thread)
            assert path.data[0].text.startswith("one")
            assert store.replay.state(thread).messages == path.data


def _work(store, threads, dice, acts):
    purged, forked = [], 0
    for number in range(acts):
        thread, act = dice.choice(threads[-12:]), dice.random()  # the others are mostly gone
        try:
            if act < 0.1:
                threads.append(talk(store, "one", "two")[0])
            elif act < 0.4:
                threads.append(store.threads.fork(thread).id)
                forked += 1
            elif act < 0.5:
                purged += [thread, *store.privacy.purge(thread, forks="purge").forks]
            elif act < 0.8:
                store.messages.create(thread, role="user", content=f"words {number}")
            else:
                path = store.messages.list(thread).data
                store.messages.amend(thread, path[0].id, content=f"one, amended {number}")
        except (ThreadNotFound, StoreBusy):
            continue
    return purged, forked
