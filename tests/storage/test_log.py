"""Appending to streams of one's own, reading them, and the order of the whole store."""

from datetime import timedelta

import pytest

from eventstore import (
    ConversationStore,
    IdempotencyConflict,
    NewEvent,
    Position,
    StreamNotFound,
    WrongExpectedVersion,
)
from eventstore.api.operations.operation import Read
from eventstore.core.events import instant
from tests.storage.lives import INVOICE, NOON, environment

OTHER = INVOICE[:-1] + "2"


def append(store, *types, expected="any", stream=INVOICE, **options):
    events = [NewEvent(type=name, data={"n": n}) for n, name in enumerate(types)]
    return store.events.append(stream, events, expected_version=expected, **options)


def types(events):
    return [event.type for event in events]


# -- appending -------------------------------------------------------------------------------------


def test_versions_go_on_from_one_without_gaps(store):
    assert append(store, "A", "B").version == 2
    assert append(store, "C").version == 3
    assert [event.version for event in store.events.read(INVOICE)] == [1, 2, 3]


def test_a_receipt_says_where_the_events_came_to_stand(store):
    receipt = append(store, "A", "B")
    events = list(store.events.read(INVOICE))
    assert receipt.stream_id == INVOICE
    assert receipt.positions == tuple(event.position for event in events)
    assert receipt.positions[0] < receipt.positions[1]


@pytest.mark.parametrize(
    ("expected", "holds_new", "holds_at_two"),
    [
        ("any", True, True),
        ("no_stream", True, False),
        ("stream_exists", False, True),
        (0, True, False),
        (1, False, False),
        (2, False, True),
        (3, False, False),
    ],
)
def test_an_expectation_holds_or_nothing_is_appended(store, expected, holds_new, holds_at_two):
    append(store, "A", "B", stream=OTHER)
    for stream, holds, version in ((INVOICE, holds_new, 0), (OTHER, holds_at_two, 2)):
        if holds:
            assert append(store, "C", expected=expected, stream=stream).version == version + 1
        else:
            with pytest.raises(WrongExpectedVersion) as caught:
                append(store, "C", expected=expected, stream=stream)
            assert (caught.value.stream_id, caught.value.actual) == (stream, version)
    assert types(store.events.read_all()).count("C") == holds_new + holds_at_two


def test_a_key_makes_a_second_try_harmless(store):
    first = append(store, "A", idempotency_key="k")
    append(store, "B")
    again = append(store, "A", idempotency_key="k")
    assert (again.version, again.positions) == (first.version, ())
    assert types(store.events.read(INVOICE)) == ["A", "B"]
    with pytest.raises(IdempotencyConflict):
        append(store, "C", idempotency_key="k")
    assert append(store, "C", idempotency_key="k", stream=OTHER).version == 1


def test_what_was_given_comes_back(store):
    event_id = "evt_" + "7" * 32
    given = NewEvent(type="Sent", data={"a": [1, None]}, content={"b": "\0"}, event_id=event_id)
    acting = store.acting(correlation_id="request", causation_id="cause")
    acting.events.append(INVOICE, [given], expected_version=0, actor="user_1")
    (event,) = store.events.read(INVOICE)
    assert (event.type, event.data, event.content) == ("Sent", {"a": [1, None]}, {"b": "\0"})
    assert event.metadata == {
        "actor": "user_1",
        "correlation_id": "request",
        "causation_id": "cause",
    }
    assert (event.event_id, event.stream_id, event.schema_version) == (event_id, INVOICE, 1)
    assert len(event.hash) == 64


def test_recorded_at_never_goes_back_though_the_clock_does():
    seconds = [0, 5, -3600, -1, 6]
    moments = [NOON + second * 1_000_000 for second in seconds]
    with ConversationStore.open("sqlite://", environment=environment(moments)) as store:
        for name in "ABCDE":
            append(store, name)
        recorded = [event.recorded_at - instant(NOON) for event in store.events.read(INVOICE)]
    assert recorded == [timedelta(seconds=second) for second in (0, 5, 5, 5, 6)]


