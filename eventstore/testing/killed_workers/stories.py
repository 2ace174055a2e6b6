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

from eventstore.testing.model_server import Reply, calls, says

__all__ = ["ELSEWHERE", "MODEL", "TOOLS", "Story", "reply_to"]

MODEL: Final = "storyteller"
CAREFUL: Final = "careful"
AGAIN: Final = "again"
ELSEWHERE: Final = "elsewhere"
"""Must happen once, may happen twice, and is a tool of nobody here: its user hands outputs in."""


def _defined(name: str) -> dict[str, Any]:
    parameters = {"type": "object", "properties": {}}
    return {"type": "function", "function": {"name": name, "parameters": parameters}}


TOOLS: Final = tuple(map(_defined, (CAREFUL, AGAIN, ELSEWHERE)))
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
)
_WORDS: Final = ((3, 0.0), (12, 0.0), (60, 0.0), (60, 0.008), (25, 0.02))
"""Number of words of an answer, and seconds between two of them."""
_WORD_BYTES: Final = 60
_CANCELLED_PERCENT: Final = 8


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
        )

    @property
    def question(self) -> str:
        """The user's message, which tells the model what to answer."""
        told = {"rounds": self.rounds, "words": self.words, "pause_seconds": self.pause_seconds}
        return json.dumps(told)


_asked = itertools.count(1)


def reply_to(request: Mapping[str, Any]) -> Reply:
    """Return the next answer of a story. No two answers have a word or a call in common."""
    messages: Sequence[Mapping[str, Any]] = request["messages"]
    began = max(place for place, one in enumerate(messages) if one["role"] == "user")
    told = json.loads(_text(messages[began]["content"]))
    done = sum(bool(one.get("tool_calls")) for one in messages[began:])
    mark = f"{next(_asked)}-{secrets.token_hex(4)}"
    pause = told["pause_seconds"]
    if done < len(told["rounds"]):
        wanted = [(f"call_{mark}_{n}", name, "{}") for n, name in enumerate(told["rounds"][done])]
        return calls(*wanted, text=" ".join(_words(mark, 2))).with_pauses(pause)
    return says(" ".join(_words(mark, told["words"]))).with_pauses(pause)


def _words(mark: str, number: int) -> Iterable[str]:
    return (f"{mark}.{place}".ljust(_WORD_BYTES, "_") for place in range(number))


def _text(content: Any) -> str:  # noqa: ANN401 (text, or a list of parts)
    return content if isinstance(content, str) else "".join(part["text"] for part in content)
