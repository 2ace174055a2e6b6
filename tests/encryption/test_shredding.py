"""Erasing destroys keys: what they sealed reads as erased, in backups too; nothing else does."""

import shutil
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import create_engine

from eventstore import ConversationStore
from eventstore.api.operations import shredding
from eventstore.core import ids
from eventstore.core.codec import SUBJECT
from eventstore.core.events import StreamKey
from tests.encryption.vaults import in_a_file, in_the_database
from tests.storage.lives import ask


def alice(tenant=""):
    return StreamKey(tenant, SUBJECT, ids.derived("subject", tenant, "alice"))


@pytest.fixture
def url(tmp_path):
    return f"sqlite:///{tmp_path}/chat.db"


@pytest.fixture(params=[in_a_file, lambda _: in_the_database()], ids=["file", "table"])
def opened(request, url, tmp_path):
    def again():
        return ConversationStore.open(url, encryption=request.param(tmp_path))

    return again


def texts(store, thread):
    return [message.text for message in store.messages.list(thread)]


def test_a_person_who_is_erased_is_gone_from_backups(url, tmp_path):
    encryption = in_a_file(tmp_path)
    with ConversationStore.open(url, encryption=encryption) as store:
        thread = store.threads.create(title="kept").id
        store.messages.create(thread, role="user", content="of Alice", subject="alice")
        store.messages.create(thread, role="user", content="of nobody")
    for file in tmp_path.glob("chat.db*"):
        shutil.copy(file, tmp_path / f"backup-{file.name}")
    with ConversationStore.open(url, encryption=encryption) as store:
        store.privacy.erase(subject="alice")
        assert texts(store, thread) == ["", "of nobody"]
        assert store.audit.verify().findings == ()
    backup = f"sqlite:///{tmp_path}/backup-chat.db"
    with ConversationStore.open(backup, encryption=in_a_file(tmp_path)) as store:
        first, second = store.messages.list(thread)
        assert (first.text, first.erased, second.text) == ("", True, "of nobody")
        assert store.threads.get(thread).title == "kept"
        assert [event.content is None for event in store.events.read(thread)] == [
            False,
            True,
            False,
        ]


def test_a_person_may_come_back_after_being_erased(opened):
    with opened() as store, opened() as other:
        thread = store.threads.create().id
        store.messages.create(thread, role="user", content="before", subject="alice")
        other.messages.create(thread, role="user", content="before, too", subject="alice")
        store.privacy.erase(subject="alice")
        # Both have the old key in memory, and neither seals with it any more.
        other.messages.create(thread, role="user", content="after", subject="alice")
        store.messages.create(thread, role="user", content="afterwards", subject="alice")
        assert texts(store, thread) == ["", "", "after", "afterwards"]
    with opened() as store:
        assert texts(store, thread) == ["", "", "after", "afterwards"]
        assert store.audit.verify().findings == ()
        store.privacy.erase(subject="alice")
        store.privacy.erase(subject="alice")  # whose key is destroyed already
        assert texts(store, thread) == ["", "", "", ""]


def test_a_thread_that_is_erased_loses_its_own_key_and_no_other(opened):
    with opened() as store:
        thread = store.threads.create(title="hers").id
        store.messages.create(thread, role="user", content="of the thread")
        other = store.threads.create(title="another").id
        store.messages.create(other, role="user", content="stays")
        store.privacy.erase(thread)
        assert texts(store, thread) == [""]
        assert texts(store, other) == ["stays"]
        store.messages.create(thread, role="user", content="goes on")
        assert texts(store, thread) == ["", "goes on"]
    with opened() as store:
        assert texts(store, thread) == ["", "goes on"]
        assert store.audit.verify().findings == ()


def test_a_message_takes_its_key_along_only_if_it_was_its_own_subject(opened):
    own = f"msg_{'0a' * 16}"
    with opened() as store:
        thread = store.threads.create().id
        store.messages.create(thread, role="user", content="own", message_id=own, subject=own)
        shared = store.messages.create(thread, role="user", content="shared")
        store.messages.create(thread, role="user", content="kept")
        store.privacy.erase(thread, own)
        store.privacy.erase(thread, shared.id)
    with opened() as store:
        assert texts(store, thread) == ["", "", "kept"]


