"""A state costs what it holds and a bounded number of events, however long its history is."""

from unittest.mock import patch

import pytest

from eventstore import ConversationStore
from eventstore.api.operations.loaders import thread_key
from eventstore.api.operations.operation import Read
from eventstore.conversation.draft import ThreadDraft
from eventstore.core import ids
from eventstore.core.catalogue import Catalogue
from eventstore.storage.folding_pages import decoded_events
from eventstore.threads import folding, leaving
from tests.effort import events_decoded

BOUND = 20
"""Stands for the thousand events of the library."""


@pytest.fixture
def store(monkeypatch):
    monkeypatch.setattr(folding, "EVENTS_MAX", BOUND)
    with ConversationStore.open("sqlite://") as opened:
        yield opened


def switch(store, thread, said, n):
    store.branches.select(thread, said[1 + n % 2])


def amend(store, thread, said, n):
    store.messages.amend(thread, said[0], content=f"words {n}")


def rename(store, thread, said, n):
    store.messages.update(thread, said[0], name=f"name {n}", metadata={"n": n})


def label(store, thread, said, n):
    store.branches.label(thread, said[n % 2], f"label {n}")


def retitle(store, thread, _, n):
    store.threads.update(thread, title=f"title {n}")


def describe(store, thread, _, n):
    store.threads.update(thread, metadata={"n": n})


def hide(store, thread, said, n):
    (store.messages.remove, store.messages.restore)[n % 2](thread, said[2])


def update_run(store, thread, _, n):
    [run] = store.runs.list(thread)
    store.runs.update(thread, run.id, metadata={"n": n})


@pytest.mark.parametrize("act", [switch, amend, rename, label, retitle, describe, hide, update_run])
def test_a_state_reads_a_bounded_number_of_events_however_much_came_before(store, act):
    thread = store.threads.create(title="before", metadata={"is": "old"}).id
    said = [store.messages.create(thread, role="user", content="asked").id]
    said.append(store.messages.create(thread, role="assistant", content="one").id)
    said.append(store.messages.regenerate(thread, said[1], content="another").id)
    store.runs.create(thread)
    most = []
    for count in (40, 80):
        for n in range(count):
            act(store, thread, said, n)
        last = store.threads.get(thread).version
        store.replay.state(thread)  # the first reader leaves snapshots
        asked = [1, 3, 19, 21, last // 2, last // 2 + 7, last - 1, last]
        most.append(
            max(
                events_decoded(read, thread, at_version=version)
                for version in asked
                for read in (store.replay.state, store.messages.list)
            )
        )
    assert max(most) <= 2 * BOUND + 40  # some 10 rows, of which each names a few events
    assert most[1] <= most[0] + BOUND  # nor does it grow


def test_so_does_that_of_a_fork_whose_source_has_a_long_history(store):
    thread = store.threads.create().id
    said = [store.messages.create(thread, role="user", content="asked").id]
    said.append(store.messages.create(thread, role="assistant", content="one").id)
    said.append(store.messages.regenerate(thread, said[1], content="another").id)
    for n in range(80):
        switch(store, thread, said, n)
    fork = store.threads.fork(thread).id
    further = store.threads.fork(fork).id
    for one in (fork, further):
        store.replay.state(one)
        assert events_decoded(store.replay.state, one) <= 20
        store.messages.create(one, role="user", content="and more")
        assert events_decoded(store.replay.state, one) <= 20


def test_the_first_reader_of_a_fork_leaves_them_to_the_other_forks(store):
    thread = store.threads.create().id
    said = [store.messages.create(thread, role="user", content="asked").id]
    said.append(store.messages.create(thread, role="assistant", content="one").id)
    said.append(store.messages.regenerate(thread, said[1], content="another").id)
    for n in range(4 * BOUND):
        switch(store, thread, said, n)
    first = store.threads.fork(thread).id
    other = store.threads.fork(store.threads.fork(thread).id).id
    assert events_decoded(store.replay.state, first) > 4 * BOUND
    for one in (first, other, thread):
        assert events_decoded(store.replay.state, one) <= 20
    store.threads.create()
    assert store.audit.verify().findings == ()


def test_checking_them_folds_no_event_twice(store):
    thread = store.threads.create().id
    said = [store.messages.create(thread, role="user", content="asked").id]
    for n in range(4 * BOUND):
        amend(store, thread, said, n)
    fork = store.threads.fork(thread).id
    checks = [store.audit.verify, store.projections.compare, store.projections.rebuild]
    before = [events_decoded(check) for check in checks]
    for one in (thread, fork):
        store.replay.state(one)
        store.threads.create()
    for check, events in zip(checks, before, strict=True):
        assert events <= events_decoded(check) <= events + 10, "two more threads were created"


def test_a_thread_of_messages_alone_keeps_none(store):
    thread = store.threads.create().id
    for n in range(3 * BOUND):
        store.messages.create(thread, role="user", content=f"words {n}")
    assert events_decoded(store.replay.state, thread) == 3 * BOUND + 1
    assert events_decoded(store.replay.state, thread) == 3 * BOUND + 1


def test_a_writer_that_leaves_one_reads_no_words(store, monkeypatch):
    """They may be many: four thousand wordings of a document, which only a reader wants."""
    monkeypatch.setattr(leaving, "SPAN", 4 * BOUND)
    source = store.threads.create().id
    said = store.messages.create(source, role="user", content="words").id
    for n in range(2 * BOUND):
        amend(store, source, [said], n)
    fork = store.threads.fork(source).id
    for n in range(4 * BOUND - 2):
        (amend, label)[n % 2](store, fork, [said, said], n)
    contents, decode = [], Catalogue.decode

    def noted(*args, content, **kwargs):
        contents.append(content)
        return decode(*args, content=content, **kwargs)

    with patch.object(Catalogue, "decode", noted):
        store.threads.archive(fork)
    assert len(contents) > 4 * BOUND, "it has left one"
    assert len([one for one in contents if one is not None]) <= 1  # the title it returns
    assert events_decoded(store.replay.state, fork) < 4 * BOUND
    assert store.replay.state(fork).messages[0].text == f"words {4 * BOUND - 4}"
    store.threads.create()  # writes what waits
    assert store.audit.verify().findings == ()


def test_folding_copies_nothing_of_what_touched_a_thing_before(store):
    """Or twenty thousand amendments of one message would take a second more, and more each time."""
    thread = store.threads.create().id
    said = store.messages.create(thread, role="user", content="words").id
    for n in range(4):
        amend(store, thread, [said], n)
    key, message, log = (
        thread_key(store.scope, thread),
        ids.parse(ids.MESSAGE, said, "said"),
        store.scope.log,
    )

    def look(tx):
        draft = folding.fold_thread(tx, log, key.tenant, key.id, until=5)
        assert isinstance(draft, ThreadDraft)
        value, touches = draft.settled(), draft.touches_of(message)
        for event in decoded_events(tx, log, key, after=5):
            draft.take(event)
        assert draft.touches_of(message) is touches
        assert [*touches] == [3, 4, 5, 6]
        assert value.touches_of(message) == (3, 4, 5)

    store.perform(Read(look))