# -- reading ---------------------------------------------------------------------------------------


def test_a_stream_is_read_from_a_version_either_way_and_as_far_as_wanted(store):
    append(store, *"ABCDE")
    read = store.events.read
    assert types(read(INVOICE)) == list("ABCDE")
    assert types(read(INVOICE, after=3)) == ["D", "E"]
    assert types(read(INVOICE, after=5)) == []
    assert types(read(INVOICE, limit=2)) == ["A", "B"]
    assert types(read(INVOICE, after=1, limit=2)) == ["B", "C"]
    assert types(read(INVOICE, backwards=True)) == list("EDCBA")
    assert types(read(INVOICE, backwards=True, limit=2)) == ["E", "D"]
    assert types(read(INVOICE, backwards=True, after=2)) == ["E", "D", "C"]


@pytest.mark.parametrize("count", [499, 500, 501, 1_001])
def test_a_stream_longer_than_a_page_is_read_whole(store, count):
    append(store, *["A"] * count)
    versions = [event.version for event in store.events.read(INVOICE)]
    backwards = [event.version for event in store.events.read(INVOICE, backwards=True)]
    assert versions == list(range(1, count + 1))
    assert backwards == versions[::-1]
    assert len(list(store.events.read_all())) == count
    assert len(list(store.events.read(INVOICE, limit=count - 1))) == count - 1


def test_the_whole_store_is_read_in_the_order_it_was_written(store):
    written = []
    for stream in (INVOICE, OTHER, INVOICE, OTHER):
        version = append(store, "A", "B", stream=stream).version
        written += [(stream, version - 1), (stream, version)]
    events = list(store.events.read_all())
    assert [event.position for event in events] == sorted(event.position for event in events)
    assert [(event.stream_id, event.version) for event in events] == written


def test_reading_goes_on_after_a_position_however_it_was_kept(store):
    append(store, *"ABCD")
    for event in store.events.read_all():
        text = str(event.position)
        assert Position.parse(text) == event.position
        rest = types(store.events.read_all(after=event.position))
        assert rest == types(store.events.read_all(after=text))
        assert rest == list("ABCD")[event.version :]
    assert types(store.events.read_all(after=None, limit=3)) == ["A", "B", "C"]


def test_positions_compare_as_numbers_and_not_as_text():
    assert Position.parse("0-0-9") < Position.parse("0-0-10")
    assert Position.parse("0-9-9") < Position.parse("1-0-0")


# -- tenants ---------------------------------------------------------------------------------------


def test_tenants_have_streams_of_the_same_id_and_see_only_their_own(store):
    acme = store.tenant("acme")
    append(acme, "A")
    append(store, "B", expected="no_stream")
    assert types(acme.events.read(INVOICE)) == types(acme.events.read_all()) == ["A"]
    assert types(store.events.read(INVOICE)) == types(store.events.read_all()) == ["B"]
    assert types(acme.tenant("").events.read_all()) == ["B"]


def test_another_tenants_stream_is_as_unknown_as_one_that_never_was(store):
    append(store, "A")
    stranger = store.tenant("stranger")
    texts = set()
    for stream in (INVOICE, OTHER):
        with pytest.raises(StreamNotFound) as caught:
            list(stranger.events.read(stream))
        texts.add(str(caught.value).replace(stream, "<id>"))
    assert texts == {"no stream '<id>'. Check the id and the tenant."}


def test_asking_makes_no_tenant(store):
    nobody = store.tenant("nobody")
    with pytest.raises(StreamNotFound):
        list(nobody.events.read(INVOICE))
    assert list(nobody.events.read_all()) == []
    assert list(nobody.threads.list()) == []
    with pytest.raises(WrongExpectedVersion):
        append(nobody, "A", expected=5)
    assert store.perform(Read(lambda tx: tx.all("SELECT name FROM {tenants}"))) == []
