"""Old shapes of events become new ones on read; what is unknown is an error that names it."""

import msgspec
import pytest
from msgspec.structs import replace

from eventstore import ConversationStore, UndecodableEvent, UnknownEventType
from eventstore.api.operations.operation import Read
from eventstore.core.catalogue import Catalogue, EventKind
from eventstore.core.events import EventContent, EventData, StreamKey
from eventstore.storage import read, whole_store
from eventstore.write_path.categories import CATALOGUES
from tests.storage.lives import ask
from tests.storage.test_chain import tampered

KEY = bytes(range(16))
GREETING = StreamKey("", "greeting", KEY)


class Greeted(EventData, frozen=True):
    """Third shape: ``whom`` was ``name`` once, and ``loudly`` was not there."""

    whom: str
    by: bytes
    loudly: bool


class Words(EventContent, frozen=True):
    lines: list[str]


def rename(data, content):
    return {"whom": data["name"], "by": data["by"]}, content


def add_volume(data, content):
    lines = None if content is None else {"lines": content["text"].split("\n")}
    return {**data, "loudly": False}, lines


CATALOGUE = Catalogue([EventKind(Greeted, Words, upcasters=(rename, add_volume))])
pack = msgspec.msgpack.encode


def decode(schema_version, data, content=None, name="Greeted"):
    stored = None if content is None else pack(content)
    return CATALOGUE.decode(
        GREETING, 7, name, schema_version=schema_version, data=pack(data), content=stored
    )


@pytest.mark.parametrize(
    ("schema_version", "data", "content"),
    [
        (1, {"name": "Ann", "by": KEY}, {"text": "Hello\nAnn"}),
        (2, {"whom": "Ann", "by": KEY}, {"text": "Hello\nAnn"}),
        (3, {"whom": "Ann", "by": KEY, "loudly": False}, {"lines": ["Hello", "Ann"]}),
    ],
)
def test_every_old_shape_becomes_the_newest(schema_version, data, content):
    expected = Greeted(whom="Ann", by=KEY, loudly=False)
    assert decode(schema_version, data, content) == (expected, Words(lines=["Hello", "Ann"]))
    assert decode(schema_version, data) == (expected, None), "its content was erased"


def test_new_events_are_written_in_the_newest_shape():
    assert CATALOGUE.schema_versions["Greeted"] == 3


@pytest.mark.parametrize("schema_version", [0, 4, 99])
def test_an_unknown_schema_version_is_named(schema_version):
    with pytest.raises(UnknownEventType, match=f"schema version {schema_version}") as caught:
        decode(schema_version, {})
    error = caught.value
    assert (error.stream_id, error.version, error.event_type) == (GREETING.text, 7, "Greeted")


def test_an_unknown_type_is_named():
    with pytest.raises(UnknownEventType, match="Waved"):
        decode(1, {}, name="Waved")


@pytest.mark.parametrize(
    ("schema_version", "data"), [(1, {}), (1, {"name": 5}), (2, {"name": "Ann"}), (3, {}), (3, [])]
)
def test_what_does_not_fit_its_shape_is_an_error_and_not_skipped(schema_version, data):
    with pytest.raises(UndecodableEvent, match=f"event 7 of {GREETING.text}"):
        decode(schema_version, data)


def test_a_stored_event_of_an_old_shape_is_folded_in_the_new_one(path):
    """The whole way: stored bytes stay, the reader is handed the newest class."""

    with ConversationStore.open(f"sqlite:///{path}") as store:
        thread = store.threads.create(title="x")
    old = pack({"name": "Ann", "by": KEY}).hex()
    tampered(path, f"UPDATE events SET type = 'Greeted', data = x'{old}', content = NULL")
    with ConversationStore.open(f"sqlite:///{path}") as store:
        log = replace(store.scope.log, catalogues={**CATALOGUES, "thread": CATALOGUE})
        stored = store.perform(
            Read(lambda tx: whole_store.read_all(tx, whole_store.Filter("")).events)
        )
        assert read.as_event(log, stored[0]).data == Greeted(whom="Ann", by=KEY, loudly=False)
        assert thread.id == stored[0].stream.text
    assert ask(path, "SELECT data FROM events") == [(bytes.fromhex(old),)]


@pytest.mark.parametrize(
    ("change", "named"),
    [("type = 'MessageSung'", "MessageSung"), ("schema_version = 2", "schema version 2 ")],
)
def test_a_reader_stops_at_what_a_newer_version_wrote_and_names_it(path, change, named):
    url = f"sqlite:///{path}"
    with ConversationStore.open(url) as store:
        thread = store.threads.create()
        store.messages.create(thread.id, role="user", content="x")
    tampered(path, f"UPDATE events SET {change} WHERE version = 2")
    with ConversationStore.open(url) as store:
        for look in (
            lambda: list(store.events.read(thread.id)),
            lambda: list(store.events.read_all()),
            lambda: store.replay.state(thread.id),
            lambda: list(store.replay.steps(thread.id)),
            lambda: store.projections.rebuild(thread.id),
        ):
            with pytest.raises(UnknownEventType, match=named) as caught:
                look()
            assert (caught.value.stream_id, caught.value.version) == (thread.id, 2)


def test_content_that_is_damaged_is_an_error_without_its_text(path):
    url = f"sqlite:///{path}"
    with ConversationStore.open(url) as store:
        thread = store.threads.create()
        store.messages.create(thread.id, role="user", content="my heart is broken")
    tampered(path, "UPDATE events SET content = CAST(content || 'x' AS BLOB) WHERE version = 2")
    with ConversationStore.open(url) as store:
        with pytest.raises(UndecodableEvent) as caught:
            store.messages.list(thread.id)
        assert "heart" not in str(caught.value)
        with pytest.raises(UndecodableEvent) as caught:
            list(store.events.read_all())
        assert "heart" not in str(caught.value)
        assert (caught.value.stream_id, caught.value.version) == (thread.id, 2)


def test_reading_everything_gives_what_comes_before_an_event_that_cannot_be_read(path):
    with ConversationStore.open(f"sqlite:///{path}") as store:
        thread = store.threads.create()
        for text in ("one", "two", "three"):
            store.messages.create(thread.id, role="user", content=text)
    tampered(path, "UPDATE events SET data = CAST('x' AS BLOB) WHERE version = 3")
    with ConversationStore.open(f"sqlite:///{path}") as store:
        for walk in (store.events.read_all(), store.events.read(thread.id)):
            assert [next(walk).version, next(walk).version] == [1, 2]
            with pytest.raises(UndecodableEvent) as caught:
                next(walk)
            assert caught.value.version == 3
