"""A look that followers share, while loops of several threads look at the same moment."""

import asyncio
import sys
from concurrent.futures import ThreadPoolExecutor
from itertools import count
from math import inf

from eventstore.api.faces import shared_looks
from eventstore.api.faces.shared_looks import SharedLooks, Woken
from eventstore.api.operations.following import SharedLook
from tests.concurrency.schedules import SECONDS

PAGE: SharedLook[str] = SharedLook("page", lambda _, __: {}, of="run")


def look(looks, mark, finds):
    """Look in a loop of its own for what a signal woke a follower for."""

    async def read(_):
        return {"page": finds}

    return asyncio.run(looks.look_async(PAGE, Woken(told=True, mark=mark, at=inf), read))


def between(step, act):
    """Return a trace that calls something at a step of the looks' own code."""
    steps = count()

    def trace(frame, kind, _):
        if frame.f_code.co_filename != shared_looks.__file__:
            return None
        frame.f_trace_opcodes = True
        if kind == "opcode" and next(steps) == step:
            act()
        return trace

    return trace


def test_an_answer_is_never_half_of_one_and_half_of_another():
    with ThreadPoolExecutor(1) as other:
        for step in count():
            looks = SharedLooks()
            came: list[str] = []

            def comes(looks=looks, came=came):
                came.append(other.submit(look, looks, 2, "new").result(SECONDS))

            with looks.followed("run"):
                sys.settrace(between(step, comes))
                try:
                    assert look(looks, 1, "old") in {"old", "new"}
                finally:
                    sys.settrace(None)
                if not came:
                    break
                assert came == ["new"]
                assert look(looks, 2, "new") == "new"
    assert step > 20
