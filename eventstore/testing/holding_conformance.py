"""The part of the conformance suite that is about who executes a run; see ``testing.conformance``.

One worker holds a run. Another takes it over once the holder is silent for longer than its lease,
and from then on nothing that the first one still sends is written.
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest

from eventstore.conversation.run_values import Run
from eventstore.errors import LeaseLost, Refused
from eventstore.testing.store_wrappers import AnyStore

__all__ = ["HoldingSuite"]

_PATIENCE_SECONDS = 30.0


def _becomes_true(holds: Callable[[], bool]) -> None:
    """Wait until something is true."""
    until = time.monotonic() + _PATIENCE_SECONDS
    while not holds():
        assert time.monotonic() < until, "it did not become true"


def _started(store: AnyStore, **options: object) -> Run:
    thread = store.threads.create().id
    run = store.runs.create(thread, queue=options.pop("queue", None))
    started: Run = store.runs.start(thread, run.id, **options)
    return started


def _writes(store: AnyStore, run: Run, step: str, fence: int | None) -> list[Callable[[], object]]:
    """Return every write of a run's holder."""
    thread, runs = run.thread_id, store.runs
    add = store.messages.create

    def in_a_batch() -> None:
        with store.threads.batch(thread) as batch:
            batch.messages.create(role="assistant", content="late", run_id=run.id, fence=fence)
            batch.runs.complete(run.id, fence=fence)

    return [
        lambda: add(thread, role="assistant", content="late", run_id=run.id, fence=fence),
        lambda: runs.require_action(thread, run.id, fence=fence),
        lambda: runs.steps.start(thread, run.id, fence=fence),
        lambda: runs.steps.complete(thread, step, fence=fence),
        lambda: runs.steps.fail(thread, step, fence=fence),
        lambda: runs.complete(thread, run.id, fence=fence),
        lambda: runs.fail(thread, run.id, fence=fence),
        lambda: runs.expire(thread, run.id, fence=fence),
        in_a_batch,
    ]


