"""The part of the conformance suite about repeats after an erasure; see ``testing.conformance``."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import pytest

from eventstore.errors import (
    IdempotencyConflict,
)
from eventstore.testing.store_wrappers import AnyStore
from eventstore.testing.suite_calls import say

__all__ = ["RepeatSuite"]

WORD = "blackbird"


class RepeatSuite:
    """Needs the fixture ``store``, as ``ConformanceSuite`` has it."""

    def test_a_repeated_key_returns_what_was_erased_as_erased(self, store: AnyStore) -> None:
        thread = store.threads.create()
        first = say(store, thread.id, WORD, idempotency_key="k")
        amended = store.messages.amend(thread.id, first.id, content="b", idempotency_key="l")
        other = say(store, thread.id, "other", idempotency_key="m")
        store.privacy.erase(thread.id, first.id, idempotency_key="n")
        version = store.threads.get(thread.id).version
        again = say(store, thread.id, WORD, idempotency_key="k")
        assert (again.id, again.version, again.erased, again.text) == (first.id, 2, True, "")
        again = store.messages.amend(thread.id, first.id, content="b", idempotency_key="l")
        assert (again.id, again.revision, again.erased) == (first.id, amended.revision, True)
        store.privacy.erase(thread.id, first.id, idempotency_key="n")
        others: tuple[Callable[[], Any], ...] = (  # another kind of command, or another target
            lambda: store.messages.amend(thread.id, first.id, content="b", idempotency_key="k"),
            lambda: store.messages.amend(thread.id, other.id, content="b", idempotency_key="l"),
            lambda: store.messages.create_many(
                thread.id, [{"role": "user", "content": "a"}] * 2, idempotency_key="k"
            ),
            lambda: say(store, thread.id, "not the same", idempotency_key="m"),
        )
        for act in others:
            with pytest.raises(IdempotencyConflict):
                act()
        assert store.threads.get(thread.id).version == version

    def test_a_key_whose_digest_was_erased_is_still_that_of_one_kind_of_command(
        self,
        store: AnyStore,
    ) -> None:
        thread = store.threads.create().id
        other = say(store, thread, "other").id
        first = say(store, thread, WORD, idempotency_key="k").id
        store.privacy.erase(thread, first)
        version = store.threads.get(thread).version
        threads, key = store.threads, {"idempotency_key": "k"}
        others: tuple[Callable[[], Any], ...] = (
            lambda: store.branches.select(thread, other, **key),
            lambda: store.privacy.erase(thread, other, **key),
            lambda: store.messages.edit(thread, other, content=WORD, **key),
            lambda: store.runs.create(thread, **key),
            lambda: threads.create(thread_id=thread, **key),
            lambda: threads.fork(thread, fork_id=thread, **key),
            lambda: threads.update(thread, title="x", **key),
            *(partial(act, thread, **key) for act in (threads.archive, threads.unarchive)),
            *(partial(act, thread, **key) for act in (threads.delete, threads.restore)),
        )
        for act in others:
            with pytest.raises(IdempotencyConflict):
                act()
        assert threads.get(thread).version == version

    def test_a_key_whose_digest_was_erased_is_still_that_of_one_run(self, store: AnyStore) -> None:
        thread = store.threads.create().id
        say(store, thread, "go")
        run = store.runs.create(thread).id
        store.runs.start(thread, run)
        answer = store.messages.create(thread, role="assistant", content=WORD, run_id=run).id
        store.runs.fail(thread, run, message=WORD, idempotency_key="k")
        store.privacy.erase(thread, answer, include=["run"])
        assert store.runs.fail(thread, run, message=WORD, idempotency_key="k").error.message is None
        later = store.runs.create(thread).id
        store.runs.start(thread, later)
        with pytest.raises(IdempotencyConflict):
            store.runs.fail(thread, later, message=WORD, idempotency_key="k")
        assert store.runs.get(thread, later).status == "in_progress"

    def test_a_repeated_key_returns_a_branch_without_its_erased_label(
        self, store: AnyStore
    ) -> None:
        thread = store.threads.create()
        told = say(store, thread.id, "a")
        named = store.branches.label(thread.id, told.id, WORD, idempotency_key="k")
        chosen = store.branches.select(thread.id, told.id, idempotency_key="l")
        assert (named.label, chosen.label) == (WORD, WORD)
        store.privacy.erase(thread.id, told.id)
        again = store.branches.label(thread.id, told.id, WORD, idempotency_key="k")
        assert again == named.model_copy(update={"label": None})
        again = store.branches.select(thread.id, told.id, idempotency_key="l")
        assert again == chosen.model_copy(update={"label": None})
