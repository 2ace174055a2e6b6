"""With encryption no byte of content stands in any file, whatever is done with a store."""

import pytest

from eventstore import ConversationStore
from tests.encryption.raw_bytes import found_in, words_of
from tests.encryption.vaults import in_a_file, in_the_database
from tests.storage.lives import full_life


def lived(store):
    """Live a life with every command; leave a run that is writing, and return all words said."""
    full_life(store)
    thread = store.threads.create(metadata={"patient": "Archibald"}, idempotency_key="once")
    asked = store.messages.create(
        thread.id, role="user", content="Peculiar symptoms", subject="Archibald"
    )
    store.branches.label(thread.id, asked.id, "Anamnesis")
    run = store.runs.create(thread.id, instructions="Diagnose quietly")
    store.runs.start(thread.id, run.id)
    shown = f"msg_{'0d' * 16}"
    store.runs.write_text(thread.id, run.id, "Tentatively", message_id=shown, offset=0)
    store.projections.rebuild()
    return {*words_of(store), "Tentatively", "Archibald", "Anamnesis"}


@pytest.fixture(scope="module")
def schema(tmp_path_factory):
    """The bytes of a store in which nobody said anything: names of tables and columns."""
    place = tmp_path_factory.mktemp("empty")
    with ConversationStore.open(f"sqlite:///{place}/chat.db", encryption=in_a_file(place)) as store:
        store.threads.create()
        return b"".join(path.read_bytes() for path in place.iterdir())


@pytest.mark.parametrize("keys", [in_a_file, lambda _: in_the_database()], ids=["file", "table"])
def test_no_word_stands_in_any_file(tmp_path, keys, schema):
    url = f"sqlite:///{tmp_path}/chat.db"
    with ConversationStore.open(url, encryption=keys(tmp_path)) as store:
        words = {word for word in lived(store) if word.encode() not in schema}
        assert len(words) > 40
        assert found_in(tmp_path, words) == set()  # the write-ahead log is among them
    assert found_in(tmp_path, words) == set()


def test_without_encryption_they_are_all_found(tmp_path):
    with ConversationStore.open(f"sqlite:///{tmp_path}/chat.db") as store:
        words = {word for word in lived(store) if len(word) < LONGEST and not is_hex(word)}
        assert {word for _, word in found_in(tmp_path, words)} == words


LONGEST = 1_000
"""Longer ones stand on several pages."""


def is_hex(word):
    """Tell whether a word is how bytes are shown, which do not stand as text."""
    return set(word) <= set("0123456789abcdef")
