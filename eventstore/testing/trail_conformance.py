"""Conformance: who did what, with before and after, and the difference of two moments."""

from __future__ import annotations

from eventstore.testing.store_wrappers import AnyStore

__all__ = ["TrailSuite"]


class TrailSuite:
    """Needs the fixture ``store``, as ``ConformanceSuite`` has it."""

    def test_a_trail_tells_who_changed_what_and_a_difference_what_is_left_of_it(
        self, store: AnyStore
    ) -> None:
        asking = store.acting(actor="ann", correlation_id="req-1")
        thread = asking.threads.create(title="First").id
        said = asking.messages.create(thread, role="user", content="Why?").id
        cause = [entry.event_id for entry in store.audit.trail(thread)][-1]
        answering = store.acting(actor="bot", correlation_id="req-1", causation_id=cause)
        answer = answering.messages.create(thread, role="assistant", content="So.").id
        store.messages.amend(thread, answer, content="Because.", actor="cat", reason="clearer")
        store.threads.update(thread, title="Second", actor="cat")
        fork = store.threads.fork(thread, at_message=answer).id
        store.messages.amend(fork, answer, content="Therefore.", actor="cat")
        store.messages.remove(thread, answer, actor="dan")

        amended = [e for e in store.audit.trail(actor="cat") for c in e.changes]
        assert [entry.stream_id for entry in amended] == [thread, thread, fork]
        sides = [(c.field, c.before, c.after) for e in amended for c in e.changes]
        texts = [
            (field, *(x if isinstance(x, str) else x[0]["text"] for x in both))
            for field, *both in sides
        ]
        assert texts == [
            ("content", "So.", "Because."),
            ("title", "First", "Second"),
            ("content", "Because.", "Therefore."),
        ]
        assert amended[0].reason == "clearer"
        assert [e.version for e in store.audit.trail(thread, causation_id=cause)] == [3]
        assert [e.version for e in store.audit.trail(thread, event_id=cause)] == [2]
        assert [e.version for e in store.audit.trail(correlation_id="req-1")] == [1, 2, 3]
        assert [e.version for e in store.audit.trail(thread, type="MessageRemoved")] == [6]

        found = store.replay.diff(thread, from_version=3, to_version=6)
        fields = {change.field: (change.before, change.after) for change in found.changes}
        assert fields.keys() == {"title", "head_id", "content", "removed"}
        assert fields["title"] == ("First", "Second")
        assert fields["head_id"] == (answer, said)
        assert store.replay.diff(thread, from_version=6, to_version=6).changes == ()
        store.privacy.erase(thread, answer)
        last = list(store.audit.trail(thread))
        assert [(entry.type, entry.erased) for entry in last[2:4]] == [
            ("MessageAdded", True),
            ("MessageAmended", True),
        ]
        assert last[3].changes[0].erased == ("before", "after")
        assert last[-1].erases == (3, 4)
        assert "Because" not in "".join(entry.model_dump_json() for entry in last)