def test_a_key_is_kept_while_content_that_it_sealed_is_left(opened, caplog):
    own = f"msg_{'0a' * 16}"
    with opened() as store:
        thread = store.threads.create().id
        store.messages.create(thread, role="user", content="asked", message_id=own, subject=own)
        store.messages.create(thread, role="assistant", content="answered", subject=own)
        store.privacy.erase(thread, own)
    with opened() as store:
        assert texts(store, thread) == ["", "answered"]
    assert "was not destroyed" in caplog.text


def test_a_purge_destroys_the_keys_of_the_thread_and_its_forks(tmp_path, url):
    encryption = in_a_file(tmp_path)
    with ConversationStore.open(url, encryption=encryption) as store:
        thread = store.threads.create(title="hers").id
        store.messages.create(thread, role="user", content="said")
        fork = store.threads.fork(thread).id
        store.messages.create(fork, role="user", content="said there")
        store.privacy.purge(thread, forks="purge")
        owners = [
            StreamKey("", ids.THREAD, ids.parse(ids.THREAD, one, "")) for one in (thread, fork)
        ]
        assert [encryption.keys.newest(one).wrapped for one in owners] == [None, None]


def test_a_destroyed_key_is_destroyed_once(tmp_path, url):
    encryption = in_a_file(tmp_path)
    with ConversationStore.open(url, encryption=encryption) as store:
        thread = store.threads.create().id
        store.messages.create(thread, role="user", content="of Alice", subject="alice")
    assert encryption.keys.destroy(alice(), 1) == 1
    assert encryption.keys.destroy(alice(), 1) == 0
    with ConversationStore.open(url, encryption=in_a_file(tmp_path)) as store:
        assert texts(store, thread) == [""]


def test_a_tenant_that_is_erased_loses_all_of_its_keys(opened):
    with opened() as store, opened() as other:
        for tenant in ("a", "b"):
            bound = store.tenant(tenant)
            thread = bound.threads.create(title="hers", metadata={"user": "u1"}).id
            first = bound.messages.create(thread, role="user", content="of Alice", subject="alice")
            bound.branches.label(thread, first.id, "named")
        [thread] = [one.id for one in other.tenant("a").threads.list(metadata={"user": "u1"})]
        store.tenants.erase("a")
        assert texts(store.tenant("a"), thread) == [""]
        assert texts(store.tenant("b"), store.tenant("b").threads.list().data[0].id) == ["of Alice"]
        late = other.tenant("a").messages.create(thread, role="user", content="late")
        other.tenant("a").branches.label(thread, late.id, "late")
        assert [*store.tenant("a").replay.state(thread).labels] == ["late"]
    with opened() as store:
        assert texts(store.tenant("a"), thread) == ["", "late"]
        assert store.tenant("a").audit.verify().findings == ()
        store.tenants.purge("a")
        assert [*store.tenant("a").threads.list()] == []


@pytest.mark.parametrize("action", ["erase", "purge"])
def test_a_tenant_with_labels_is_erased(opened, action):
    """The erasure reads labels, so their key must not be retired before it."""
    with opened() as store:
        for number in range(2):
            thread = store.threads.create(title="hers", metadata={"user": "u1"}).id
            first = store.messages.create(thread, role="user", content="said", external_id="x")
            store.branches.label(thread, first.id, f"named {number}")
            fork = store.threads.fork(thread).id
            store.threads.update(fork, metadata={"user": "u2"})
            store.branches.label(fork, first.id, "named there")
    with opened() as store:
        made = getattr(store.tenants, action)("")
        assert made.purged == (action == "purge")
        assert not any(store.keys.status().keys.values()), "the words' key went, too"
        assert getattr(store.tenants, action)("") == made
        assert store.audit.verify().findings == ()


def test_the_key_of_words_is_kept_while_a_word_is_left(opened, monkeypatch, caplog):
    """Somebody labels a message between the sweep and the retirement."""
    with opened() as store, opened() as other:
        thread = store.threads.create().id
        first = store.messages.create(thread, role="user", content="said")
        store.branches.label(thread, first.id, "named")
        retiring = shredding._retiring_words  # noqa: SLF001 (the moment before it)

        def late(place):
            other.branches.label(thread, first.id, "late")
            return retiring(place)

        monkeypatch.setattr(shredding, "_retiring_words", late)
        store.tenants.erase("")
        assert "hidden words are left" in caplog.text
        monkeypatch.undo()
        assert [*store.replay.state(thread).labels] == ["late"]
        assert [branch.label for branch in store.branches.list(thread)] == ["late"]
        store.tenants.erase("")
        assert [branch.label for branch in store.branches.list(thread)] == [None]


