"""Tokens become few pieces: nothing is lost, the first comes at once, and commits are rare."""

from hypothesis import given, settings
from hypothesis import strategies as st

from eventstore import TextBuffer
from tests.conftest import LONG

TOKENS = st.lists(st.tuples(st.text(max_size=5), st.floats(0, 0.5)), max_size=60)


@settings(max_examples=100 if LONG else 20)
@given(TOKENS, st.integers(1, 40), st.lists(st.booleans(), min_size=60, max_size=60))
def test_the_pieces_are_the_text_though_some_commits_fail(tokens, bytes_max, fails):
    buffer, now, written = TextBuffer(bytes_max=bytes_max), 0.0, ""
    for (token, pause), fail in zip(tokens, fails, strict=False):
        now += pause
        piece = buffer.add(token, now)
        assert buffer.offset == len(written)
        if piece and not fail:
            written += piece
            buffer.written(piece)
    rest = buffer.rest(now)
    assert written + rest == "".join(token for token, _ in tokens)


def test_fifty_tokens_a_second_are_at_most_five_commits():
    buffer, commits = TextBuffer(), []
    for number in range(500):
        now = number / 50
        if piece := buffer.add("token ", now):
            buffer.written(piece)
            commits.append(now)
    assert commits[0] == 0
    for begin in commits:
        assert sum(begin <= one < begin + 1 for one in commits) <= 5


def test_a_long_piece_does_not_wait():
    buffer = TextBuffer(bytes_max=10)
    buffer.written(buffer.add("a", 0.0))
    assert buffer.add("b" * 4, 0.01) == ""
    assert buffer.wait_seconds(0.05) == 0.2 - 0.05
    assert buffer.add("é" * 3, 0.02) == "bbbbééé"
    buffer.written("bbbbééé")
    assert (buffer.wait_seconds(0.05), buffer.offset) == (None, 8)
