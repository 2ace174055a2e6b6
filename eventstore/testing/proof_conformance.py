"""Conformance: the proofs of steps about the messages they saw, before and after erasing."""

from __future__ import annotations

import pytest

from eventstore.conversation.context import context_digest
from eventstore.conversation.run_values import RunContext
from eventstore.errors import Refused
from eventstore.testing.store_wrappers import AnyStore

__all__ = ["ProofSuite"]


class _Run:
    """A run in progress over a question and an answer."""

    def __init__(self, store: AnyStore, thread_id: str) -> None:
        self.store, self.thread_id = store, thread_id
        self.id = store.runs.create(thread_id).id
        store.runs.start(thread_id, self.id)

    def see(self, **chosen: object) -> RunContext:
        seen: RunContext = self.store.runs.context(self.thread_id, self.id, **chosen)
        return seen

    def step(self, seen: object, **options: object) -> str:
        options = {"details": {"prompt": "Why?"}, **options}
        made = self.store.runs.steps.start(self.thread_id, self.id, context=seen, **options)
        return str(made.id)

    def proof(self, step_id: str) -> RunContext:
        return self.see(step_id=step_id)


def _refused(run: _Run, seen: object) -> None:
    with pytest.raises(Refused) as told:
        run.step(seen)
    assert told.value.reason == "context_erased"


class ProofSuite:
    """Needs the fixture ``store``, as ``ConformanceSuite`` has it."""

    @pytest.fixture
    def talk(self, store: AnyStore) -> tuple[str, str, str]:
        """A thread, and the ids of its question and its answer."""
        thread = store.threads.create().id
        asked = store.messages.create(thread, role="user", content="pin 0815").id
        return thread, asked, store.messages.create(thread, role="assistant", content="Fine.").id

    def test_nothing_is_left_to_test_a_guess_with(
        self, store: AnyStore, talk: tuple[str, str, str]
    ) -> None:
        thread, asked, answer = talk
        run = _Run(store, thread)
        whole, part = run.step(run.see()), run.step(run.see(leave_out=[asked]))
        before = run.proof(whole)
        assert before.verified
        assert before.salt is not None
        assert context_digest(before.salt, before.messages) == before.digest  # anyone who guesses
        made = store.privacy.erase(thread, asked)
        after = run.proof(whole)
        assert (after.verified, after.salt, after.digest) == (None, None, None)
        assert [(m.id, m.erased) for m in after.messages] == [(asked, True), (answer, False)]
        assert (after.head_id, after.ranges) == (before.head_id, before.ranges)
        assert before.salt.hex() not in str(list(store.events.read(thread)))
        assert run.proof(part).verified, "it did not see the message"
        steps = {one.id: one for one in store.runs.steps.list(thread, run.id)}
        assert (steps[whole].details, steps[part].details) == ({}, {"prompt": "Why?"})
        assert (thread, steps[whole].version) in {(e.stream_id, e.version) for e in made.erased}
        assert store.privacy.erase(thread, asked) == made
        assert store.projections.compare(thread).ok

    def test_a_step_that_saw_it_erased_keeps_its_proof(
        self, store: AnyStore, talk: tuple[str, str, str]
    ) -> None:
        thread, asked, _ = talk
        run = _Run(store, thread)
        store.privacy.erase(thread, asked)
        step = run.step(run.see())
        version = store.threads.get(thread).version
        made = store.privacy.erase(thread, asked)
        assert store.threads.get(thread).version == version, "there was nothing to erase"
        assert made.copies == ()
        assert run.proof(step).verified
        store.messages.amend(thread, asked, content="pin 4711")
        later = run.step(run.see())
        store.privacy.erase(thread, asked)
        assert run.proof(step).verified
        assert run.proof(later).salt is None

    def test_a_context_from_before_an_erasure_begins_no_step(
        self, store: AnyStore, talk: tuple[str, str, str]
    ) -> None:
        thread, asked, answer = talk
        run = _Run(store, thread)
        seen = run.see()
        store.messages.update(thread, answer, name="Ann")
        run.step(seen)
        store.privacy.erase(thread, asked)
        _refused(run, seen)
        seen = run.see()
        store.messages.update(thread, answer, name="Ben")
        assert run.proof(run.step(seen)).verified, "it was read after the erasure"

    def test_nor_does_one_of_a_fork_whose_source_lost_the_words(
        self,
        store: AnyStore,
        talk: tuple[str, str, str],
    ) -> None:
        thread, asked, _ = talk
        fork = store.threads.fork(store.threads.fork(thread).id).id
        store.messages.create(fork, role="user", content="And now?")
        run = _Run(store, fork)
        seen, short = run.see(), run.see(last_messages=1)
        store.messages.create(thread, role="user", content="Says nothing of it.")
        version = store.threads.get(fork).version
        store.privacy.erase(thread, asked)
        assert store.threads.get(fork).version == version, "the fork itself said nothing of it"
        _refused(run, seen)
        assert run.proof(run.step(short)).verified, "it saw what is the fork's own"
        assert run.proof(run.step(run.see())).verified, "it was read after the erasure"

    def test_a_context_is_handed_on_as_json(
        self, store: AnyStore, talk: tuple[str, str, str]
    ) -> None:
        run = _Run(store, talk[0])
        seen = run.see()
        handed = type(seen).model_validate_json(seen.model_dump_json())
        assert handed == seen
        assert seen.digest is not None
        assert handed.model_dump(mode="json")["digest"] == seen.digest.hex()
        assert run.proof(run.step(handed)).verified

    def test_steps_in_forks_lose_the_proof_of_what_they_inherited(
        self,
        store: AnyStore,
        talk: tuple[str, str, str],
    ) -> None:
        thread, asked, answer = talk
        fork = store.threads.fork(store.threads.fork(thread).id, at_message=answer).id
        store.messages.create(fork, role="user", content="And now?")
        run = _Run(store, fork)
        step = run.step(run.see(), idempotency_key="k")
        short = run.step(run.see(last_messages=1))
        assert run.proof(step).verified
        made = store.privacy.erase(thread, asked)
        assert fork in {event.stream_id for event in made.erased}
        assert run.proof(step).salt is None
        assert run.proof(short).verified, "it saw the last question alone"
        assert run.step(run.see(), idempotency_key="k") == step, "its digest went, too"

    def test_a_run_that_is_taken_along_loses_all_of_it(
        self, store: AnyStore, talk: tuple[str, str, str]
    ) -> None:
        thread, asked, _ = talk
        run = _Run(store, thread)
        step = run.step(run.see())
        store.runs.steps.complete(thread, step, details={"said": "pin 0815"})
        [copy] = store.privacy.erase(thread, asked).copies
        assert (copy.kind, copy.id) == ("run", run.id), "how it ended may say it"
        assert store.privacy.erase(thread, asked, include=["run"]).copies == ()
        [found] = store.runs.steps.list(thread, run.id)
        assert (found.details, found.status) == ({}, "completed")
