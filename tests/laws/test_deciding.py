"""Law 2, second half: deciding over rows and over the fold is the same, alone or in a batch.

Two views answer a decider: rows read by key in the append's own transaction, and the state folded
from every event. Nothing that is decided may depend on which of them was asked, nor on how many
other commands share the transaction.
"""

import re
from functools import partial
from typing import Any
from unittest.mock import patch

import pytest
from hypothesis import given

from eventstore import ConversationStore, ConversationStoreError
from eventstore.api.operations.loaders import thread_key
from eventstore.api.operations.operation import (
    NO_OPTIONS,
    Maintenance,
    Read,
    Write,
    to_thread,
    write,
)
from eventstore.conversation.rules import decide
from eventstore.testing.command_sequences import command_sequences
from eventstore.testing.environments import counting_ids, fixed_environment
from eventstore.testing.oracle import code_of
from eventstore.testing.strategies import message_id
from eventstore.threads.folding import fold_thread
from eventstore.threads.shape import SEGMENTS_MAX
from eventstore.threads.stored_thread import StoredThread
from eventstore.write_path.append import append_many
from eventstore.write_path.requests import AppendRequest, Failed
from tests.laws.examples import of_a_law

MINTED = re.compile(f"msg_(?!{message_id(0).hex()[:16]})[0-9a-f]{{32}}")
erasing = partial(command_sequences, erasing=True)
PROBES = erasing(1, 20, first=1000)


@pytest.fixture(scope="module")
def store():
    with ConversationStore.open("sqlite://") as opened:
        yield opened


def send(store, thread, command):
    """Send a command as it stands; return the code of the refusal, if it was refused."""
    try:
        store.perform(to_thread(store.scope, thread.id, command, NO_OPTIONS))
    except ConversationStoreError as error:
        return code_of(error)
    return None


def together(store, thread, commands, options):
    """Return the write of several commands in one request, all or none."""
    stream = thread_key(store.scope, thread.id)
    return write(store.scope, stream, commands, options)


def asked(view, command):
    """Return what is decided, or the code of the refusal and its words."""
    try:
        return decide(view, command, counting_ids(5000))
    except ConversationStoreError as error:
        return code_of(error), str(error)


def decided_twice(store, thread, commands):
    """Decide each command over rows and over the fold, in one look at the database."""
    key, log, tenant = thread_key(store.scope, thread.id).id, store.scope.log, store.scope.tenant

    def look(tx):
        fold = fold_thread(tx, log, tenant, key)
        views = [StoredThread(tx, log, tenant, key) for _ in commands]
        return [asked(view, one) for view, one in zip(views, commands, strict=True)], [
            asked(fold, one) for one in commands
        ]

    return store.perform(Read(look))


def assert_decided_alike(store, thread, commands):
    """Hold that rows and fold decide alike, whether a tree's shape is read whole or by key."""
    for segments_max in (SEGMENTS_MAX, -1):
        with patch("eventstore.threads.stored_tree.SEGMENTS_MAX", segments_max):
            over_rows, over_the_fold = decided_twice(store, thread, commands)
        assert over_rows == over_the_fold


@of_a_law
@given(history=erasing(10, 40), probes=PROBES)
def test_rows_and_fold_lead_to_the_same_events(store, history, probes):
    thread = store.threads.create()
    for command in history:
        send(store, thread, command)
    assert_decided_alike(store, thread, history + probes)


@of_a_law
@given(
    history=erasing(10, 25),
    inside=erasing(1, 15),
    later=erasing(1, 15, first=500),
    probes=PROBES,
)
def test_so_they_do_in_a_fork_of_a_fork(store, history, inside, later, probes):
    thread = store.threads.create()
    for each in (history, inside, later):
        for command in each:
            send(store, thread, command)
        current = store.threads.get(thread.id, include_deleted=True)
        if current.deleted or current.head_id is None:
            break
        source, thread = thread, store.threads.fork(thread.id)
        send(store, source, each[-1])  # later writes on the source are invisible to the fork
    assert_decided_alike(store, thread, [*history, *inside, *probes])


def recorded(store, thread):
    """Return what happened in a thread; messages that the store named itself are numbered."""
    named: dict[str, int] = {}

    def number(found):
        return f"msg_#{named.setdefault(found[0], len(named))}"

    return [
        (event.version, event.type, event.recorded_at, MINTED.sub(number, repr(event.data)))
        for event in store.events.read(thread.id)
    ]


@of_a_law
@given(commands=erasing(64, 64))
def test_64_commands_in_one_batch_give_the_events_of_64_appends(commands):
    with ConversationStore.open("sqlite://", environment=fixed_environment()) as store:
        thread = store.threads.create()
        apart = [send(store, thread, command) for command in commands]
        expected = recorded(store, thread)
    with ConversationStore.open("sqlite://", environment=fixed_environment()) as store:
        thread = store.threads.create()
        log = store.scope.log
        stream = thread_key(store.scope, thread.id)
        requests = [AppendRequest(stream, (command,)) for command in commands]
        outcomes: list[Any] = store.perform(
            Write(Maintenance(lambda tx: append_many(tx, requests, log)))
        )
        in_one_batch = [code_of(one.error) if isinstance(one, Failed) else None for one in outcomes]
        assert in_one_batch == apart
        assert recorded(store, thread) == expected
        assert store.projections.compare(thread.id).findings == ()


@of_a_law
@given(commands=erasing(64, 64))
def test_so_do_all_that_are_taken_in_one_request(commands):
    with ConversationStore.open("sqlite://", environment=fixed_environment()) as store:
        thread = store.threads.create()
        taken = [command for command in commands if send(store, thread, command) is None]
        expected = recorded(store, thread)
    with ConversationStore.open("sqlite://", environment=fixed_environment()) as store:
        thread = store.threads.create()
        if taken:
            store.perform(together(store, thread, taken, NO_OPTIONS))
        assert recorded(store, thread) == expected
        assert store.projections.compare(thread.id).findings == ()