class HoldingSuite:
    """Needs the fixture ``store``, as ``ConformanceSuite`` has it."""

    def test_a_holder_that_lost_its_run_writes_nothing(self, store: AnyStore) -> None:
        first = _started(store, holder="first")
        thread = first.thread_id
        step = store.runs.steps.start(thread, first.id, fence=first.fence).id
        second = store.runs.start(thread, first.id, holder="second", take_over=True)
        version = store.threads.get(thread).version
        assert (second.holder, second.fence) == ("second", version)
        for fence in (first.fence, None):
            for late in _writes(store, first, step, fence):
                with pytest.raises(LeaseLost, match="'second'"):
                    late()
        for late in (
            lambda: store.runs.heartbeat(thread, first.id, fence=first.fence),
            lambda: store.runs.start(thread, first.id, take_over=True, fence=first.fence),
            lambda: store.runs.cancel(thread, first.id, fence=first.fence),
        ):
            with pytest.raises(LeaseLost):
                late()
        assert store.threads.get(thread).version == version
        store.runs.cancel(thread, first.id)  # anybody may ask for it; the holder does it
        with pytest.raises(LeaseLost):
            store.runs.cancel(thread, first.id)
        with store.threads.batch(thread) as batch:
            batch.messages.create(
                role="assistant", content="kept", run_id=first.id, fence=second.fence
            )
            batch.runs.cancel(first.id, fence=second.fence)
        assert store.runs.get(thread, first.id).status == "cancelled"

    def test_without_a_fence_a_write_counts_until_the_first_take_over(
        self, store: AnyStore
    ) -> None:
        run = _started(store)
        thread = run.thread_id
        store.messages.create(thread, role="assistant", content="a", run_id=run.id)
        with pytest.raises(LeaseLost):
            store.runs.complete(thread, run.id, fence=1)
        assert store.runs.complete(thread, run.id).fence == run.fence

    def test_of_workers_that_saw_the_same_dead_holder_one_takes_over(self, store: AnyStore) -> None:
        workers = 8
        run = _started(store, lease_seconds=0)

        def take_over(number: int) -> Run | None:
            try:
                taken: Run = store.runs.start(
                    run.thread_id, run.id, holder=str(number), take_over=True, fence=run.fence
                )
            except LeaseLost:
                return None
            return taken

        with ThreadPoolExecutor(workers) as pool:
            taken = [one for one in pool.map(take_over, range(workers)) if one is not None]
        now = store.runs.get(run.thread_id, run.id)
        assert [(one.holder, one.fence) for one in taken] == [(now.holder, now.fence)]

    def test_a_run_whose_holder_is_silent_is_found(self, store: AnyStore) -> None:
        store = store.tenant(f"leases_{secrets.token_hex(8)}")
        alive = _started(store, holder="alive", lease_seconds=600)
        dead = _started(store, holder="dead", lease_seconds=0.01, queue="mail")
        waiting = store.runs.create(store.threads.create().id, queue="mail")

        def found(**asked: object) -> list[str]:
            return [run.id for run in store.runs.list(**asked)]

        _becomes_true(lambda: found(lease_ended=True) == [dead.id])
        assert found(lease_ended=False) == [alive.id]
        assert found() == [alive.id, dead.id, waiting.id]
        assert found(queue="mail") == [dead.id, waiting.id]
        assert found(queue="mail", lease_ended=True, holder="dead") == [dead.id]
        assert found(queue=None) == found(holder="alive") == [alive.id]
        assert found(status="queued") == [waiting.id]
        assert found(status=["queued", "in_progress"], updated_before=alive.created_at) == []
        kept = store.runs.heartbeat(
            dead.thread_id, dead.id, fence=dead.fence, lease_seconds=600
        ).lease_ends_at
        assert kept > dead.lease_ends_at
        assert store.runs.get(dead.thread_id, dead.id).lease_ends_at == kept
        assert found(lease_ended=True) == []
        store.runs.complete(dead.thread_id, dead.id)
        assert found(lease_ended=False) == [alive.id]
        assert found() == [alive.id, waiting.id]
        assert found(status="completed") == [dead.id]
        store.runs.complete(alive.thread_id, alive.id, fence=alive.fence)
        assert found(status="completed") == [alive.id, dead.id]
        store.threads.delete(alive.thread_id)
        assert found(status="completed") == [dead.id]
        assert list(store.tenant(f"other_{secrets.token_hex(8)}").runs.list()) == []

    def test_runs_of_all_threads_are_listed_page_by_page(self, store: AnyStore) -> None:
        store = store.tenant(f"pages_{secrets.token_hex(8)}")
        threads = [store.threads.create().id for _ in range(3)]
        runs = [store.runs.create(threads[number % 3]).id for number in range(7)]
        store.runs.start(threads[1], runs[1])
        store.runs.cancel(threads[2], runs[2])
        expected = [run for run in runs if run != runs[2]]
        seen, page = [], store.runs.list(limit=2)
        seen += [run.id for run in page]
        store.runs.complete(threads[1], runs[1])  # what was shown may end meanwhile
        while page.next_cursor is not None:
            page = store.runs.list(limit=2, after=page.next_cursor)
            seen += [run.id for run in page]
        assert seen == expected

    def test_nobody_holds_a_run_that_waits_or_ended(self, store: AnyStore) -> None:
        run = _started(store, holder="one")
        thread = run.thread_id
        call = {"type": "tool_call", "id": "c1", "name": "clock"}
        store.messages.create(
            thread, role="assistant", content=[call], run_id=run.id, fence=run.fence
        )
        assert store.runs.require_action(thread, run.id, fence=run.fence).lease_ends_at is None
        with pytest.raises(Refused, match="held by nobody"):
            store.runs.heartbeat(thread, run.id, fence=run.fence)
        store.runs.submit_tool_outputs(thread, run.id, [{"call_id": "c1", "output": "noon"}])
        again = store.runs.start(thread, run.id, holder="two", fence=run.fence)
        assert (again.holder, again.lease_ends_at is None) == ("two", False)
        with pytest.raises(LeaseLost):
            store.runs.complete(thread, run.id, fence=run.fence)
        ended = store.runs.complete(thread, run.id, fence=again.fence)
        assert (ended.holder, ended.lease_ends_at) == ("two", None)
        with pytest.raises(Refused, match="never changes again"):
            store.runs.heartbeat(thread, run.id, fence=again.fence)
        assert store.projections.compare(thread).ok

    def test_a_rebuild_leaves_leases_as_they_are(self, store: AnyStore) -> None:
        run = _started(store, holder="one", lease_seconds=600)
        store.projections.rebuild(run.thread_id)
        assert store.runs.get(run.thread_id, run.id) == run
        assert store.projections.compare(run.thread_id).ok