@pytest.mark.parametrize("action", ["erase", "purge"])
def test_what_is_not_retained_loses_its_keys(tmp_path, url, action):
    encryption = in_a_file(tmp_path)
    with ConversationStore.open(url, encryption=encryption) as store:
        threads = [store.threads.create(title=name).id for name in ("one", "two")]
        store.privacy.retain(older_than=timedelta(0), action=action)
        owners = [StreamKey("", ids.THREAD, ids.parse(ids.THREAD, one, "")) for one in threads]
        assert [encryption.keys.newest(one).wrapped for one in owners] == [None, None]
        assert store.audit.verify().findings == ()


@pytest.mark.parametrize("vault", ["file", "table"])
def test_no_file_holds_the_wrapped_key_any_more(tmp_path, url, vault):
    encryption = in_a_file(tmp_path) if vault == "file" else in_the_database()
    file = tmp_path / ("keys.db" if vault == "file" else "chat.db")
    with ConversationStore.open(url, encryption=encryption) as store:
        thread = store.threads.create().id
        store.messages.create(thread, role="user", content="of Alice", subject="alice")
        asked = "SELECT wrapped FROM data_keys WHERE kind = ?"
        [(wrapped,)] = ask(file, asked, SUBJECT)
        assert holding(tmp_path, wrapped)
        store.privacy.erase(subject="alice")
        assert not holding(tmp_path, wrapped)
        assert ask(file, asked, SUBJECT) == [(None,)]


def holding(folder, raw):
    """Return the names of the files that hold some bytes."""
    return [path.name for path in folder.iterdir() if raw in path.read_bytes()]


@pytest.mark.parametrize("what", ["message", "person", "thread", "purge"])
def test_not_even_sealed_bytes_are_left_in_any_file(tmp_path, url, what):
    with ConversationStore.open(url, encryption=in_a_file(tmp_path)) as store:
        thread = store.threads.create(title="kept").id
        large = "of Alice " * 10_000
        options: dict[str, Any] = {"subject": "alice", "external_id": "x1"}
        store.messages.create(thread, role="user", content=large, **options)
        said = store.messages.create(thread, role="user", content="of Alice", **options)
        store.branches.label(thread, said.id, "hers", subject="alice")
        gone = [
            raw.encode() if isinstance(raw, str) else raw
            for asked in (
                "SELECT content FROM events WHERE version > 1 AND length(content) > 0",
                "SELECT content FROM blobs",
                "SELECT label FROM labels",
                "SELECT external_id FROM external_ids",
            )
            for (raw,) in ask(tmp_path / "chat.db", asked)
        ]
        assert len(gone) == 6
        assert all(holding(tmp_path, raw[:60]) for raw in gone)
        if what == "message":
            for message in store.messages.list(thread):
                store.privacy.erase(thread, message.id)
        elif what == "person":
            store.privacy.erase(subject="alice")
        elif what == "thread":
            store.privacy.erase(thread)
        else:
            store.privacy.purge(thread)
        assert [holding(tmp_path, raw[:60]) for raw in gone] == [[]] * 6


@pytest.mark.parametrize("way", ["a message", "a person", "a thread", "a purge"])
def test_in_a_transaction_of_the_application_keys_stay_until_it_is_asked_again(url, tmp_path, way):
    """The certificate says so: had the transaction rolled back, a destroyed key would be a loss."""
    own = f"msg_{'0a' * 16}"
    engine = create_engine(url)
    with ConversationStore.open(url, encryption=in_a_file(tmp_path)) as store:
        thread = store.threads.create().id
        subject = own if way == "a message" else "alice" if way == "a person" else None
        given: dict[str, Any] = {} if subject is None else {"subject": subject}
        store.messages.create(thread, role="user", content="hers", message_id=own, **given)

        def erase(**options):
            if way == "a person":
                return store.privacy.erase(subject="alice", **options)
            if way == "a purge":
                return store.privacy.purge(thread, **options)
            return store.privacy.erase(thread, own if way == "a message" else None, **options)

        before = wrapped_in(tmp_path)
        with engine.connect() as connection:
            made = erase(connection=connection)
            connection.rollback()
        assert (made.pending, texts(store, thread)) == (True, ["hers"])
        with engine.begin() as connection:
            made = erase(connection=connection)
        assert made.pending
        assert "the key that goes with it" in made.remains[-1]
        assert wrapped_in(tmp_path) == before
        again = erase()
        assert (again.pending, again.remains) == (False, ())
        assert wrapped_in(tmp_path) == before - 1
        assert store.audit.verify().findings == ()
    engine.dispose()


