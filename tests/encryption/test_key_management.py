"""A master key in a service is asked seldom and never under the write lock, and may be away."""

import asyncio
import threading

import pytest

from eventstore import AsyncConversationStore, ConversationStore, KeyUnavailable
from eventstore.encryption import DatabaseKeys, Encryption, SqliteKeys
from eventstore.encryption.sealed_codec import SealedCodec
from eventstore.testing import FakeKms


def texts(store, thread):
    return [message.text for message in store.messages.list(thread)]


class Watched:
    """Keys, or a service, that nobody asks while a transaction holds the write lock."""

    def __init__(self, watched):
        self.watched = watched
        self.codec = None
        self.asked = 0

    def __getattr__(self, name):
        found = getattr(self.watched, name)
        if not callable(found):
            return found

        def asked(*arguments):
            self.asked += 1
            assert self.codec is None or not self.codec.ring.locked.get(), name
            return found(*arguments)

        return asked

    def watch(self, store):
        self.codec = store.scope.log.codec
        assert isinstance(self.codec, SealedCodec)


@pytest.mark.parametrize("keys", ["file", "table"])
def test_nothing_is_asked_under_the_write_lock(tmp_path, keys):
    service = Watched(FakeKms())
    vault = Watched(SqliteKeys(tmp_path / "keys.db"))
    encryption = Encryption(service, vault if keys == "file" else DatabaseKeys())
    url = f"sqlite:///{tmp_path}/chat.db"
    with ConversationStore.open(url, encryption=encryption) as store:
        service.watch(store)
        vault.watch(store)
        thread = store.threads.create(title="t", idempotency_key="once").id
        first = store.messages.create(thread, role="user", content="said", subject="alice")
        assistant = store.assistants.create(model="m", name="Guide")
        store.branches.label(thread, first.id, "named")
    with ConversationStore.open(url, encryption=encryption) as store:
        service.watch(store)
        vault.watch(store)
        # Deciding reads what is sealed with keys that are not in memory: they are fetched outside.
        store.assistants.update(assistant.id, model="m2")
        store.threads.fork(thread)
        assert store.threads.create(title="t", idempotency_key="once").id == thread
        store.privacy.erase(subject="alice")
        assert service.asked
        assert vault.asked or keys == "table"


def test_a_service_is_asked_once_for_each_key(tmp_path):
    service = FakeKms()
    encryption = Encryption(service, SqliteKeys(tmp_path / "keys.db"))
    url = f"sqlite:///{tmp_path}/chat.db"
    with ConversationStore.open(url, encryption=encryption) as store:
        thread = store.threads.create(title="t").id
        for number in range(20):
            store.messages.create(thread, role="user", content=str(number), subject="alice")
        assert service.calls == ["wrap"] * 3  # of the thread, of its tenant's words, of Alice
    with ConversationStore.open(url, encryption=encryption) as store:
        for _ in range(3):
            assert len(texts(store, thread)) == 20
        assert service.calls[3:] == ["unwrap"]


def test_a_service_out_of_reach_stops_what_needs_it_and_nothing_else(tmp_path):
    service = FakeKms()
    encryption = Encryption(service, SqliteKeys(tmp_path / "keys.db"))
    url = f"sqlite:///{tmp_path}/chat.db"
    with ConversationStore.open(url) as store:
        plain = store.threads.create(title="plain").id
    with ConversationStore.open(url, encryption=encryption) as store:
        thread = store.threads.create(title="t").id
        service.out_of_reach = True
        store.messages.create(thread, role="user", content="its key is in memory")
        assert texts(store, thread) == ["its key is in memory"]
        with pytest.raises(KeyUnavailable, match="ConnectionError"):
            store.messages.create(thread, role="user", content="no key yet", subject="alice")
    with ConversationStore.open(url, encryption=encryption) as store:
        assert store.threads.get(plain).title == "plain"
        with pytest.raises(KeyUnavailable, match="ConnectionError"):
            texts(store, thread)
        service.out_of_reach = False
        assert texts(store, thread) == ["its key is in memory"]
        store.messages.create(thread, role="user", content="now", subject="alice")


async def test_an_event_loop_goes_on_while_a_service_is_asked(tmp_path):
    asked, goes_on = threading.Event(), threading.Event()

    class Slow(FakeKms):
        def wrap(self, key, context, /):
            asked.set()
            assert goes_on.wait(30)
            return super().wrap(key, context)

    encryption = Encryption(Slow(), SqliteKeys(tmp_path / "keys.db"))
    url = f"sqlite:///{tmp_path}/chat.db"
    async with AsyncConversationStore.open(url, encryption=encryption) as store:
        writing = asyncio.create_task(store.threads.create(title="t"))
        while not asked.is_set():  # noqa: ASYNC110 (it is a thread that sets it)
            await asyncio.sleep(0)
        goes_on.set()  # set by the loop, which was not held up
        assert (await writing).title == "t"
