"""The master key is exchanged without writing content again."""

import pytest

from eventstore import ConversationStore, InvalidInput, KeyUnavailable
from eventstore.encryption import DatabaseKeys, Encryption, LocalMasterKey, SqliteKeys

OLD, NEW = LocalMasterKey(b"o" * 32), LocalMasterKey(b"n" * 32)


@pytest.fixture(params=["file", "table"])
def opened(request, tmp_path):
    """Opens a store whose master keys are given, the present one first."""

    def again(*masters):
        keys = DatabaseKeys() if request.param == "table" else SqliteKeys(tmp_path / "keys.db")
        encryption = Encryption(masters[0], keys, former_master_keys=masters[1:])
        return ConversationStore.open(f"sqlite:///{tmp_path}/chat.db", encryption=encryption)

    return again


def lived(store):
    thread = store.threads.create(title="t", metadata={"k": "v"}).id
    for name in ("alice", "bob"):
        store.messages.create(thread, role="user", content=f"of {name}", subject=name)
    return thread


def texts(store, thread):
    return [message.text for message in store.messages.list(thread)]


def test_content_stays_and_the_former_master_key_is_not_needed_any_more(opened):
    with opened(OLD) as store:
        thread = lived(store)
        before = [event.hash for event in store.events.read(thread)]
        assert store.keys.status().keys == {OLD.id: 4}
    with opened(NEW, OLD) as store:
        assert texts(store, thread) == ["of alice", "of bob"]
        made = store.keys.rotate(actor="ops", reason="yearly")
        assert (made.keys, made.former_master_keys) == (4, (OLD.id,))
        assert store.keys.status().keys == {NEW.id: 5}  # one more seals the reason
        [event] = [one for one in store.events.read_all() if one.type == "KeyRotated"]
        assert event.data == {"master": NEW.id, "formers": [OLD.id], "keys": 4}
        assert store.keys.rotate().keys == 0  # which is not recorded
    with opened(NEW) as store:
        assert texts(store, thread) == ["of alice", "of bob"]
        assert [event.hash for event in store.events.read(thread)] == before
        store.messages.create(thread, role="user", content="again", subject="alice")
        assert len([one for one in store.events.read_all() if one.type == "KeyRotated"]) == 1


def test_processes_with_either_key_first_go_on_meanwhile(opened):
    with opened(OLD, NEW) as old, opened(NEW, OLD) as new:
        thread = lived(old)
        new.keys.rotate()
        old.messages.create(thread, role="user", content="late", subject="carol")
        assert texts(new, thread) == texts(old, thread) == ["of alice", "of bob", "late"]
        assert new.keys.status().keys == {NEW.id: 4, OLD.id: 1}
        assert new.keys.rotate().keys == 1


def test_a_rotation_that_was_interrupted_goes_on(opened, monkeypatch):
    with opened(OLD) as store:
        thread = lived(store)
    wrap, left = LocalMasterKey.wrap, iter(range(2))

    def wrapped(self, key, context, /):
        next(left)
        return wrap(self, key, context)

    monkeypatch.setattr("eventstore.api.operations.keys._PAGE", 1)
    monkeypatch.setattr(LocalMasterKey, "wrap", wrapped)
    with opened(NEW, OLD) as store, pytest.raises(KeyUnavailable, match="StopIteration"):
        store.keys.rotate()
    monkeypatch.undo()
    with opened(NEW, OLD) as store:
        assert texts(store, thread) == ["of alice", "of bob"]
        assert store.keys.status().keys == {NEW.id: 2, OLD.id: 2}
        assert store.keys.rotate().keys == 2
    with opened(NEW) as store:
        assert texts(store, thread) == ["of alice", "of bob"]


def test_without_the_former_master_key_it_says_which_one_is_missing(opened):
    with opened(OLD) as store:
        lived(store)
    with opened(NEW) as store, pytest.raises(KeyUnavailable, match=OLD.id):
        store.keys.rotate()


def test_a_store_without_encryption_has_no_keys():
    with ConversationStore.open("sqlite://") as store:
        for act in (store.keys.rotate, store.keys.status):
            with pytest.raises(InvalidInput):
                act()


async def test_an_async_store_rotates_as_well(tmp_path):
    from eventstore import AsyncConversationStore  # noqa: PLC0415

    url, keys = f"sqlite:///{tmp_path}/chat.db", SqliteKeys(tmp_path / "keys.db")
    async with AsyncConversationStore.open(url, encryption=Encryption(OLD, keys)) as store:
        thread = await store.threads.create(title="t")
    encryption = Encryption(NEW, keys, former_master_keys=[OLD])
    async with AsyncConversationStore.open(url, encryption=encryption) as store:
        assert (await store.keys.rotate()).keys == 2
        assert (await store.threads.get(thread.id)).title == "t"
