"""Trees of the Open Assistant project: what is read from a line, and what is refused."""

import copy
import json
import re
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from eventstore import InvalidInput
from eventstore.core.json_values import Limits
from eventstore.importers.openassistant import read_trees

SAMPLE = Path(__file__).parents[1] / "data" / "openassistant_sample.jsonl"
SECRET = "what nobody else may read"


def sample():
    return list(read_trees(SAMPLE.read_bytes().splitlines()))


def by_external_id(tree):
    return {message["external_id"]: message for message in tree.messages}


def test_each_line_that_is_not_blank_is_a_tree():
    assert [(tree.line, len(tree.messages)) for tree in sample()] == [(1, 4), (3, 1)]


def test_text_and_bytes_and_a_byte_order_mark_are_read_alike():
    text = SAMPLE.read_text(encoding="utf-8")
    assert list(read_trees(text.splitlines())) == sample()
    assert list(read_trees(text.encode("utf-8-sig").splitlines())) == sample()


def test_parents_come_before_children_and_siblings_in_the_order_of_the_file():
    first = sample()[0]
    assert [message["external_id"] for message in first.messages] == ["p1", "a1", "a2", "p2"]
    found = by_external_id(first)
    assert found["p1"]["parent_id"] is None
    assert found["a1"]["parent_id"] == found["a2"]["parent_id"] == found["p1"]["message_id"]
    assert found["p2"]["parent_id"] == found["a2"]["message_id"]


def test_a_prompter_is_a_user():
    assert [message["role"] for message in sample()[0].messages] == [
        *("user", "assistant", "assistant", "user")
    ]


def test_the_best_ranked_path_becomes_the_active_one():
    selected = [m["external_id"] for m in sample()[0].messages if m["select"]]
    assert selected == ["p1", "a2", "p2"]


def test_what_has_no_place_of_its_own_is_kept_as_metadata():
    first, second = sample()
    assert by_external_id(first)["a2"]["metadata"] == {
        "lang": "de",
        "rank": 0,
        "review_count": 2,
        "emojis": {"+1": 2},
    }
    assert second.metadata == {
        "source": "openassistant",
        "message_tree_id": "tree-2",
        "tree_state": "growing",
    }


def test_the_time_of_writing_is_kept_with_its_zone():
    found = by_external_id(sample()[0])
    assert found["p1"]["original_created_at"] == datetime(2023, 2, 5, 14, 23, 50, 123456, UTC)
    assert found["a1"]["original_created_at"] == datetime(2023, 2, 5, 14, tzinfo=UTC)
    assert found["a2"]["original_created_at"] is None


def test_ids_and_keys_depend_on_the_file_alone_and_differ_between_trees():
    assert sample() == sample()
    first, second = sample()
    assert first.messages[0]["external_id"] == second.messages[0]["external_id"]
    assert first.messages[0]["message_id"] != second.messages[0]["message_id"]
    assert len({first.idempotency_key, first.messages_key, second.idempotency_key}) == 3


def test_a_conversation_of_many_turns_is_read_whole():
    tree = deep(150)
    assert len(next(read_trees([json.dumps(tree)])).messages) == 150


def test_one_nested_deeper_than_json_can_be_read_is_refused():
    line = '{"a":' * 100_000
    assert refused(line) == ("line 1", "is nested too deeply")


def deep(turns):
    message: Any = None
    for number in range(turns, 0, -1):
        role = "prompter" if number % 2 else "assistant"
        replies = [] if message is None else [message]
        message = {"message_id": f"m{number}", "role": role, "text": "x", "replies": replies}
    return {"message_tree_id": "deep", "prompt": message}


# -- refusals --------------------------------------------------------------------------------------


GOOD: dict[str, Any] = {
    "message_tree_id": "t",
    "prompt": {
        "message_id": "p",
        "text": SECRET,
        "role": "prompter",
        "replies": [{"message_id": "a", "parent_id": "p", "text": SECRET, "role": "assistant"}],
    },
}


def refused(line, limits=None):
    with pytest.raises(InvalidInput) as caught:
        list(read_trees([line], limits))
    assert SECRET not in str(caught.value)
    return caught.value.field, caught.value.problem


GONE = object()
MALFORMED = {
    "a tree without id": ("message_tree_id", GONE),
    "a tree id that is a number": ("message_tree_id", 7),
    "a tree id too long": ("message_tree_id", "x" * 300),
    "NUL in a tree's id": ("message_tree_id", "\0"),
    "a tree without prompt": ("prompt", GONE),
    "a prompt that is a list": ("prompt", [SECRET]),
    "metadata that is not JSON": ("x", float("nan")),
    "a prompt with a parent": ("prompt.parent_id", "q"),
    "a time without zone": ("prompt.created_date", "2023-02-05T14:23:50"),
    "a message without id": ("prompt.replies[0].message_id", GONE),
    "NUL in a message's id": ("prompt.replies[0].message_id", "\0"),
    "an id twice": ("prompt.replies[0].message_id", "p"),
    "another parent": ("prompt.replies[0].parent_id", "q"),
    "a message without text": ("prompt.replies[0].text", GONE),
    "an empty text": ("prompt.replies[0].text", ""),
    "a text that is a list": ("prompt.replies[0].text", [SECRET]),
    "half a character": ("prompt.replies[0].text", "\ud800"),
    "an unknown role": ("prompt.replies[0].role", SECRET),
    "replies that are text": ("prompt.replies[0].replies", "x"),
    "replies that are an empty object": ("prompt.replies[0].replies", {}),
    "a reply that is text": ("prompt.replies[0]", SECRET),
    "a time that is none": ("prompt.replies[0].created_date", "then"),
    "a time before the first year": ("prompt.created_date", "0001-01-01T00:00:00+14:00"),
    "a rank out of range": ("prompt.replies[0].rank", 2**70),
}


def broken(field, value):
    """A line that is good but for one field."""
    tree: Any = copy.deepcopy(GOOD)
    *steps, last = [int(n) if n.isdecimal() else n for n in re.findall(r"\w+", field)]
    place = tree
    for step in steps:
        place = place[step]
    if value is GONE:
        del place[last]
    else:
        place[last] = value
    return json.dumps(tree)


@pytest.mark.parametrize(("field", "value"), MALFORMED.values(), ids=MALFORMED)
def test_a_malformed_line_is_named_with_its_field(field, value):
    assert refused(broken(field, value))[0] == f"line 1, {field}"


@pytest.mark.parametrize("line", ["{", f'"{SECRET}', f"[{SECRET}]", b"\xff\xfe\x00", "[]", "7"])
def test_a_line_that_is_no_json_object_is_named(line):
    assert refused(line)[0] == "line 1"


def test_what_the_store_would_not_bear_is_refused_here():
    line = json.dumps(GOOD)
    assert refused(line, Limits(content_bytes_max=20))[0] == "line 1, prompt"
    assert refused(line, Limits(metadata_bytes_max=20))[0] == "line 1"
    assert refused(line, Limits(batch_size_max=1))[0] == "line 1, prompt"


def test_lines_are_counted_from_the_beginning_of_the_file():
    lines = [json.dumps(GOOD), "", "{"]
    trees = read_trees(lines)
    assert next(trees).line == 1
    with pytest.raises(InvalidInput, match="line 3: is not JSON"):
        next(trees)
