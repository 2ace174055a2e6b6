"""Whatever is handed in, what comes out is an error of ours, and nothing is written.

Every public method of the store gets junk for every argument: first one argument at a time, the
others being fine, so that each is looked at alone; then, by Hypothesis, several at once. Allowed
are errors of this library, and a plain TypeError where Python itself counts and names arguments.
"""

import inspect
import math
import threading
from contextlib import suppress
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from eventstore import ConversationStore, ConversationStoreError, TextPart
from eventstore.api.open_options import OpenOptions
from eventstore.audit.signing import new_private_key
from tests.guards.public_surface import face_methods
from tests.inputs.untouched import counted

HEX = "0123456789abcdef" * 2
JUNK = [
    None,
    True,
    0,
    -1,
    2**63,
    2**70,
    math.nan,
    1.5,
    "",
    "word",
    "\ud800",
    "a\0b",
    "x" * 300_000,
    b"bytes",
    bytearray(b"x"),
    memoryview(b"x"),
    [],
    [None],
    [[]],
    {},
    {"k": "v"},
    {5: 5},
    {"\ud800": 1},
    {1, 2},
    (),
    range(3),
    object(),
    int,
    len,
    TextPart,
    TextPart.model_construct(text=5),
    iter([1]),
    datetime(2026, 1, 1),  # noqa: DTZ001
    datetime.max.replace(tzinfo=UTC),
    Ellipsis,
]
IDS = [f"{prefix}_{HEX}" for prefix in ("thread", "msg", "run", "step", "asst", "invoice")]
WRITES = ("expected_head", "expected_version", "idempotency_key", "actor", "reason", "subject")

STEPS = [f"runs.steps.{name}" for name in ("start", "complete", "fail", "list")]
NOT_FOR_USERS = ("open", "close", "perform", "scope.")
THEIR_CODE = ("projections.read", "projections.query", "projections.register")
"""What they are given is run: a function, SQL, a projection."""
WHOLE = ("tenants.erase", "tenants.purge")
"""The name of the default tenant is no text, and there would be nothing left for other tests."""
FOR_EVER = ("events.subscribe", "projections.run")
"""They go on until they are stopped, so they are stopped before they begin."""
METHODS = [
    name
    for name in face_methods("ConversationStore")
    if not name.startswith((*NOT_FOR_USERS, *THEIR_CODE, *WHOLE))
]
METHODS += STEPS


@pytest.fixture(scope="module")
def store():
    with ConversationStore.open("sqlite://") as opened:
        thread = opened.threads.create(thread_id=f"thread_{HEX}")
        opened.messages.create(thread.id, role="user", content="x", message_id=f"msg_{HEX}")
        opened.assistants.create(assistant_id=f"asst_{HEX}")
        opened.runs.create(thread.id, run_id=f"run_{HEX}")
        opened.runs.start(thread.id, f"run_{HEX}")
        opened.runs.steps.start(thread.id, f"run_{HEX}", step_id=f"step_{HEX}")
        yield opened


RUNS: tuple[list[str], ...] = ([], ["stop"])
"""What ``projections.catch_up`` and ``run`` take by name; their options are no writes'."""
STOPPED = threading.Event()
STOPPED.set()

FINE = {
    "thread_id": f"thread_{HEX}",
    "message_id": f"msg_{HEX}",
    "run_id": f"run_{HEX}",
    "step_id": f"step_{HEX}",
    "assistant_id": f"asst_{HEX}",
    "stream_id": f"invoice_{HEX}",
    "a": f"msg_{HEX}",
    "b": f"msg_{HEX}",
    "branch": f"msg_{HEX}",
    "role": "user",
    "content": "x",
    "label": "x",
    "messages": [{"role": "user", "content": "x"}],
    "outputs": [{"call_id": "c", "output": 1}],
    "events": [{"type": "Sent"}],
    "expected_version": "any",
    "from_version": 1,
    "name": "acme",
    "call_id": "c",
    "fence": 2,
    "text": "x",
    "offset": 0,
    "first": 0,
    "private_key": new_private_key(),
    "older_than": timedelta(days=30_000),
}


def arguments_of(method):
    """The names of a method's arguments, options of writes included, and the required ones."""
    found = inspect.signature(method).parameters.values()
    names = [
        p.name
        for p in found
        if p.kind not in {p.VAR_KEYWORD, p.VAR_POSITIONAL} and p.name != "self"
    ]
    if any(p.kind is p.VAR_KEYWORD for p in found):
        options = () if names in RUNS else (*WRITES, "connection")
        names += [name for name in options if name not in names]
    needed = [p.name for p in found if p.default is p.empty and p.name in FINE]
    return names, needed


def method_of(store, name):
    for step in name.split("."):
        store = getattr(store, step)
    return store


LAST: dict[ConversationStore, dict[str, int]] = {}
"""By store: the rows of its tables as last counted, if nothing can have been written since."""


def tried(store, name, arguments):
    """Call a method to the end; hold that an error wrote nothing."""
    before = LAST.pop(store, None) or counted(store)
    try:
        if name == "projections.run":
            arguments = {**arguments, "stop": arguments.get("stop") or STOPPED}
        if name == "runs.wait" and arguments.get("timeout_seconds") is None:
            arguments = {**arguments, "timeout_seconds": 0}  # nobody ends the run
        made = method_of(store, name)(**arguments)
        if name in FOR_EVER:
            if made is not None:
                made.close()
        elif inspect.isgenerator(made):
            list(made)
        if name == "threads.batch":
            made.__enter__()
    except ConversationStoreError:
        LAST[store] = counted(store)
        return LAST[store] == before
    return True


@pytest.mark.parametrize("name", METHODS)
def test_junk_for_one_argument_is_refused_in_our_words(store, name):
    names, needed = arguments_of(method_of(store, name))
    for argument in names:
        for junk in [*JUNK, *IDS]:
            arguments = {one: FINE[one] for one in needed} | {argument: junk}
            assert tried(store, name, arguments), f"{name} wrote and failed: {argument}={junk!r}"


WORDS = ["type", "text", "id", "call_id", "role", "content", "output"]
values = st.one_of(
    st.sampled_from([*JUNK, *IDS]),
    st.text(max_size=20),
    st.integers(),
    st.floats(),
    st.binary(max_size=20),
    st.dictionaries(st.text(max_size=5) | st.integers(), st.text() | st.none(), max_size=3),
    st.lists(
        st.dictionaries(st.sampled_from(WORDS), st.text(max_size=8) | st.integers()), max_size=3
    ),
)


@settings(max_examples=300, deadline=None)
@given(st.data())
def test_junk_for_several_arguments_is_refused_in_our_words(store, data):
    name = data.draw(st.sampled_from(METHODS))
    names, needed = arguments_of(method_of(store, name))
    arguments = {one: FINE[one] for one in needed}
    if names:
        arguments |= data.draw(st.dictionaries(st.sampled_from(names), values, max_size=4))
    assert tried(store, name, arguments)


@settings(max_examples=100, deadline=None)
@given(st.dictionaries(st.sampled_from(sorted(OpenOptions.__annotations__)), values, max_size=3))
def test_junk_for_open_is_refused_in_our_words(options):
    if isinstance(options.get("connect_args"), dict):
        del options["connect_args"]  # the driver's own affair
    with suppress(ConversationStoreError):
        ConversationStore.open("sqlite://", **options).close()


@settings(max_examples=100, deadline=None)
@given(values)
def test_junk_for_a_url_is_refused_in_our_words(target):
    with pytest.raises(ConversationStoreError):
        ConversationStore.open(target).close()
