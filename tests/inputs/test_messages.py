"""What a message may be, and what it may attach to."""

from datetime import UTC, datetime, timedelta, timezone, tzinfo

import pytest

from eventstore import (
    ConversationStore,
    Limits,
    MessageNotFound,
    Refused,
    TextPart,
    ThreadNotFound,
    ToolCallPart,
)
from tests.inputs.untouched import refused, untouched

UNKNOWN = "0" * 32
CALL = {"type": "tool_call", "id": "call_1", "name": "clock"}
RESULT = {"type": "tool_result", "call_id": "call_1", "output": "noon"}


@pytest.mark.parametrize("role", ["robot", "", "User", None, 5, b"user", ["user"], {"user"}])
def test_an_unknown_role_is_refused(store, thread, role):
    with refused(store, "role", "assistant, system, tool, user"):
        store.messages.create(thread.id, role=role, content="x")


@pytest.mark.parametrize(
    ("content", "field"),
    [
        ("", "content"),
        ([], "content"),
        ((), "content"),
        (None, "content"),
        (5, "content"),
        (b"bytes", "content"),
        ({"a", "set"}, "content"),
        ([None], "content[0]"),
        (["fine", 5], "content[1]"),
        ([{}], "content[0]"),
        ([{"type": "smell", "text": "x"}], "content[0]"),
        ([{"type": ["text"], "text": "x"}], "content[0]"),
        ([{"type": "text", "text": ""}], "content[0].text"),
        ([{"type": "text"}], "content[0].text"),
        ([{"type": "text", "text": 5}], "content[0].text"),
        ([{"type": "text", "text": "x", "colour": "red"}], "content[0]"),
        ([{"type": "text", 5: "x"}], "content[0]"),
        ([{"type": "image"}], "content[0]"),
        ([{"type": "image", "url": "u", "file_id": "f"}], "content[0]"),
        ([{"type": "data", "data": {1, 2}}], "content[0].data"),
        ([{"type": "data", "data": [1, object()]}], "content[0].data[1]"),
        (TextPart.model_construct(type="text", text=5), "content[0].text"),
    ],
)
def test_content_that_is_no_list_of_parts_is_refused_by_the_part(store, thread, content, field):
    with refused(store, field):
        store.messages.create(thread.id, role="user", content=content)


@pytest.mark.parametrize("call_id", ["", "x" * 256, "a\0b", "a\nb", "a\x1fb", 5, None])
def test_an_id_of_a_tool_call_is_short_text_without_control_characters(store, thread, call_id):
    with refused(store, "content[0].id"):
        store.messages.create(thread.id, role="assistant", content=[{**CALL, "id": call_id}])
    with refused(store, "content[0].call_id"):
        store.messages.create(thread.id, role="tool", content=[{**RESULT, "call_id": call_id}])


def test_nul_is_text_like_any_other(store):
    thread = store.threads.create(title="a\0b", metadata={"k\0": "v\0"})
    made = store.messages.create(
        thread.id, role="user", content="a\0b", name="n\0", metadata={"\0": "\0"}
    )
    read = store.messages.get(thread.id, made.id)
    assert read == made
    assert (read.text, read.name, read.metadata) == ("a\0b", "n\0", {"\0": "\0"})
    assert [one.id for one in store.threads.list(metadata={"k\0": "v\0"})] == [thread.id]


def test_what_is_looked_up_by_name_holds_no_nul(store, thread):
    said = store.messages.create(thread.id, role="user", content="hi")
    with refused(store, "external_id", "names cannot hold it"):
        store.messages.create(thread.id, role="user", content="x", external_id="e\0")
    with refused(store, "idempotency_key", "names cannot hold it"):
        store.messages.create(thread.id, role="user", content="x", idempotency_key="k\0")
    with refused(store, "label", "names cannot hold it"):
        store.branches.label(thread.id, said.id, "l\0")
    with refused(store, "branch", "names cannot hold it"):
        store.messages.list(thread.id, branch="l\0")
    with refused(store, "tenant", "names cannot hold it"):
        store.tenant("t\0")


def test_a_thread_is_found_by_metadata_of_any_length(store):
    long = "k" * 5_000
    found = store.threads.create(metadata={long: "v" * 5_000, "other": 1})
    store.threads.create(metadata={long: "v" * 4_999, "k" * 4_999: "v" * 5_000})
    assert [one.id for one in store.threads.list(metadata={long: "v" * 5_000})] == [found.id]


def test_the_same_call_id_twice_in_a_message_is_refused(store, thread):
    with refused(store, "content"):
        store.messages.create(thread.id, role="assistant", content=[CALL, CALL])
    with refused(store, "content"):
        store.messages.create(thread.id, role="tool", content=[RESULT, RESULT])


def test_only_assistants_call_tools_and_only_tools_answer(store, thread):
    with refused(store, "content", "Only an assistant calls tools"):
        store.messages.create(thread.id, role="user", content=[CALL])
    with refused(store, "content", "role='tool'"):
        store.messages.create(thread.id, role="assistant", content=[RESULT])
    with refused(store, "content", "call_id"):
        store.messages.create(thread.id, role="tool", content="noon")


