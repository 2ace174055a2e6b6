"""The part of the conformance suite that is about erasing; see ``testing.conformance``."""

from __future__ import annotations

import pytest

from eventstore.core import ids
from eventstore.errors import (
    IdempotencyConflict,
    InvalidInput,
    MessageNotFound,
    Refused,
    SubjectNotFound,
    ThreadNotFound,
    WrongExpectedVersion,
)
from eventstore.testing.store_wrappers import AnyStore
from eventstore.testing.suite_calls import say

__all__ = ["ErasureSuite"]

WORD = "blackbird"


def _everything(store: AnyStore, thread_id: str) -> str:
    """Return everything that a store returns about a thread, as one text to search."""
    told = [
        store.threads.get(thread_id, include_deleted=True),
        *store.events.read(thread_id),
        store.replay.state(thread_id).value(),
        *(step.state.value() for step in store.replay.steps(thread_id)),
    ]
    if not told[0].deleted:
        told += [*store.runs.list(thread_id), *store.messages.queued(thread_id)]
        tree = store.branches.tree(thread_id)
        told.append(tree)
        for node in tree.nodes:
            told += store.messages.revisions(thread_id, node.message.id)
    return " ".join(one.model_dump_json() for one in told)


class ErasureSuite:
    """Needs the fixture ``store``, as ``ConformanceSuite`` has it."""

    def test_a_person_is_erased_in_all_streams(self, store: AnyStore) -> None:
        subject = "user_17"
        thread = store.threads.create(title=WORD, metadata={"bird": WORD}, subject=subject).id
        said = say(store, thread, WORD, subject=subject, name=WORD, external_id="x")
        kept = say(store, thread, "another one", subject="user_18")
        fork = store.threads.fork(thread).id
        store.messages.amend(fork, said.id, content=f"{WORD} in the fork")
        store.branches.label(fork, kept.id, WORD, subject=subject)
        assistant = store.assistants.create(instructions=WORD, subject=subject).id
        made = store.privacy.erase(subject=subject, reason="request 17")
        lost = sorted(one.stream_id for one in made.erased)
        assert lost == sorted([thread, thread, fork, fork, assistant])
        assert made.copies == ()
        for one in (thread, fork):
            assert WORD not in _everything(store, one)
            assert [m.text for m in store.messages.list(one)] == ["", "another one"]
        assert store.assistants.get(assistant).instructions is None
        assert list(store.threads.list(metadata={"bird": WORD})) == []
        again = store.privacy.erase(subject=subject)
        assert (again.erased, again.version) == (made.erased, made.version)
        with pytest.raises(SubjectNotFound):
            store.privacy.erase(subject="user_19")

    def test_a_whole_thread_is_erased_and_keeps_its_skeleton(self, store: AnyStore) -> None:
        thread = store.threads.create(title=WORD, metadata={"bird": WORD}).id
        first = say(store, thread, WORD)
        edited = store.messages.edit(thread, first.id, content=f"{WORD} again", reason=WORD)
        store.branches.label(thread, edited.id, WORD)
        made = store.privacy.erase(thread, reason="request 18")
        assert [one.version for one in made.erased] == [1, 2, 3, 4]
        assert WORD not in _everything(store, thread)
        tree = store.branches.tree(thread)
        assert [node.message.id for node in tree.nodes] == [first.id, edited.id]
        assert store.privacy.erase(thread).erased == made.erased
        say(store, thread, "it goes on")
        assert store.messages.list(thread).data[-1].text == "it goes on"

    def test_what_was_erased_is_gone_and_the_rest_stays(self, store: AnyStore) -> None:
        thread = store.threads.create(title="a title")
        before = say(store, thread.id, "before")
        told = say(store, thread.id, WORD, name=WORD, external_id=WORD, metadata={WORD: 1})
        after = say(store, thread.id, "after", role="assistant")
        store.messages.amend(thread.id, told.id, content=f"{WORD} amended", reason=WORD)
        store.messages.update(thread.id, told.id, metadata={"a": WORD})
        store.branches.label(thread.id, told.id, WORD)
        store.messages.remove(thread.id, after.id, reason="another one's")
        store.messages.restore(thread.id, after.id)
        store.messages.remove(thread.id, told.id, reason=WORD)
        store.messages.restore(thread.id, told.id, reason=WORD)
        rows = {m.id: m for m in store.messages.list(thread.id)}

        made = store.privacy.erase(thread.id, told.id, reason="asked for", actor="officer")

        assert [event.version for event in made.erased] == [3, 5, 6, 7, 10, 11]
        assert (made.thread_id, made.message_id, made.version) == (thread.id, told.id, 12)
        assert (made.actor, made.copies) == ("officer", ())
        assert WORD not in _everything(store, thread.id)
        with pytest.raises(MessageNotFound):
            store.messages.get(thread.id, external_id=WORD)
        with pytest.raises(MessageNotFound):
            store.branches.select(thread.id, WORD)
        erased = store.messages.get(thread.id, told.id)
        assert (erased.erased, erased.text, erased.content, erased.metadata) == (True, "", (), {})
        kept = {"parent_id", "role", "status", "created_at", "version", "revision", "sibling_count"}
        for field in kept:
            assert getattr(erased, field) == getattr(rows[told.id], field)
        assert [one.erased for one in store.messages.revisions(thread.id, told.id)] == [True, True]
        assert store.messages.get(thread.id, before.id) == rows[before.id]
        assert store.messages.get(thread.id, after.id) == rows[after.id]
        assert all(m.erased == (m.id == told.id) for m in store.messages.list(thread.id))
        assert store.messages.list(thread.id, at_version=3).data[-1].erased
        *_, last = store.events.read(thread.id)
        assert (last.type, last.content) == ("ContentErased", {"reason": "asked for"})
        assert (last.data["message_id"], last.data["versions"]) == (told.id, [3, 5, 6, 7, 10, 11])
        reasons = [(event.content or {}).get("reason") for event in store.events.read(thread.id)]
        assert "another one's" in reasons

    def test_erasing_again_gives_the_same_and_appends_nothing(self, store: AnyStore) -> None:
        thread = store.threads.create()
        told = say(store, thread.id, WORD)
        first = store.privacy.erase(thread.id, told.id)
        assert store.privacy.erase(thread.id, told.id) == first
        assert store.threads.get(thread.id).version == first.version == 3  # noqa: PLR2004
        store.messages.amend(thread.id, told.id, content="other words")
        assert store.messages.get(thread.id, told.id).text == "other words"
        store.messages.update(thread.id, told.id, name="a name")
        again = store.privacy.erase(thread.id, told.id)
        assert [event.version for event in again.erased] == [2, 4, 5]
        assert store.messages.get(thread.id, told.id).erased

    def test_a_name_given_after_the_erasure_is_shown(self, store: AnyStore) -> None:
        thread = store.threads.create()
        told = say(store, thread.id, WORD, name=WORD)
        store.privacy.erase(thread.id, told.id)
        store.messages.update(thread.id, told.id, name="anonymous")
        seen = store.messages.get(thread.id, told.id)
        assert (seen.erased, seen.name, seen.text) == (True, "anonymous", "")

    def test_forks_show_it_as_erased_and_lose_what_they_said_about_it(
        self, store: AnyStore
    ) -> None:
        thread = store.threads.create()
        told = say(store, thread.id, WORD)
        shared = say(store, thread.id, "shared")
        forks = [store.threads.fork(thread.id).id]
        store.messages.amend(forks[0], told.id, content=f"{WORD} in the fork")
        forks.append(store.threads.fork(forks[0]).id)  # a fork of the fork
        store.branches.label(forks[1], told.id, WORD)
        store.messages.edit(forks[1], told.id, content="an own question")
        store.branches.select(forks[1], told.id)
        forks.append(store.threads.fork(thread.id).id)  # one that says nothing about it
        versions = [store.threads.get(fork).version for fork in forks]

        made = store.privacy.erase(thread.id, told.id, reason="asked for")

        where = [(one.stream_id, one.version) for one in made.erased]
        assert where == [(thread.id, 2), (forks[0], 2), (forks[1], 2)]
        assert [(c.kind, c.thread_id) for c in made.copies] == [("edit", forks[1])]
        for fork, version in zip(forks, versions, strict=True):
            assert [m.erased for m in store.messages.list(fork)] == [True, False]
            assert store.messages.list(fork).data[1].text == "shared"
            assert WORD not in _everything(store, fork)
            assert store.threads.get(fork).version == version + (fork != forks[2])
        assert store.messages.get(thread.id, shared.id).text == "shared"
        store.messages.amend(forks[2], told.id, content="the fork's own words")
        assert store.messages.list(forks[2]).data[0].text == "the fork's own words"
        again = store.privacy.erase(thread.id, told.id)
        assert {event.stream_id for event in again.erased} == {thread.id, *forks}
        assert store.messages.list(forks[2]).data[0].erased

    def test_copies_are_listed_or_taken_along(self, store: AnyStore) -> None:
        thread = store.threads.create()
        told = say(store, thread.id, WORD)
        run = store.runs.create(thread.id, instructions=WORD, metadata={"a": WORD})
        store.runs.start(thread.id, run.id)
        seen = store.runs.context(thread.id, run.id)
        step = store.runs.steps.start(
            thread.id, run.id, context=seen, details={"prompt": f"{WORD}?"}
        )
        answer = say(store, thread.id, "an answer", role="assistant", run_id=run.id)
        store.runs.steps.complete(thread.id, step.id, details={"said": WORD})
        store.runs.complete(thread.id, run.id)
        edit = store.messages.edit(thread.id, told.id, content=f"{WORD}, edited")
        further = store.messages.edit(thread.id, edit.id, content=f"{WORD}, edited again")
        alone = say(store, thread.id, "another beginning", parent_id=None)
        copies = {("edit", edit.id), ("edit", further.id), ("run", run.id)}

        made = store.privacy.erase(thread.id, told.id)

        assert {(copy.kind, copy.id) for copy in made.copies} == copies
        assert store.messages.get(thread.id, further.id).text == f"{WORD}, edited again"
        made = store.privacy.erase(thread.id, told.id, include=["edits", "run"])
        assert made.copies == ()
        assert WORD not in _everything(store, thread.id)
        assert store.messages.get(thread.id, edit.id).erased
        assert store.messages.get(thread.id, further.id).erased
        assert store.messages.get(thread.id, answer.id).text == "an answer"
        assert store.messages.get(thread.id, alone.id).text == "another beginning"
        [found] = store.runs.list(thread.id)
        assert (found.status, found.instructions, found.metadata) == ("completed", None, {})
        of_the_edit = store.privacy.erase(thread.id, edit.id)
        assert of_the_edit.version == made.version
        assert len(of_the_edit.erased) == 1

    def test_what_was_edited_while_it_waited_is_a_copy_too(self, store: AnyStore) -> None:
        thread = store.threads.create()
        run = store.runs.create(thread.id)
        store.runs.start(thread.id, run.id)
        first = say(store, thread.id, f"{WORD}, first")
        edit = store.messages.edit(thread.id, first.id, content=WORD, idempotency_key="k")
        store.runs.complete(thread.id, run.id)
        made = store.privacy.erase(thread.id, edit.id)
        assert [(copy.kind, copy.id) for copy in made.copies] == [("edit", first.id)]
        again = store.messages.edit(thread.id, first.id, content=WORD, idempotency_key="k")
        assert (again.id, again.erased) == (edit.id, True)
        store.privacy.erase(thread.id, edit.id, include=["edits"])
        assert WORD not in _everything(store, thread.id)

    def test_it_does_not_matter_what_became_of_thread_and_message(self, store: AnyStore) -> None:
        thread = store.threads.create()
        told = say(store, thread.id, WORD)
        run = store.runs.create(thread.id)
        store.runs.start(thread.id, run.id)
        waiting = say(store, thread.id, f"{WORD}, later")
        store.privacy.erase(thread.id, waiting.id)
        assert [m.erased for m in store.messages.queued(thread.id)] == [True]
        store.runs.complete(thread.id, run.id)
        joined = store.messages.list(thread.id).data[-1]
        assert (joined.id, joined.erased, joined.status) == (waiting.id, True, "completed")
        store.messages.remove(thread.id, told.id)
        store.threads.archive(thread.id)
        store.privacy.erase(thread.id, told.id)
        removed = say(store, store.threads.create().id, WORD)
        store.threads.delete(removed.thread_id)
        store.privacy.erase(removed.thread_id, removed.id)
        assert WORD not in _everything(store, thread.id)
        assert WORD not in _everything(store, removed.thread_id)

    def test_what_cannot_be_erased_is_refused_and_nothing_happens(self, store: AnyStore) -> None:
        thread = store.threads.create()
        told = say(store, thread.id, WORD)
        fork = store.threads.fork(thread.id)
        store.messages.amend(fork.id, told.id, content="the fork's")
        erase = store.privacy.erase
        with pytest.raises(Refused, match=thread.id) as refused:
            erase(fork.id, told.id)
        assert refused.value.reason == "message_inherited"
        with pytest.raises(MessageNotFound):
            erase(thread.id, ids.show(ids.MESSAGE, bytes(16)))
        with pytest.raises(ThreadNotFound):
            erase(ids.show(ids.THREAD, bytes(16)), told.id)
        with pytest.raises(ThreadNotFound):
            store.tenant("other").privacy.erase(thread.id, told.id)
        with pytest.raises(WrongExpectedVersion):
            erase(thread.id, told.id, expected_version=1)
        for include in ("edits", ["edit"], [None], 3):
            with pytest.raises(InvalidInput, match="include"):
                erase(thread.id, told.id, include=include)
        assert [m.text for m in store.messages.list(thread.id)] == [WORD]
        assert [m.text for m in store.messages.list(fork.id)] == ["the fork's"]
        assert [store.threads.get(one).version for one in (thread.id, fork.id)] == [2, 2]

    def test_erased_tool_output_leaves_no_digest_of_who_handed_it_in(self, store: AnyStore) -> None:
        thread = store.threads.create()
        say(store, thread.id, "what time is it?")
        run = store.runs.create(thread.id)
        store.runs.start(thread.id, run.id)
        call = [{"type": "tool_call", "id": "c1", "name": "clock", "arguments": {"at": WORD}}]
        asked = say(store, thread.id, call, role="assistant", run_id=run.id)
        store.runs.require_action(thread.id, run.id)
        outputs = [{"call_id": "c1", "output": WORD}]
        store.runs.submit_tool_outputs(thread.id, run.id, outputs, idempotency_key="k")
        answer = store.messages.list(thread.id).data[-1]
        store.privacy.erase(thread.id, asked.id)
        store.privacy.erase(thread.id, answer.id)
        assert WORD not in _everything(store, thread.id)
        assert [m.erased for m in store.messages.list(thread.id)] == [False, True, True]
        again = store.runs.submit_tool_outputs(thread.id, run.id, outputs, idempotency_key="k")
        assert again.status == "queued"
        with pytest.raises(IdempotencyConflict):
            say(store, thread.id, "another command", idempotency_key="k")
        store.runs.start(thread.id, run.id)
        store.runs.complete(thread.id, run.id)
