"""Snapshots that writers leave of sealed threads: keys are fetched, or none is left."""

import logging

from eventstore import ConversationStore
from eventstore.threads import folding, leaving
from tests.effort import events_decoded
from tests.encryption.vaults import in_a_file, in_the_database


def grown(store, count, *, subject="ann"):
    thread = store.threads.create().id
    said = store.messages.create(thread, role="user", content="words", subject=subject).id
    for n in range(count):
        store.messages.amend(thread, said, content=f"words {n}", subject=f"{subject} {n % 3}")
    return thread


def test_the_first_reader_of_a_sealed_thread_folds_no_more_than_the_bound(tmp_path, monkeypatch):
    monkeypatch.setattr(folding, "EVENTS_MAX", 10)
    monkeypatch.setattr(leaving, "SPAN", 30)
    for encryption in (in_a_file, in_the_database):
        given = (tmp_path,) if encryption is in_a_file else ()
        url = f"sqlite:///{tmp_path}/{encryption.__name__}.db"
        with ConversationStore.open(url, encryption=encryption(*given)) as store:
            thread = grown(store, 100)
            store.threads.create()
            told = store.replay.state(thread).value()
        with ConversationStore.open(url, encryption=encryption(*given)) as other:
            assert events_decoded(other.replay.state, thread) < 60
            assert other.replay.state(thread).value() == told
            other.privacy.erase(subject="ann 0")
            texts = {
                other.replay.state(thread, at_version=n).messages[0].text for n in (60, 61, 62)
            }
            assert "" in texts
            assert other.audit.verify().findings == ()


def test_a_snapshot_is_left_without_any_key(tmp_path, monkeypatch, caplog):
    monkeypatch.setattr(folding, "EVENTS_MAX", 10)
    monkeypatch.setattr(leaving, "SPAN", 30)
    url = f"sqlite:///{tmp_path}/chat.db"
    with ConversationStore.open(url, encryption=in_a_file(tmp_path)) as store:
        thread = store.threads.create().id
        store.messages.create(thread, role="user", content="words")
        one = store.messages.create(thread, role="assistant", content="one").id
        other = store.messages.regenerate(thread, one, content="other").id
    with (
        caplog.at_level(logging.WARNING),
        ConversationStore.open(url) as plain,  # it opens nothing that was sealed
    ):
        for n in range(30):  # nothing to be sealed is in these
            plain.branches.select(thread, (one, other)[n % 2])
    assert caplog.records == []
    with ConversationStore.open(url, encryption=in_a_file(tmp_path)) as store:
        assert events_decoded(store.replay.state, thread) < 30
        assert store.replay.state(thread).messages[1].text in {"one", "other"}
        assert store.audit.verify().findings == ()
