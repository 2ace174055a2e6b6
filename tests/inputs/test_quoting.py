"""What an error shows of a value that is no id or keyword."""

import pytest

from eventstore import InvalidInput
from eventstore.core.quoting import named, quoted
from tests.inputs.test_ids import taking_ids

HEX = "0123456789abcdef" * 2


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (f"msg_{HEX}", f"'msg_{HEX}'"),
        (f"invoice_{HEX}", f"'invoice_{HEX}'"),
        ("call_9", "'call_9'"),
        ("toolu_01A09q90qw90lq917835lq9", "'toolu_01A09q90qw90lq917835lq9'"),
        ("call_me maybe", "a text of 13 characters that begins with 'call_'"),
        (f"msg_{HEX[1:]}", "a text of 35 characters that begins with 'msg_'"),
        (f"msg_{HEX.upper()}", "a text of 36 characters that begins with 'msg_'"),
        (f"msg_{HEX}\n", "a text of 37 characters that begins with 'msg_'"),
        (HEX, "a text of 32 characters"),
        ("hunter2", "a text of 7 characters"),
        ("y", "a text of 1 character"),
        ("", "a text of 0 characters"),
        (17, "17"),
        (10**30, "an integer of many digits"),
        (None, "None"),
        (True, "True"),
        (b"hunter2", "a value of type bytes"),
        (["hunter2"], "a value of type list"),
    ],
)
def test_what_is_shown(value, shown):
    assert quoted(value) == shown


def test_a_name_is_shown_unless_it_is_words():
    assert named("toolu_01A09q90qw") == "'toolu_01A09q90qw'"
    assert named("my heart is broken") == "a text of 18 characters"


def test_a_word_where_an_id_belongs_is_not_repeated(store):
    for field, _, call in taking_ids(store):
        for word in ("Cancer.", "hunter2", "thread_hunter2"):
            with pytest.raises(InvalidInput) as caught:
                call(word)
            assert word.removeprefix("thread_") not in str(caught.value), field
