"""Server-sent events are split as the openai SDK splits them, wherever the network cuts them."""

from hypothesis import given
from hypothesis import strategies as st
from openai._streaming import SSEDecoder

from eventstore.engine.models.server_sent import DataFrames

LINES = st.sampled_from(
    ["data: one", "data:two", "data:  three", "data", "data:", "event: e", ": a comment", "id: 7"]
)
ENDS = st.sampled_from(["\n", "\r\n", "\r"])


@given(
    events=st.lists(st.lists(LINES, min_size=1, max_size=3), max_size=5),
    end=ENDS,
    cuts=st.lists(st.integers(1, 9), min_size=1),
)
def test_events_are_those_of_the_sdk(events, end, cuts):
    text = "".join(end.join(lines) + end + end for lines in events).encode()
    pieces, at = [], 0
    for length in cuts * len(text):
        pieces.append(text[at : at + length])
        at += length
        if at >= len(text):
            break
    frames = DataFrames()
    found = [data.decode() for piece in pieces for data in frames.add(piece)]
    theirs = [event.data for event in SSEDecoder().iter_bytes(iter(pieces))]
    assert [data for data in found if data] == [data for data in theirs if data]
