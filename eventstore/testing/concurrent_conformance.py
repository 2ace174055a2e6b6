"""The part of the conformance suite that is about callers at once; see ``testing.conformance``."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from functools import partial

from eventstore.errors import (
    WrongExpectedHead,
)
from eventstore.testing.store_wrappers import AnyStore
from eventstore.testing.suite_calls import kind_of_error, say, texts

__all__ = ["ConcurrentSuite"]


class ConcurrentSuite:
    """Needs the fixture ``store``, as ``ConformanceSuite`` has it."""

    def test_writers_at_once_leave_no_gap_and_no_double(self, store: AnyStore) -> None:
        workers, each = 8, 5
        thread = store.threads.create()
        with ThreadPoolExecutor(workers) as pool:
            made = [
                message
                for written in pool.map(
                    lambda worker: [say(store, thread.id, f"{worker}.{n}") for n in range(each)],
                    range(workers),
                )
                for message in written
            ]
        versions = sorted(message.version for message in made)
        assert versions == list(range(2, 2 + workers * each))
        listed = {message.id: message.version for message in store.messages.list(thread.id)}
        assert listed == {message.id: message.version for message in made}

    def test_of_writers_who_saw_the_same_head_one_wins(self, store: AnyStore) -> None:
        workers = 8
        thread = store.threads.create()
        head = say(store, thread.id, "head")
        with ThreadPoolExecutor(workers) as pool:
            guards = {"expected_head": head.id}
            tries = [partial(say, store, thread.id, str(n), **guards) for n in range(workers)]
            kinds = list(pool.map(kind_of_error, tries))
        assert sorted(kinds) == ["", *[WrongExpectedHead.__name__] * (workers - 1)]
        assert len(texts(store, thread.id)) == 2  # noqa: PLR2004 (the head and the winner's)

    def test_reads_and_writes_at_once_do_not_disturb_each_other(self, store: AnyStore) -> None:
        workers = 6
        thread = store.threads.create()

        def work(worker: int) -> None:
            for n in range(4):
                say(store, thread.id, f"{worker}.{n}")
                path = list(store.messages.list(thread.id))
                assert [m.parent_id for m in path] == [None, *[m.id for m in path[:-1]]]

        with ThreadPoolExecutor(workers) as pool:
            list(pool.map(work, range(workers)))
        assert len(texts(store, thread.id)) == workers * 4
