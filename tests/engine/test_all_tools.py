"""An assistant with all kinds of tools, from the question to the bytes that erasing leaves."""

import logging
import shutil
from pathlib import Path

import pytest

from eventstore import ConversationStore
from eventstore.encryption import Encryption, SqliteKeys
from eventstore.engine import replay
from tests.encryption.vaults import MASTER
from tests.engine.services.assistants import KEY, SECRET, answered, names_in, stored_words
from tests.engine.services.checks import check_answers, check_secrets, erase_all


def test_an_assistant_uses_each_kind_of_tool(store, url, tmp_path_factory, caplog, spans):
    caplog.set_level(logging.DEBUG)
    answer = answered(store)
    check_answers(store, answer)
    check_secrets(store, answer, caplog, spans())
    words = stored_words(answer)
    run, folder = answer.run, Path(url.removeprefix("sqlite:///")).parent
    assert names_in(words, bytes_in(folder)) == set(words)
    secrets = {"credential": [SECRET.encode()], "key": [KEY.encode()]}
    assert names_in(secrets, bytes_in(folder)) == set()

    copy = tmp_path_factory.mktemp("copy") / "copied"
    store.close()
    shutil.copytree(folder, copy)
    with ConversationStore.open(url) as again:
        erase_all(again, run)
        assert names_in(words, bytes_in(folder)) == set()
    with ConversationStore.open(f"sqlite:///{copy / 'chat.db'}") as copied:
        assert names_in(words, bytes_in(copy)) == set(words)
        assert not copied.privacy.purge(run.thread_id).pending
        assert names_in(words, bytes_in(copy)) == set()
    assert names_in(words, bytes_in(copy)) == names_in(words, bytes_in(folder)) == set()


def bytes_in(folder):
    return b"\0".join(file.read_bytes() for file in folder.iterdir())


@pytest.mark.long
def test_nothing_of_it_can_be_read_in_a_store_that_encrypts(url, tmp_path_factory):
    keys = SqliteKeys(tmp_path_factory.mktemp("keys") / "keys.db")
    encryption = Encryption(MASTER, keys)
    with ConversationStore.open(url, encryption=encryption) as store:
        answer = answered(store)
        words = stored_words(answer)
        again = replay(store, answer.run.thread_id, answer.run.id)
        assert again.same, again.difference
    raw = bytes_in(Path(url.removeprefix("sqlite:///")).parent)
    assert names_in(words, raw) == set()
