"""The part of the conformance suite that is about callers at once; see ``testing.conformance``."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from eventstore.conversation.values import Message
from eventstore.errors import (
    WrongExpectedHead,
)
from eventstore.testing.store_wrappers import AnyStore

__all__ = ["ConcurrentSuite"]


def _texts(store: AnyStore, thread_id: str) -> list[str]:
    return [message.text for message in store.messages.list(thread_id)]


def _say(store: AnyStore, thread_id: str, text: str, **options: object) -> Message:
    made: Message = store.messages.create(thread_id, role="user", content=text, **options)
    return made


def _kind(act: Callable[[], Any]) -> str:
    """Return the name of the error that a call raises, or "" if it does not."""
    try:
        act()
    except Exception as error:  # noqa: BLE001 (the caller compares)
        return type(error).__name__
    return ""


class ConcurrentSuite:
    """Needs the fixture ``store``, as ``ConformanceSuite`` has it."""

    def test_writers_at_once_leave_no_gap_and_no_double(self, store: AnyStore) -> None:
        workers, each = 8, 5
        thread = store.threads.create()
        with ThreadPoolExecutor(workers) as pool:
            made = [
                message
                for written in pool.map(
                    lambda worker: [_say(store, thread.id, f"{worker}.{n}") for n in range(each)],
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
        head = _say(store, thread.id, "head")
        with ThreadPoolExecutor(workers) as pool:
            kinds = list(
                pool.map(
                    lambda n: _kind(lambda: _say(store, thread.id, str(n), expected_head=head.id)),
                    range(workers),
                )
            )
        assert sorted(kinds) == ["", *[WrongExpectedHead.__name__] * (workers - 1)]
        assert len(_texts(store, thread.id)) == 2  # noqa: PLR2004 (the head and the winner's)

    def test_reads_and_writes_at_once_do_not_disturb_each_other(self, store: AnyStore) -> None:
        workers = 6
        thread = store.threads.create()

        def work(worker: int) -> None:
            for n in range(4):
                _say(store, thread.id, f"{worker}.{n}")
                path = list(store.messages.list(thread.id))
                assert [m.parent_id for m in path] == [None, *[m.id for m in path[:-1]]]

        with ThreadPoolExecutor(workers) as pool:
            list(pool.map(work, range(workers)))
        assert len(_texts(store, thread.id)) == workers * 4
