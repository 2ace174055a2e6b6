"""The part of the conformance suite that is about large content; see ``testing.conformance``.

Callers cannot see whether content stands apart from its event. Every way of reading returns the
content that was written, at every size around the threshold.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from eventstore.conversation.values import Message
from eventstore.core.events import RecordedEvent
from eventstore.storage.blobs import IN_ROW_BYTES_MAX
from eventstore.testing.store_wrappers import AnyStore

__all__ = ["LargeContentSuite"]

_SIZES: Final = [IN_ROW_BYTES_MAX + beside for beside in (-100, -12, -11, -10, -1, 0, 1, 300_000)]
"""In characters. A text has 11 bytes of content around it at the threshold."""


def _texts(messages: Iterable[Message]) -> list[str]:
    return [message.text for message in messages]


def _parts(events: Iterable[RecordedEvent]) -> list[str]:
    """Return the texts in the content of events."""
    contents = [event.content or {} for event in events]
    return [content["parts"][0] for content in contents if content.get("parts")]


class LargeContentSuite:
    """Needs the fixture ``store``, as ``ConformanceSuite`` has it."""

    def test_content_of_every_size_is_read_back_in_every_way(self, store: AnyStore) -> None:
        thread = store.threads.create().id
        said = ["small", *[chr(97 + n) * size for n, size in enumerate(_SIZES)], "small, too"]
        made = [store.messages.create(thread, role="user", content=text) for text in said]
        assert _texts(made) == said
        assert _texts(store.messages.get(thread, one.id) for one in made) == said
        assert _texts(store.messages.list(thread)) == said
        assert _texts(store.messages.list(thread, limit=3, order="desc")) == said[:-4:-1]
        assert _texts(store.messages.list(thread, at_version=len(said))) == said[:-1]
        assert [node.message.text for node in store.branches.tree(thread).nodes] == said
        assert _texts(store.replay.state(thread).messages) == said
        *_, last = store.replay.steps(thread)
        assert _texts(last.state.messages) == said
        assert _parts(store.events.read(thread)) == said
        assert _parts(store.events.read(thread, backwards=True, limit=4)) == said[:-5:-1]
        assert _parts(store.events.read_all()) == said
        assert store.projections.rebuild(thread).threads == 1
        assert _texts(store.messages.list(thread)) == said

    def test_many_large_messages_of_one_append_happen_together(self, store: AnyStore) -> None:
        thread = store.threads.create().id
        said = [letter * (1_500_000 if letter in "cdef" else 40_000) for letter in "abcdefgh"]
        said[4:4] = ["small"]
        drafts = [{"role": "user", "content": text} for text in said]
        store.messages.create_many(thread, drafts, idempotency_key="k")
        assert _texts(store.messages.create_many(thread, drafts, idempotency_key="k")) == said
        assert _texts(store.messages.list(thread)) == said
        other = store.threads.create(messages=drafts[:3]).id
        assert _texts(store.messages.list(other)) == said[:3]
        assert _parts(store.events.read_all()) == said + said[:3]

    def test_large_content_is_inherited_and_amended(self, store: AnyStore) -> None:
        size = 2 * IN_ROW_BYTES_MAX
        thread = store.threads.create().id
        told = store.messages.create(thread, role="user", content="a" * size)
        store.messages.create(thread, role="assistant", content="b" * size)
        fork = store.threads.fork(thread).id
        store.messages.amend(fork, told.id, content="c" * size)
        store.messages.amend(thread, told.id, content="small by now")
        second = store.threads.fork(fork).id

        for one in (fork, second):
            assert _texts(store.messages.list(one)) == ["c" * size, "b" * size]
            assert _texts(store.replay.state(one).messages) == ["c" * size, "b" * size]
            revisions = store.messages.revisions(one, told.id)
            assert _texts(revisions) == ["a" * size, "c" * size]

    def test_large_content_is_erased_with_its_event(self, store: AnyStore) -> None:
        size = 2 * IN_ROW_BYTES_MAX
        thread = store.threads.create().id
        told = store.messages.create(thread, role="user", content="a" * size, idempotency_key="k")
        kept = store.messages.create(thread, role="user", content="b" * size)
        store.messages.amend(thread, told.id, content="c" * size)
        fork = store.threads.fork(thread).id
        hashes = [event.hash for event in store.events.read(thread)]
        made = store.privacy.erase(thread, told.id)
        assert [(one.stream_id, one.version) for one in made.erased] == [(thread, 2), (thread, 4)]
        for one in (thread, fork):
            assert [m.erased for m in store.messages.list(one)] == [True, False]
            assert _texts(store.messages.list(one)) == ["", kept.text]
            assert _texts(store.replay.state(one).messages) == ["", kept.text]
        assert _parts(store.events.read_all()) == [kept.text]
        assert [event.hash for event in store.events.read(thread)][:4] == hashes
        again = store.messages.create(thread, role="user", content="a" * size, idempotency_key="k")
        assert (again.id, again.erased) == (told.id, True)
        store.privacy.purge(thread, forks="purge")
        assert _parts(store.events.read_all()) == []

    def test_large_content_of_applications_and_assistants_is_kept(self, store: AnyStore) -> None:
        long = "x" * (2 * IN_ROW_BYTES_MAX)
        stream = "invoice_" + "0" * 31 + "1"
        sent = {"type": "Sent", "content": {"lines": long}}
        store.events.append(stream, [sent], expected_version="no_stream")
        assert [event.content for event in store.events.read(stream)] == [{"lines": long}]
        assistant = store.assistants.create(model="m", instructions=long)
        store.assistants.update(assistant.id, model="n")
        assert store.assistants.get(assistant.id).instructions == long
        thread = store.threads.create().id
        run = store.runs.create(thread, instructions=long)
        assert store.runs.get(thread, run.id).instructions == long
