"""Limits, orders and cursors: of this listing, or refused."""

import base64
import pickle
from datetime import UTC, datetime
from itertools import pairwise

import msgspec
import pytest

from eventstore import InvalidInput, Limits, MomentNotFound, StreamNotFound
from eventstore.core.pages import encode_cursor, listing_key
from tests.inputs.untouched import refused

HEX = "0" * 32


@pytest.mark.parametrize("limit", [0, -1, 10_001, 2**80, 1.0, "5", True, b"1", [1]], ids=repr)
def test_a_page_has_between_one_and_the_most_allowed(store, thread, limit):
    for call in (
        lambda: store.threads.list(limit=limit),
        lambda: store.messages.list(thread.id, limit=limit),
        lambda: store.runs.list(thread.id, limit=limit),
        lambda: store.assistants.list(limit=limit),
    ):
        with refused(store, "limit", f"1 to {Limits().page_size_max}"):
            call()


@pytest.mark.parametrize(
    "order", ["", "ASC", "newest", None, 1, b"asc", ["asc"], {"asc"}], ids=repr
)
def test_there_are_two_orders(store, thread, order):
    with refused(store, "order", "asc, desc"):
        store.threads.list(order=order)
    with refused(store, "order", "asc, desc"):
        store.messages.list(thread.id, order=order)


@pytest.fixture
def cursors(store, thread):
    """One cursor of every listing, with a call that takes it."""
    for _ in range(2):
        store.messages.create(thread.id, role="user", content="x")
        store.assistants.create()
        store.threads.create(metadata={"k": "v"})
    for _ in range(2):
        store.runs.create(thread.id)
    messages, threads = store.messages, store.threads
    takers = {
        "threads": lambda after: threads.list(limit=1, after=after),
        "threads, newest first": lambda after: threads.list(limit=1, after=after, order="desc"),
        "threads of k": lambda after: threads.list(limit=1, after=after, metadata={"k": "v"}),
        "assistants": lambda after: store.assistants.list(limit=1, after=after),
        "runs": lambda after: store.runs.list(thread.id, limit=1, after=after),
        "messages": lambda after: messages.list(thread.id, limit=1, after=after),
        "messages, newest first": lambda after: messages.list(
            thread.id, limit=1, after=after, order="desc"
        ),
    }
    return {name: (take(None).next_cursor, take) for name, take in takers.items()}


def test_a_cursor_goes_on_where_its_page_ended(cursors):
    for cursor, take in cursors.values():
        assert take(cursor).data
        assert take(cursor).data != take(None).data


def test_a_cursor_of_another_listing_is_refused(store, cursors):
    for name, (cursor, _) in cursors.items():
        for other, (_, take) in cursors.items():
            if name != other:
                with refused(store, "after", "next_cursor"):
                    take(cursor)


def test_a_cursor_of_another_thread_or_tenant_is_refused(store, cursors):
    other = store.threads.create()
    with refused(store, "after"):
        store.messages.list(other.id, after=cursors["messages"][0])
    with refused(store, "after"):
        store.runs.list(other.id, after=cursors["runs"][0])
    with refused(store, "after"):
        store.tenant("other").threads.list(after=cursors["threads"][0])


def forged(listing):
    """Cursors that somebody made by hand, for a listing that exists."""
    values = [(), ("1",), (-1,), (2**63,), (2**64 - 1,), (1, 2), (None,), (1.5,), ([[[]]],)]
    yield from (encode_cursor(listing, *place) for place in values)
    deep = b"\x91" * 700
    for raw in (b"", b"\xc1", b"\x00", msgspec.msgpack.encode({"a": 1}), deep):
        yield "c_" + base64.urlsafe_b64encode(raw).decode().rstrip("=")


def test_a_forged_cursor_is_refused(store, thread):
    listing = listing_key("threads", "", False, {}, None, False)  # noqa: FBT003
    for cursor in [*forged(listing), "c_", "c_é", "c_ä" * 500, "c_=", "x", "", 5, b"c_", ["c_"]]:
        with refused(store, "after"):
            store.threads.list(after=cursor)
    for cursor in ["c_", "c_é", 5, b"c_"]:
        with refused(store, "after"):
            store.messages.list(thread.id, after=cursor)


@pytest.mark.parametrize("version", [0, -1, 1.0, "1", True, b"1", 2**70], ids=repr)
def test_a_version_is_one_that_was_there(store, thread, version):
    with refused(store, "at_version"):
        store.threads.fork(thread.id, at_version=version)
    if version != 0:  # a moment at which the thread did not exist yet
        for call in (store.messages.list, store.replay.state):
            with refused(store, "at_version"):
                call(thread.id, at_version=version)
        with refused(store, "from_version"):
            store.replay.diff(thread.id, from_version=version)
    assistant = store.assistants.create()
    with refused(store, "version"):
        store.assistants.get(assistant.id, version=version)


