"""Metadata and the like: JSON that every database and language can carry, of a bearable size."""

import enum
import math
from types import MappingProxyType

import pytest

from eventstore import ConversationStore, Limits
from tests.inputs.untouched import refused

INVOICE = "invoice_" + "0" * 32


def nested(depth):
    value: object = 1
    for _ in range(depth):
        value = [value]
    return value


def cyclic():
    value: dict[str, object] = {}
    value["self"] = value
    return value


NOT_JSON = [
    ({"k": {1, 2}}, "{field}.k"),
    ({"k": b"bytes"}, "{field}.k"),
    ({"k": math.nan}, "{field}.k"),
    ({"k": math.inf}, "{field}.k"),
    ({"k": 2**63}, "{field}.k"),
    ({"k": -(2**63) - 1}, "{field}.k"),
    ({"k": 1j}, "{field}.k"),
    ({"k": object()}, "{field}.k"),
    ({"k": [1, {"deep": ()}, {"deep": {3}}]}, "{field}.k[2].deep"),
    ({5: "x"}, "{field}"),
    ({None: "x"}, "{field}"),
    ({b"k": "x"}, "{field}"),
    ({"k": {5: "x"}}, "{field}.k"),
    ({"k": "\ud800"}, "{field}.k"),
    ({"\udfff": "x"}, "a key of {field}"),
    ({"two words": {1}}, "{field}.…"),
    ([], "{field}"),
    ("text", "{field}"),
    (5, "{field}"),
    (b"", "{field}"),
    ([("k", "v")], "{field}"),
]


def taking_objects(store, thread, question, run):
    """Every argument that takes a JSON object."""
    steps = store.runs.steps
    say = {"role": "user", "content": "x"}
    return [
        ("metadata", lambda v: store.threads.create(metadata=v)),
        ("metadata", lambda v: store.threads.update(thread.id, metadata=v)),
        ("metadata", lambda v: store.threads.list(metadata=v)),
        ("metadata", lambda v: store.messages.create(thread.id, metadata=v, **say)),
        (
            "metadata",
            lambda v: store.messages.edit(thread.id, question.id, content="x", metadata=v),
        ),
        ("metadata", lambda v: store.messages.update(thread.id, question.id, metadata=v)),
        ("metadata", lambda v: store.runs.create(thread.id, metadata=v)),
        ("settings", lambda v: store.runs.create(thread.id, settings=v)),
        ("tools[0]", lambda v: store.runs.create(thread.id, tools=[v])),
        ("metadata", lambda v: store.runs.update(thread.id, run.id, metadata=v)),
        ("details", lambda v: steps.start(thread.id, run.id, details=v)),
        ("metadata", lambda v: store.assistants.create(metadata=v)),
        ("settings", lambda v: store.assistants.create(settings=v)),
        ("tools[0]", lambda v: store.assistants.create(tools=[v])),
        ("usage", lambda v: store.runs.complete(thread.id, run.id, usage=v)),
    ]


def test_what_is_not_json_is_refused_by_its_path_wherever_objects_are_taken(
    store, thread, question
):
    run = store.runs.create(thread.id)
    for field, call in taking_objects(store, thread, question, run):
        for value, where in NOT_JSON:
            with refused(store, where.replace("{field}", field)):
                call(value)


@pytest.mark.parametrize("value", [nested(33), cyclic()])
def test_too_deep_and_cyclic_values_are_refused(store, thread, value):
    for call in (
        lambda: store.threads.create(metadata={"k": value}),
        lambda: store.messages.create(
            thread.id, role="user", content=[{"type": "data", "data": value}]
        ),
        lambda: store.events.append(
            INVOICE, [{"type": "Sent", "data": {"k": value}}], expected_version="any"
        ),
    ):
        with pytest.raises(ValueError, match="nested too deeply"):
            call()


def test_values_up_to_the_allowed_depth_come_back_as_they_were(store):
    metadata = {"k": nested(31)}
    assert store.threads.get(store.threads.create(metadata=metadata).id).metadata == metadata


def test_the_extremes_of_json_come_back_as_they_were(store):
    metadata = {
        "": "",
        "least": -(2**63),
        "most": 2**63 - 1,
        "float": 1e308,
        "tiny": 5e-324,
        "true": True,
        "null": None,
        "list": [[], {}, "𝄞\0\u202e"],
    }
    assert store.threads.get(store.threads.create(metadata=metadata).id).metadata == metadata


class Colour(enum.StrEnum):
    RED = "red"


class Number(enum.IntEnum):
    ONE = 1


class Name(str):
    __slots__ = ()


def test_look_alikes_of_json_are_kept_as_the_plain_values_they_are(store):
    given = MappingProxyType(
        {
            Name("tuple"): (1, 2),
            "mapping": MappingProxyType({"a": Name("b")}),
            "enum": Colour.RED,
            "number": Number.ONE,
        }
    )
    thread = store.threads.create(metadata=given)
    assert store.threads.get(thread.id).metadata == {
        "tuple": [1, 2],
        "mapping": {"a": "b"},
        "enum": "red",
        "number": 1,
    }


def test_huge_metadata_is_refused_with_both_sizes(store):
    with refused(store, "metadata", "Keep large data elsewhere"):
        store.threads.create(metadata={"k": "x" * 65_536})
    store.threads.create(metadata={"k": "x" * 65_000})


def test_huge_data_of_an_event_of_ones_own_is_refused():
    with ConversationStore.open("sqlite://", limits=Limits(content_bytes_max=1_000)) as store:
        for name in ("data", "content"):
            event = {"type": "Sent", name: {"k": "x" * 1_000}}
            with refused(store, f"events[0].{name}"):
                store.tenant("new").events.append(INVOICE, [event], expected_version="any")


@pytest.mark.parametrize(
    "usage",
    [
        *({"input_tokens": "x"}, {"input_tokens": 1.5}, {"total_tokens": None}),
        *({"input_tokens": 2**63}, {"total_tokens": 10**12 + 1}, {"output_tokens": -1}),
    ],
)
def test_tokens_are_counted_in_integers(store, thread, usage):
    run = store.runs.create(thread.id)
    store.runs.start(thread.id, run.id)
    with pytest.raises(ValueError, match="usage"):
        store.runs.complete(thread.id, run.id, usage=usage)
    assert store.runs.get(thread.id, run.id).status == "in_progress"


@pytest.mark.parametrize(
    ("event", "field"),
    [
        ({}, "events[0].type"),
        ({"type": ""}, "events[0].type"),
        ({"type": "x" * 129}, "events[0].type"),
        ({"type": 5}, "events[0].type"),
        ({"type": "\ud800"}, "events[0].type"),
        ({"type": "Sent", "data": []}, "events[0].data"),
        ({"type": "Sent", "data": {"k": {1}}}, "events[0].data.k"),
        ({"type": "Sent", "content": {"k": {1}}}, "events[0].content.k"),
        ({"type": "Sent", "metadata": {"actor": "x"}}, "events[0].metadata"),
        ({"type": "Sent", "colour": "red"}, "events[0]"),
        (5, "events[0]"),
        ("Sent", "events[0]"),
    ],
)
def test_an_event_of_ones_own_is_refused_by_its_place(store, event, field):
    with refused(store, field):
        store.events.append(INVOICE, [event], expected_version="any")


@pytest.mark.parametrize("events", [[], (), None, 5, "Sent", b"", {"type": "Sent"}, {1}])
def test_events_are_a_list_with_something_in_it(store, events):
    with refused(store, "events"):
        store.events.append(INVOICE, events, expected_version="any")
