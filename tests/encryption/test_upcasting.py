"""Sealed content is opened before it is upcast, so old shapes become new ones as ever."""

from eventstore import ConversationStore
from eventstore.write_path.categories import CATALOGUES
from tests.encryption.vaults import in_the_database
from tests.storage.test_upcasting import CATALOGUE, KEY


def test_an_old_shape_under_seal_becomes_the_newest(monkeypatch):
    stream = f"greeting_{KEY.hex()}"
    said = {
        "type": "Greeted",
        "data": {"name": "Ann", "by": "x" * 16},
        "content": {"text": "Hello\nAnn"},
    }
    with ConversationStore.open("sqlite://", encryption=in_the_database()) as store:
        store.events.append(stream, [said], expected_version="no_stream")
        monkeypatch.setitem(CATALOGUES, "greeting", CATALOGUE)
        [event] = store.events.read(stream)
        assert event.content == {"lines": ["Hello", "Ann"]}
