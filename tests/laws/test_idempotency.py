"""Law 7: one key, one command, one result, however many try and however many times."""

import asyncio
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from threading import Barrier

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eventstore import (
    AsyncConversationStore,
    ConversationStore,
    ConversationStoreError,
    IdempotencyConflict,
    Refused,
    Run,
)
from eventstore.api.operations.loaders import thread_key
from eventstore.api.operations.operation import WriteOptions, to_thread, write
from eventstore.testing.command_sequences import command_sequences
from tests.laws.examples import of_a_law

TRIES = 24


def send(store, thread, command, key):
    return store.perform(
        to_thread(store.scope, thread.id, command, WriteOptions(idempotency_key=key))
    )


def without_lease(value):
    """A lease is no event: a repeat does not know until when it was given."""
    return value.model_copy(update={"lease_ends_at": None}) if isinstance(value, Run) else value


@of_a_law
@given(commands=command_sequences(5, 40), forked=st.booleans())
def test_each_command_repeated_later_gives_its_first_result_and_adds_nothing(commands, forked):
    with ConversationStore.open("sqlite://") as store:
        thread = store.threads.create()
        if forked:
            for number in range(3):
                store.messages.create(thread.id, role="user", content=f"inherited {number}")
            thread = store.threads.fork(thread.id)
        first = {}
        for number, command in enumerate(commands):
            try:
                first[number] = send(store, thread, command, f"key {number}")
            except ConversationStoreError:
                continue  # a refusal uses up no key
        version = store.threads.get(thread.id, include_deleted=True).version
        for number, result in first.items():
            again = send(store, thread, commands[number], f"key {number}")
            assert without_lease(again) == without_lease(result)
            other = next((one for one in commands if one != commands[number]), None)
            if other is not None:
                with pytest.raises(IdempotencyConflict):
                    send(store, thread, other, f"key {number}")
        assert store.threads.get(thread.id, include_deleted=True).version == version


@of_a_law
@given(commands=command_sequences(5, 40))
def test_several_commands_under_one_key_give_each_its_own_first_result(commands):
    with ConversationStore.open("sqlite://") as store:
        probe = store.threads.create()
        taken = []
        for number, command in enumerate(commands):
            try:
                send(store, probe, command, f"key {number}")
            except ConversationStoreError:
                continue
            taken.append(command)
        thread = store.threads.create()
        if len(taken) > 1:
            key = thread_key(store.scope, thread.id)
            all_of_them = write(store.scope, key, taken, WriteOptions(idempotency_key="all"))
            first = store.perform(all_of_them)
            with suppress(Refused):  # the commands archived or deleted it
                store.messages.create(thread.id, role="user", content="later", parent_id=None)
            again = store.perform(all_of_them)
            assert list(map(without_lease, again)) == list(map(without_lease, first))


def test_of_many_threads_with_one_key_exactly_one_appends(tmp_path):
    with ConversationStore.open(f"sqlite:///{tmp_path / 'chat.db'}") as store:
        thread, together = store.threads.create(), Barrier(TRIES)

        def attempt(number):
            together.wait()
            return store.messages.create(
                thread.id, role="user", content="once", idempotency_key=f"key {number % 2}"
            )

        with ThreadPoolExecutor(TRIES) as pool:
            made = list(pool.map(attempt, range(TRIES)))
        assert all(message == made[number % 2] for number, message in enumerate(made))
        assert made[0].id != made[1].id
        assert store.threads.get(thread.id).version == 3


async def test_of_many_tasks_with_one_key_exactly_one_appends(tmp_path):
    async with AsyncConversationStore.open(f"sqlite:///{tmp_path / 'chat.db'}") as store:
        thread = await store.threads.create()
        made = await asyncio.gather(
            *(
                store.messages.create_many(
                    thread.id,
                    [{"role": "user", "content": "one"}, {"role": "user", "content": "two"}],
                    idempotency_key="key",
                )
                for _ in range(TRIES)
            )
        )
        assert all(messages == made[0] for messages in made)
        assert [message.text for message in made[0]] == ["one", "two"]
        assert (await store.threads.get(thread.id)).version == 3


async def test_of_many_tasks_with_one_key_and_different_words_one_is_taken(tmp_path):
    async with AsyncConversationStore.open(f"sqlite:///{tmp_path / 'chat.db'}") as store:
        thread = await store.threads.create()
        tries = (
            store.messages.create(
                thread.id, role="user", content=f"words {number}", idempotency_key="key"
            )
            for number in range(TRIES)
        )
        made = await asyncio.gather(*tries, return_exceptions=True)
        conflicts = [one for one in made if isinstance(one, IdempotencyConflict)]
        assert len(conflicts) == TRIES - 1
        assert (await store.threads.get(thread.id)).version == 2


def test_threads_created_with_one_key_are_one_thread():
    with ConversationStore.open("sqlite://") as store:
        first = store.threads.create(title="Plans", idempotency_key="key")
        store.threads.update(first.id, title="Other plans")
        assert store.threads.create(title="Plans", idempotency_key="key") == first
        assert store.tenant("other").threads.create(title="Plans", idempotency_key="key") != first
        with pytest.raises(IdempotencyConflict):
            store.threads.create(title="Other plans", idempotency_key="key")


def test_a_repeated_batch_gives_the_ids_and_objects_of_the_first():
    with ConversationStore.open("sqlite://") as store:
        thread = store.threads.create()

        def talk():
            with store.threads.batch(thread.id, idempotency_key="key") as batch:
                asked = batch.messages.create(role="user", content="Why?")
                said = batch.messages.create(role="assistant", content=".", parent_id=asked.id)
                run = batch.runs.create()
            return [(one.id, one.object) for one in (asked, said, run)]

        first = talk()
        assert [handle for handle, _ in first] == [made.id for _, made in first]
        assert talk() == first
