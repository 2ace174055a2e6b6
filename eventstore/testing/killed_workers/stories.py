"""The story of each run: what its assistant will do, and what its user does meanwhile.

The seed decides it. A story travels in the user's message as JSON, so that a model in any process
tells it from the request alone.
"""

from __future__ import annotations

import itertools
import json
import secrets
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from random import Random
from typing import Any, Final

from eventstore.testing.model_server import Reply, calls, refuses, says

__all__ = ["ASKING", "ELSEWHERE", "MODEL", "TOOLS", "Endpoint", "Story", "reply_to"]

MODEL: Final = "storyteller"
CAREFUL: Final = "careful"
AGAIN: Final = "again"
ASKING: Final = "asking"
ELSEWHERE: Final = "elsewhere"
"""Must happen once, may happen twice, happens if its user approves, and is a tool of nobody here:
its user hands outputs in."""


def _defined(name: str) -> dict[str, Any]:
    parameters = {"type": "object", "properties": {}}
    return {"type": "function", "function": {"name": name, "parameters": parameters}}


TOOLS: Final = tuple(map(_defined, (CAREFUL, AGAIN, ASKING, ELSEWHERE)))
"""Tools that the assistant of a story is offered."""

_ROUNDS: Final = (
    (),
    ((CAREFUL,),),
    ((AGAIN,),),
    ((ELSEWHERE,),),
    ((CAREFUL, AGAIN),),
    ((CAREFUL, CAREFUL, ELSEWHERE),),
    ((CAREFUL,), (AGAIN, ELSEWHERE)),
    ((AGAIN,), (CAREFUL,)),
    ((ASKING,),),
    ((ASKING, CAREFUL, ELSEWHERE), (ASKING,)),
)
_WORDS: Final = ((3, 0.0), (12, 0.0), (60, 0.0), (60, 0.008), (25, 0.02))
"""Number of words of an answer, and seconds between two of them."""
_WORD_BYTES: Final = 60
_CANCELLED_PERCENT: Final = 8
_BREAKS: Final = (*(None,) * 6, "refused", "overloaded", "before the first token", "later")
"""The trouble that the endpoint has with each answer at first; the last one it has for ever."""
LATER: Final = "later"


@dataclass(frozen=True, slots=True)
class Story:
    """The course of one run."""

    number: int
    rounds: tuple[tuple[str, ...], ...]
    """The tools that each answer but the last one calls."""
    words: int
    """Length of the last answer."""
    pause_seconds: float
    """Between two words."""
    queued: bool
    """It is for the workers of a queue; otherwise any engine of the application takes it."""
    parallel: bool
    """Calls of one answer are made side by side."""
    cancelled_after: int | None
    """The user cancels it after so many events."""
    breaks: str | None
    """The trouble of the endpoint."""

    @classmethod
    def drawn(cls, seed: int, number: int) -> Story:
        """Return the story of a run."""
        chance = Random(f"{seed}/story/{number}")  # noqa: S311 (a seed is the point)
        words, pause = chance.choice(_WORDS)
        cancelled = chance.random() * 100 < _CANCELLED_PERCENT
        return cls(
            number,
            chance.choice(_ROUNDS),
            words,
            pause,
            queued=chance.choice([True, True, True, False]),
            parallel=chance.choice([True, True, False]),
            cancelled_after=chance.randint(1, 14) if cancelled else None,
            breaks=chance.choice(_BREAKS),
        )

    @property
    def ends(self) -> frozenset[str]:
        """Statuses in which the run may end."""
        ends = {"failed" if self.breaks == LATER else "completed"}
        return frozenset(ends if self.cancelled_after is None else {*ends, "cancelled"})

    @property
    def question(self) -> str:
        """The user's message, which tells the model what to answer."""
        told = {"rounds": self.rounds, "words": self.words, "pause_seconds": self.pause_seconds}
        return json.dumps({**told, "breaks": self.breaks, "number": self.number})


_asked = itertools.count(1)


class Endpoint:
    """The answers of a model whose endpoint has trouble now and then."""

    def __init__(self) -> None:
        self._troubled: set[tuple[int, int]] = set()
        """Stories, and answers of them, with which it had trouble."""

    def reply_to(self, request: Mapping[str, Any]) -> Reply:
        """Return the next answer of a story, or the trouble with it."""
        told, done = _story(request["messages"])
        answer, breaks, at = reply_to(request), told["breaks"], (told["number"], done)
        if breaks == LATER and done == len(told["rounds"]):
            return answer.ending("cut", after=1 + max(1, told["words"] // 2))
        if breaks is None or at in self._troubled:
            return answer
        self._troubled.add(at)
        if breaks == "refused":
            return refuses(500)
        if breaks == "overloaded":
            return refuses(429, retry_after=0.01)
        return answer.ending("cut", after=1) if breaks != LATER else answer


def _story(messages: Sequence[Mapping[str, Any]]) -> tuple[dict[str, Any], int]:
    """Return the story that a user's message tells, and the number of answers behind it."""
    began = max(place for place, one in enumerate(messages) if one["role"] == "user")
    told = json.loads(_text(messages[began]["content"]))
    return told, sum(bool(one.get("tool_calls")) for one in messages[began:])


def reply_to(request: Mapping[str, Any]) -> Reply:
    """Return the next answer of a story. No two answers have a word or a call in common."""
    told, done = _story(request["messages"])
    mark = f"{next(_asked)}-{secrets.token_hex(4)}"
    pause = told["pause_seconds"]
    if done < len(told["rounds"]):
        wanted = [(f"call_{mark}_{n}", name, "{}") for n, name in enumerate(told["rounds"][done])]
        return calls(*wanted, text=" ".join(_words(mark, 2))).with_pauses(pause)
    return says(" ".join(_words(mark, told["words"]))).with_pauses(pause)


def _words(mark: str, number: int) -> Iterable[str]:
    return (f"{mark}.{place}".ljust(_WORD_BYTES, "_") for place in range(number))


def _text(content: str | Sequence[Mapping[str, str]]) -> str:
    return content if isinstance(content, str) else "".join(part["text"] for part in content)