def wrapped_in(place):
    """How many keys were not destroyed."""
    [(count,)] = ask(place / "keys.db", "SELECT count(wrapped) FROM data_keys")
    return count


# -- what runs write in the name of a person -------------------------------------------------------


def answered(store, thread, words, **given):
    """Let a run of Alice answer; the run's own writes name nobody, unless ``given`` does."""
    run = store.runs.create(thread, instructions=words, subject="alice").id
    store.runs.start(thread, run)
    step = store.runs.steps.start(thread, run, type="model", details={"d": words})
    begun = f"msg_{'0b' * 16}"
    store.runs.write_text(thread, run, words, message_id=begun, offset=0)
    store.messages.create(
        thread,
        role="assistant",
        content=words,
        run_id=run,
        message_id=begun,
        metadata={"m": words},
        **given,
    )
    store.runs.steps.complete(thread, step.id, details={"d": words})
    store.runs.update(thread, run, metadata={"m": words})
    return run


def test_what_her_run_wrote_goes_with_her_key(url, tmp_path):
    with ConversationStore.open(url, encryption=in_a_file(tmp_path)) as store:
        thread = store.threads.create(title="kept").id
        store.messages.create(thread, role="user", content="of Alice", subject="alice")
        store.runs.fail(thread, answered(store, thread, "the answer"), message="the answer")
        store.messages.create(thread, role="user", content="of nobody")
    for file in tmp_path.glob("chat.db*"):
        shutil.copy(file, tmp_path / f"backup-{file.name}")
    with ConversationStore.open(url, encryption=in_a_file(tmp_path)) as store:
        store.privacy.erase(subject="alice")
        assert store.audit.verify().findings == ()
        assert store.projections.compare().findings == ()
    backup = f"sqlite:///{tmp_path}/backup-chat.db"
    with ConversationStore.open(backup, encryption=in_a_file(tmp_path)) as store:
        left = {event.type: event.content for event in store.events.read(thread) if event.content}
        assert list(left) == ["ThreadCreated", "MessageAdded"]
        assert texts(store, thread) == ["", "", "of nobody"]


def test_text_that_bob_cuts_short_is_sealed_with_her_key(opened):
    """Another process has no key of hers, or one that was destroyed since."""
    with opened() as store, opened() as other:
        thread = store.threads.create().id
        for shown in (f"msg_{'0d' * 16}", f"msg_{'0e' * 16}"):
            run = store.runs.create(thread, subject="alice").id
            store.runs.start(thread, run)
            store.runs.write_text(thread, run, "hers", message_id=shown, offset=0)
            other.messages.create(
                thread, role="user", content="his", subject="bob", on_busy="interrupt"
            )
            assert texts(other, thread)[-2:] == ["hers", "his"]
            other.privacy.erase(subject="alice")
            assert texts(store, thread)[-2:] == ["", "his"]
            store.privacy.erase(subject="bob")
        assert store.audit.verify().findings == ()


def test_what_names_another_person_stays_theirs(opened):
    with opened() as store:
        thread = store.threads.create().id
        answered(store, thread, "of Bob", subject="bob")
        store.privacy.erase(subject="alice")
        assert texts(store, thread) == ["of Bob"]


def test_a_run_goes_on_after_she_was_erased_and_loses_nothing(opened):
    """Another process has her key in memory, and her run in its hands."""
    with opened() as store, opened() as other:
        thread = store.threads.create().id
        run = answered(other, thread, "before")
        store.privacy.erase(subject="alice")
        other.messages.create(thread, role="assistant", content="after", run_id=run)
        other.runs.write_text(thread, run, "shown", message_id=f"msg_{'0c' * 16}", offset=0)
        other.runs.fail(thread, run, message="why")
    with opened() as store:
        assert texts(store, thread) == ["", "after", "shown"]
        assert store.runs.get(thread, run).error.message == "why"
        assert store.audit.verify().findings == ()
        store.privacy.erase(subject="alice")
        assert texts(store, thread) == ["", "", ""]
