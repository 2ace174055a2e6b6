"""Text that is being written follows from no event, and stays where rows are made again."""

import shutil
import sqlite3
from contextlib import closing

import pytest

from eventstore import ConversationStore, StoreUnavailable

SHOWN, OTHER = f"msg_{'5' * 32}", f"msg_{'6' * 32}"


def started(store):
    thread = store.threads.create(messages=[{"role": "user", "content": "why?"}]).id
    run = store.runs.create(thread).id
    store.runs.start(thread, run)
    return thread, run


def test_a_rebuild_leaves_what_is_being_written(tmp_path):
    with ConversationStore.open(f"sqlite:///{tmp_path}/chat.db") as store:
        thread, run = started(store)
        store.runs.write_text(thread, run, "one ", message_id=SHOWN, offset=0)
        with closing(sqlite3.connect(tmp_path / "chat.db")) as database, database:
            database.execute("UPDATE runs SET writing = NULL")
        assert not store.projections.compare().ok
        store.projections.rebuild()
        assert store.projections.compare().ok
        store.runs.write_text(thread, run, "two", message_id=SHOWN, offset=4)
        store.runs.fail(thread, run)
        assert store.messages.get(thread, SHOWN).text == "one two"


def test_a_reader_is_told_that_an_older_backup_was_restored(tmp_path):
    url, files = f"sqlite:///{tmp_path}/chat.db", ("chat.db", "chat.db-wal")
    with ConversationStore.open(url) as store:
        thread, run = started(store)
        store.runs.write_text(thread, run, "one ", message_id=SHOWN, offset=0)
    shutil.copy(tmp_path / "chat.db", tmp_path / "backup.db")
    with ConversationStore.open(url) as store:
        before = next(iter(store.runs.stream(thread, run))).cursor
        store.runs.write_text(thread, run, "again", message_id=OTHER, offset=0)
        store.runs.fail(thread, run)
        *_, last = store.runs.stream(thread, run)
    for file in files:
        (tmp_path / file).unlink(missing_ok=True)
    shutil.copy(tmp_path / "backup.db", tmp_path / "chat.db")
    with ConversationStore.open(url) as store:
        with pytest.raises(StoreUnavailable, match="older backup was restored") as error:
            next(iter(store.runs.stream(thread, run, after=last.cursor)))
        assert error.value.reason == "restored"
        store.runs.write_text(thread, run, "two", message_id=SHOWN, offset=4)
        store.runs.fail(thread, run)
        events = list(store.runs.stream(thread, run, after=before))
        assert [one.text for one in events if one.type == "message.delta"] == ["one two"]
