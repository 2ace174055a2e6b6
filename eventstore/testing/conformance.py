"""The promises that every way of running a store must keep, as a class of tests to subclass.

::

    class TestOnOurEngine(ConformanceSuite):
        @contextmanager
        def opened(self, place):
            with ConversationStore.open(make_engine(place / "chat.db")) as store:
                yield store

``opened`` opens a store on the database in the folder ``place``. Called again with the same folder,
it opens another store on the same database. The tests of a class share one store, each with
a tenant of its own. An async store goes through :func:`blocking`, so that the same tests, threads
included, hold both faces. :func:`within` sends each write through ``connection=``.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import pytest

from eventstore.core import ids
from eventstore.errors import (
    IdempotencyConflict,
    MessageNotFound,
    Refused,
    StoreClosed,
    ThreadNotFound,
    WrongExpectedHead,
    WrongExpectedVersion,
)
from eventstore.testing.concurrent_conformance import ConcurrentSuite
from eventstore.testing.erasure_conformance import ErasureSuite
from eventstore.testing.holding_conformance import HoldingSuite
from eventstore.testing.large_conformance import LargeContentSuite
from eventstore.testing.lookup_conformance import LookupSuite
from eventstore.testing.proof_conformance import ProofSuite
from eventstore.testing.repeat_conformance import RepeatSuite
from eventstore.testing.store_wrappers import AnyStore, blocking, within
from eventstore.testing.stream_conformance import StreamSuite
from eventstore.testing.suite_calls import kind_of_error, say, texts
from eventstore.testing.trail_conformance import TrailSuite

__all__ = ["ConformanceSuite", "blocking", "within"]


class ConformanceSuite(
    ConcurrentSuite,
    ErasureSuite,
    HoldingSuite,
    LargeContentSuite,
    LookupSuite,
    ProofSuite,
    RepeatSuite,
    StreamSuite,
    TrailSuite,
):
    """Tests of all that a store promises: subclass it in a test module and override ``opened``."""

    lasting = True
    """Another store sees what the first one wrote: not so in memory."""
    parallel = True
    """Several threads may write at once: not so where each waits in a transaction of its own."""

    def opened(self, place: Path) -> AbstractContextManager[Any]:
        """Return a context manager that opens a store.

        Args:
            place: a folder. Asked with the same one again, give another store on the same database.
        """
        raise NotImplementedError

    @pytest.fixture(scope="class")
    @classmethod
    def shared_store(cls, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
        """A store that all tests of the class share."""
        with cls().opened(tmp_path_factory.mktemp(cls.__name__)) as store:
            yield store

    @pytest.fixture
    def store(self, shared_store: AnyStore) -> Iterator[AnyStore]:
        """A tenant who has nothing yet; afterwards its tables must say what its events say."""
        store = shared_store.tenant(f"tenant_{secrets.token_hex(8)}")
        yield store
        assert store.projections.compare().findings == ()

    def test_what_was_written_is_read_back(self, store: AnyStore) -> None:
        thread = store.threads.create(title="a title", metadata={"user": "u"})
        question = say(store, thread.id, "why?")
        answer = store.messages.create(thread.id, role="assistant", content="because")
        assert texts(store, thread.id) == ["why?", "because"]
        assert (question.version, answer.version, answer.parent_id) == (2, 3, question.id)
        found = store.threads.get(thread.id)
        assert (found.title, found.metadata, found.version) == ("a title", {"user": "u"}, 3)

    def test_another_store_sees_it(self, tmp_path: Path) -> None:
        if not self.lasting:
            pytest.skip("what is kept in memory goes with its store")
        with self.opened(tmp_path) as store:
            thread = store.threads.create()
            say(store, thread.id, "kept")
        with self.opened(tmp_path) as again:
            assert texts(again, thread.id) == ["kept"]
            say(again, thread.id, "and more")
            assert [event.version for event in again.events.read(thread.id)] == [1, 2, 3]

    def test_branches_are_kept_side_by_side(self, store: AnyStore) -> None:
        thread = store.threads.create()
        question = say(store, thread.id, "q")
        answer = store.messages.create(thread.id, role="assistant", content="a")
        other = store.messages.regenerate(thread.id, answer.id, content="b")
        assert texts(store, thread.id) == ["q", "b"]
        store.branches.select(thread.id, answer.id)
        assert texts(store, thread.id) == ["q", "a"]
        store.messages.edit(thread.id, question.id, content="q2")
        assert texts(store, thread.id) == ["q2"]
        assert [m.id for m in store.branches.siblings(thread.id, other.id)] == [answer.id, other.id]

    def test_a_fork_shares_what_was_before_it(self, store: AnyStore) -> None:
        thread = store.threads.create()
        first = say(store, thread.id, "shared")
        say(store, thread.id, "after the fork")
        fork = store.threads.fork(thread.id, at_message=first.id)
        say(store, fork.id, "own")
        assert texts(store, fork.id) == ["shared", "own"]
        assert texts(store, thread.id) == ["shared", "after the fork"]

    def test_what_is_said_during_a_run_waits_for_its_end(self, store: AnyStore) -> None:
        thread = store.threads.create()
        say(store, thread.id, "go")
        run = store.runs.create(thread.id)
        store.runs.start(thread.id, run.id)
        assert say(store, thread.id, "later").status == "queued"
        store.messages.create(thread.id, role="assistant", content="done", run_id=run.id)
        assert store.runs.complete(thread.id, run.id).status == "completed"
        assert texts(store, thread.id) == ["go", "done", "later"]

    def test_a_batch_happens_as_a_whole_or_not_at_all(self, store: AnyStore) -> None:
        thread = store.threads.create()
        with store.threads.batch(thread.id) as batch:
            first = batch.messages.create(role="user", content="1")
            batch.messages.create(role="user", content="2", parent_id=first.id)
        assert texts(store, thread.id) == ["1", "2"]

        def refused() -> None:
            with store.threads.batch(thread.id) as batch:
                batch.messages.create(role="user", content="3")
                batch.messages.remove(ids.show(ids.MESSAGE, bytes(16)))

        assert kind_of_error(refused) == MessageNotFound.__name__
        assert texts(store, thread.id) == ["1", "2"]
        assert store.threads.get(thread.id).version == 3  # noqa: PLR2004 (created, 1, 2)

    def test_a_refusal_leaves_nothing(self, store: AnyStore) -> None:
        thread = store.threads.create()
        say(store, thread.id, "only")
        store.threads.archive(thread.id)
        version = store.threads.get(thread.id).version
        with pytest.raises(Refused):
            say(store, thread.id, "x")
        with pytest.raises(ThreadNotFound):
            say(store, ids.show(ids.THREAD, bytes(16)), "x")
        assert store.threads.get(thread.id).version == version
        assert [event.version for event in store.events.read(thread.id)][-1] == version

    def test_guards_hold(self, store: AnyStore) -> None:
        thread = store.threads.create()
        first = say(store, thread.id, "1")
        say(store, thread.id, "2", expected_head=first.id, expected_version=2)
        with pytest.raises(WrongExpectedHead):
            say(store, thread.id, "3", expected_head=first.id)
        with pytest.raises(WrongExpectedVersion):
            say(store, thread.id, "3", expected_version=2)
        assert texts(store, thread.id) == ["1", "2"]

    def test_a_repeated_key_returns_the_first_result(self, store: AnyStore) -> None:
        thread = store.threads.create()
        first = say(store, thread.id, "once", idempotency_key="k")
        again = say(store, thread.id, "once", idempotency_key="k")
        assert (again.id, again.version) == (first.id, first.version)
        with pytest.raises(IdempotencyConflict):
            say(store, thread.id, "something else", idempotency_key="k")
        assert texts(store, thread.id) == ["once"]

    def test_events_of_the_application_are_kept_in_order(self, store: AnyStore) -> None:
        stream = "invoice_" + "0" * 31 + "1"
        receipt = store.events.append(
            stream, [{"type": "Sent", "data": {"n": n}} for n in range(3)], expected_version="any"
        )
        store.events.append(stream, [{"type": "Paid"}], expected_version=3)
        with pytest.raises(WrongExpectedVersion):
            store.events.append(stream, [{"type": "Paid"}], expected_version=3)
        assert receipt.version == 3  # noqa: PLR2004 (three events)
        read = list(store.events.read(stream))
        assert [event.type for event in read] == ["Sent", "Sent", "Sent", "Paid"]
        assert [event.position for event in store.events.read_all()] == [e.position for e in read]

    def test_tenants_know_nothing_of_each_other(self, store: AnyStore) -> None:
        thread = store.threads.create()
        other = store.tenant(f"other_{secrets.token_hex(8)}")
        with pytest.raises(ThreadNotFound):
            other.threads.get(thread.id)
        assert list(other.events.read_all()) == []

    def test_replay_equals_what_is_live(self, store: AnyStore) -> None:
        thread = store.threads.create()
        question = say(store, thread.id, "q")
        store.messages.create(thread.id, role="assistant", content="a")
        store.messages.amend(thread.id, question.id, content="q, amended")
        store.messages.edit(thread.id, question.id, content="q2")
        say(store, thread.id, "more")
        replayed = [message.text for message in store.replay.state(thread.id).messages]
        assert replayed == texts(store, thread.id) == ["q2", "more"]
        steps = list(store.replay.steps(thread.id))
        assert [step.event.version for step in steps] == [1, 2, 3, 4, 5, 6]

    def test_a_rebuild_changes_nothing(self, store: AnyStore) -> None:
        thread = store.threads.create()
        for text in "abc":
            say(store, thread.id, text)
        before = list(store.messages.list(thread.id))
        assert store.projections.rebuild().threads == 1
        assert list(store.messages.list(thread.id)) == before

    def test_a_closed_store_says_so(self, tmp_path: Path) -> None:
        with self.opened(tmp_path) as store:
            thread = store.threads.create()
            store.close()
            store.close()
            for act in (
                lambda: store.threads.get(thread.id),
                lambda: say(store, thread.id, "late"),
                store.health,
            ):
                with pytest.raises(StoreClosed):
                    act()
