"""Finds the steps of runs that saw some of many messages: each recorded a digest of their words."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Mapping, Sequence

from eventstore.conversation import events as e
from eventstore.conversation.view import ThreadView
from eventstore.core.events import Trace

__all__ = ["steps_that_saw"]


def steps_that_saw(
    view: ThreadView, traces: Sequence[Trace], since: Mapping[bytes, int]
) -> tuple[frozenset[int], frozenset[bytes]]:
    """Return the versions at which steps began that saw one of the messages, and their runs.

    ``since`` says of each message from which version on it has words that go.
    """
    steps = [one for one in traces if one.type == "RunStepStarted"]
    if not steps or not since:
        return frozenset(), frozenset()
    places = _places(view, since)
    saw = [one for one in steps if _saw_any(one, places, since)]
    return frozenset(one.version for one in saw), frozenset(one.data.run_id for one in saw)


_Places = dict[tuple[int, int], list[tuple[int, bytes]]]
"""Depths and messages, in order, by hop and segment."""


def _places(view: ThreadView, messages: Iterable[bytes]) -> _Places:
    places: _Places = {}
    for key in messages:
        row = view.message(key)
        if row is not None and row.place is not None:
            hop, segment, depth = row.place
            places.setdefault((hop, segment), []).append((depth, key))
    for found in places.values():
        found.sort()
    return places


def _saw_any(trace: Trace, places: _Places, since: Mapping[bytes, int]) -> bool:
    step: e.RunStepStarted = trace.data
    without = frozenset((*step.left_out, *step.erased))
    for hop, segment, start, end in step.ranges:
        found = places.get((hop, segment), [])
        first, last = bisect_left(found, (start, b"")), bisect_right(found, (end + 1, b""))
        if any(key not in without and since[key] < trace.version for _, key in found[first:last]):
            return True
    return False