@pytest.mark.usefixtures("question")
def test_a_result_needs_its_call_and_there_is_only_one(store, thread):
    def answer():
        return store.messages.create(thread.id, role="tool", content=[RESULT])

    with untouched(store), pytest.raises(Refused) as never_made:
        answer()
    store.messages.create(thread.id, role="assistant", content=[CALL])
    answer()
    with untouched(store), pytest.raises(Refused) as answered:
        answer()
    assert {never_made.value.reason, answered.value.reason} == {"call_not_open"}
    assert "parent_id=" in answered.value.remedy


@pytest.mark.parametrize("placed", [True, False], ids=["with parent_id", "at the head"])
@pytest.mark.parametrize(
    ("role", "content"),
    [("user", "x"), ("system", "x"), ("assistant", "x"), ("assistant", [CALL])],
)
def test_only_results_stand_under_an_open_call(store, thread, role, content, placed):
    call = store.messages.create(thread.id, role="assistant", content=["Wait.", CALL])
    where = {"parent_id": call.id} if placed else {}
    with untouched(store), pytest.raises(Refused) as caught:
        store.messages.create(thread.id, role=role, content=content, **where)
    assert caught.value.reason == "open_tool_calls"
    assert call.id in str(caught.value)
    assert "'call_1'" in str(caught.value)
    assert "role='tool'" in caught.value.remedy
    store.messages.create(thread.id, role="tool", content=[RESULT], **where)
    store.messages.create(thread.id, role=role, content=content)


@pytest.mark.usefixtures("question")
def test_a_parent_has_to_be_there(store, thread):
    with untouched(store), pytest.raises(MessageNotFound, match=thread.id):
        store.messages.create(thread.id, role="user", content="x", parent_id=f"msg_{UNKNOWN}")


def test_a_message_of_another_thread_is_not_there(store, question):
    other = store.threads.create()
    store.messages.create(other.id, role="user", content="x")
    named = [
        lambda: store.messages.create(other.id, role="user", content="x", parent_id=question.id),
        lambda: store.messages.edit(other.id, question.id, content="x"),
        lambda: store.messages.regenerate(other.id, question.id, content="x"),
        lambda: store.messages.amend(other.id, question.id, content="x"),
        lambda: store.messages.update(other.id, question.id, name="x"),
        lambda: store.messages.remove(other.id, question.id),
        lambda: store.messages.restore(other.id, question.id),
        lambda: store.messages.get(other.id, question.id),
        lambda: store.messages.revisions(other.id, question.id),
        lambda: store.messages.list(other.id, branch=question.id),
        lambda: store.messages.list(other.id, until=question.id),
        lambda: store.messages.list(other.id, after=question.id),
        lambda: store.messages.list(other.id, before=question.id),
        lambda: store.branches.select(other.id, question.id),
        lambda: store.branches.label(other.id, question.id, "x"),
        lambda: store.branches.siblings(other.id, question.id),
        lambda: store.branches.diff(other.id, question.id, question.id),
        lambda: store.threads.fork(other.id, at_message=question.id),
        lambda: store.runs.create(other.id, regenerates=question.id),
    ]
    for call in named:
        with untouched(store), pytest.raises(MessageNotFound) as caught:
            call()
        assert str(caught.value) == (
            f"no message '{question.id}' in {other.id}. Check the id and the tenant."
        )


def test_a_thread_of_another_tenant_is_as_unknown_as_one_that_never_was(store, thread, question):
    stranger = store.tenant("stranger")
    never = f"thread_{UNKNOWN}"

    def tell(thread_id, call):
        with untouched(store), pytest.raises(ThreadNotFound) as caught:
            call(thread_id)
        return str(caught.value).replace(thread_id, "<id>")

    for call in [
        stranger.threads.get,
        lambda id_: stranger.threads.get(id_, include_deleted=True),
        lambda id_: stranger.threads.update(id_, title="mine"),
        stranger.threads.fork,
        stranger.threads.delete,
        stranger.threads.restore,
        lambda id_: stranger.messages.create(id_, role="user", content="x"),
        lambda id_: stranger.messages.get(id_, question.id),
        stranger.messages.list,
        lambda id_: stranger.messages.list(id_, at_version=1),
        lambda id_: stranger.messages.edit(id_, question.id, content="x"),
        stranger.branches.tree,
        stranger.runs.create,
        stranger.runs.list,
        stranger.replay.state,
        lambda id_: list(stranger.replay.steps(id_)),
    ]:
        assert tell(thread.id, call) == tell(never, call)


@pytest.mark.parametrize("select", [None, 0, 1, "yes", b""])
def test_select_is_true_or_false_and_nothing_like_it(store, thread, question, select):
    with refused(store, "select", "True or False"):
        store.messages.create(thread.id, role="user", content="x", select=select)
    with refused(store, "select", "True or False"):
        store.messages.edit(thread.id, question.id, content="x", select=select)