@pytest.mark.usefixtures("question")
def test_a_fork_of_a_version_to_come_is_refused_with_the_last_one(store, thread):
    with refused(store, "at_version", "1 to 2"):
        store.threads.fork(thread.id, at_version=3)


@pytest.mark.usefixtures("question")
@pytest.mark.parametrize(
    ("at", "reason", "said"),
    [
        ({"at_version": 0}, "not_yet_begun", "did not exist yet: it began at "),
        ({"at_time": datetime(1999, 12, 31, tzinfo=UTC)}, "not_yet_begun", "did not exist yet"),
        ({"at_version": 3}, "not_yet_recorded", "has not come so far: it is at version 2"),
    ],
    ids=["version 0", "time", "version to come"],
)
def test_a_moment_that_a_thread_does_not_have_is_an_error_of_its_own(
    store, thread, at, reason, said
):
    calls = [store.messages.list, store.replay.state]
    if "at_version" in at:
        version = at["at_version"]
        calls += [
            lambda key, **_: store.replay.diff(key, from_version=version),
            lambda key, **_: store.replay.diff(key, from_version=1, to_version=version),
        ]
    for call in calls:
        with pytest.raises(MomentNotFound, match=said) as caught:
            call(thread.id, **at)
        assert (caught.value.reason, caught.value.last_version) == (reason, 2)
        assert caught.value.began_at == thread.created_at
        assert pickle.loads(pickle.dumps(caught.value)).args == caught.value.args


@pytest.mark.parametrize("after", [-1, "1", 1.0, True, b"", 2**70], ids=repr)
def test_the_log_is_read_after_a_version(store, thread, after):
    with refused(store, "after"):
        store.events.read(thread.id, after=after)
    with refused(store, "after"):
        store.replay.steps(thread.id, after=after)


@pytest.mark.parametrize("limit", [0, -1, "1", 1.0, True, b"", 2**70], ids=repr)
def test_the_log_is_read_in_whole_events(store, thread, limit):
    with refused(store, "limit"):
        store.events.read(thread.id, limit=limit)
    with refused(store, "limit"):
        store.events.read_all(limit=limit)


@pytest.mark.parametrize(
    "after",
    [
        "",
        "1",
        "1-2",
        "1-2-3-4",
        "-1-2-3",
        "a-b-c",
        "\u0660-\u0660-\u0660",
        "0-0-" + "9" * 30,
        5,
        (0, 0),
        b"",
    ],
    ids=repr,
)
def test_what_is_no_position_is_refused(store, after):
    with refused(store, "after", "that this store returned"):
        store.events.read_all(after=after)


def test_a_stream_without_events_is_not_there(store):
    with pytest.raises(StreamNotFound, match=f"invoice_{HEX}"):
        list(store.events.read(f"invoice_{HEX}"))


# -- pages that leave their process ----------------------------------------------------------------


def test_a_page_is_kept_without_its_store_and_says_so_where_it_would_go_on(store, thread):
    for text in "abc":
        store.messages.create(thread.id, role="user", content=text)
    page, last = store.messages.list(thread.id, limit=2), store.messages.list(thread.id)
    made = type(page)(data=page.data, next_cursor=page.next_cursor)
    for kept in (pickle.loads(pickle.dumps(page)), made):
        assert (kept.data, kept.next_cursor) == (page.data, page.next_cursor)
        with pytest.raises(InvalidInput, match="after=page"):
            list(kept.iter())
    assert list(pickle.loads(pickle.dumps(last)).iter()) == list(page.iter()) == list(last)


@pytest.mark.parametrize("kind", ["threads", "assistants"])
def test_a_cursor_tells_nothing_of_how_much_others_write(store, kind):
    """The places of a tenant's things among everybody's are in no order that could be read off."""
    mine, other = store.tenant("mine"), store.tenant("other")
    made = []
    for n in range(12):
        made.append(getattr(mine, kind).create().id)
        for _ in range(n % 3):
            other.threads.create()
    listing = getattr(mine, kind)
    cursors, found, after = [], [], None
    while True:
        page = listing.list(limit=1, after=after)
        found += [one.id for one in page]
        if page.next_cursor is None:
            break
        after = page.next_cursor
        cursors.append(base64.urlsafe_b64decode(after.removeprefix("c_") + "=="))
    assert found == made
    places = [int.from_bytes(one[-8:], "big") for one in cursors]
    steps = [abs(b - a) for a, b in pairwise(places)]
    assert min(steps) > 2**40
