"""The terminal chat in ``examples/``, run as a program that reads what is typed."""

import subprocess
import sys

from tests.guards.source import PROJECT

EXAMPLE = PROJECT / "examples" / "terminal_chat.py"


def typed(folder, *lines):
    done = subprocess.run(
        [sys.executable, str(EXAMPLE)],
        input="".join(f"{line}\n" for line in lines),
        cwd=folder,
        env={"PYTHONIOENCODING": "utf-8"},
        check=False,
        capture_output=True,
        encoding="utf-8",
    )
    assert done.stderr == ""
    assert done.returncode == 0
    return [shown.splitlines() for shown in done.stdout.split("> ")]


def test_a_conversation_with_branches_and_its_return(tmp_path):
    shown = typed(
        tmp_path,
        *("Hello", "/again", "/edit 1 Good morning", "/tree", "/left 1", "/left 2", "/left 2"),
    )
    assert shown[1] == [
        "  1 user: Hello",
        "  2 assistant: Answer 1 to your question 1: you said “Hello”.",
    ]
    assert shown[2][1] == ("  2 assistant (2 of 2): Answer 2 to your question 1: you said “Hello”.")
    assert shown[3] == [
        "  1 user (2 of 2): Good morning",
        "  2 assistant: Answer 1 to your question 1: you said “Good morning”.",
    ]
    assert [line[0] for line in shown[4]] == [" ", " ", " ", "*", "*"]
    assert shown[5][0] == "  1 user (1 of 2): Hello"
    assert shown[6][1].startswith("  2 assistant (1 of 2): Answer 1")
    assert shown[7] == ["That did not work: message 2 has no alternative there"]

    again = typed(tmp_path)  # another process finds the conversation as it was left
    assert again[0][-2:] == shown[6]


def test_what_cannot_be_done_is_a_sentence(tmp_path):
    shown = typed(
        tmp_path, "/again", "/edit", "/left 7", "", "/unknown", "/new", "/quit", "ignored"
    )
    assert shown[1] == ["That did not work: there is no answer yet"]
    assert shown[2][0].startswith("That did not work: write the number of a message")
    assert shown[3] == ["That did not work: there is no message 7"]
    assert shown[4] == shown[5] == shown[0]
    assert len(shown) == 8