class Nowhere(tzinfo):
    """A time zone that does not know its offset: a datetime in it is as naive as one without."""

    def utcoffset(self, _, /):
        return None

    dst = tzname = utcoffset


@pytest.mark.parametrize(
    "moment",
    [datetime(2026, 1, 1), datetime(2026, 1, 1, tzinfo=Nowhere()), "2026-01-01", 5, b""],  # noqa: DTZ001
)
def test_a_moment_is_a_datetime_with_a_time_zone(store, thread, moment):
    with refused(store, "original_created_at"):
        store.messages.create(thread.id, role="user", content="x", original_created_at=moment)
    with refused(store, "at_time"):
        store.messages.list(thread.id, at_time=moment)
    with refused(store, "at_time"):
        store.replay.state(thread.id, at_time=moment)


EARLY = datetime.min.replace(tzinfo=timezone(timedelta(hours=14)))
LATE = datetime.max.replace(tzinfo=timezone(timedelta(hours=-14)))


@pytest.mark.parametrize("moment", [EARLY, LATE])
def test_a_moment_lies_in_a_year_that_can_be_shown(store, thread, moment):
    with refused(store, "original_created_at", "converted to UTC"):
        store.messages.create(thread.id, role="user", content="x", original_created_at=moment)
    with refused(store, "at_time", "converted to UTC"):
        store.messages.list(thread.id, at_time=moment)


@pytest.mark.parametrize("moment", [datetime.min.replace(tzinfo=UTC), LATE.replace(tzinfo=UTC)])
def test_the_first_and_the_last_moment_come_back_as_they_were(store, thread, moment):
    said = store.messages.create(thread.id, role="user", content="x", original_created_at=moment)
    assert store.messages.get(thread.id, said.id).original_created_at == moment


def test_version_and_time_are_not_given_together(store, thread):
    with refused(store, "at_time", "Give one of them"):
        store.replay.state(thread.id, at_version=1, at_time=datetime.now(UTC))


@pytest.mark.parametrize(
    ("given", "field"),
    [
        ([5], "messages[0]"),
        (["text"], "messages[0]"),
        ([{"role": "user"}], "messages[0]"),
        ([{"content": "x"}], "messages[0]"),
        ([{"role": "user", "content": "x", "colour": "red"}], "messages[0]"),
        ([{"role": "user", "content": "x", "scope": None}], "messages[0]"),
        ([{"role": "user", "content": "x"}, {"role": "no", "content": "x"}], "messages[1].role"),
        (
            [{"role": "user", "content": "x"}, {"role": "user", "content": ""}],
            "messages[1].content",
        ),
        ([], "messages"),
        ("text", "messages"),
        ({"role": "user"}, "messages"),
        (5, "messages"),
        (None, "messages"),
    ],
)
def test_create_many_names_the_message_by_its_index(store, thread, given, field):
    with refused(store, field):
        store.messages.create_many(thread.id, given)


def test_a_message_without_a_parent_follows_the_one_before_it_if_that_was_selected(store, thread):
    drafts = [{"role": "user", "content": text} for text in "abc"]
    beside = {"role": "user", "content": "beside", "select": False}
    a, b, other, c = store.messages.create_many(thread.id, [*drafts[:2], beside, drafts[2]])
    assert [one.parent_id for one in (a, b, other, c)] == [None, a.id, b.id, b.id]


def test_create_many_keeps_none_if_the_last_has_no_parent(store, thread):
    fine = {"role": "user", "content": "x", "external_id": "e", "metadata": {"k": "v"}}
    orphan = {**fine, "parent_id": f"msg_{UNKNOWN}"}
    with untouched(store), pytest.raises(MessageNotFound):
        store.messages.create_many(thread.id, [fine, fine, orphan])


def test_content_beyond_the_limit_is_refused_and_leaves_no_tenant_behind():
    limits = Limits(content_bytes_max=1_000)
    with ConversationStore.open("sqlite://", limits=limits) as store:
        thread = store.threads.create()
        with refused(store, "content", "refer to it"):
            store.messages.create(thread.id, role="user", content="x" * 1_000)
        with refused(store, "content", "refer to it"):
            store.tenant("new").assistants.create(instructions="x" * 1_000)


def test_what_the_caller_changes_after_the_call_is_not_what_is_kept(store, thread):
    arguments = {"places": ["Oslo"]}
    part = ToolCallPart(id="call_1", name="weather", arguments=arguments)
    metadata = {"tags": ["a"]}
    with store.threads.batch(thread.id) as batch:
        batch.messages.create(role="assistant", content=[part], metadata=metadata)
        arguments["places"].append("Rome")
        metadata["tags"].append("b")
    (kept,) = store.messages.list(thread.id)
    assert kept.metadata == {"tags": ["a"]}
    assert kept.content[0].arguments == {"places": ["Oslo"]}
