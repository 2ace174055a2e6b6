"""The messages that every contender stores: about 400 bytes of text and 100 of metadata.

The text differs from message to message, so that no store gains by compressing or interning it,
and comes from a fixed seed, so that two runs store the same bytes. A pool is made beforehand and
gone round: making a message must not be part of what is timed.
"""

from __future__ import annotations

import itertools
import random
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

TEXT_BYTES = 400
POOL_SIZE = 1_000
_SYLLABLES = ("ra", "yle", "igh", "sca", "tter", "ing", "sun", "set", "blu", "sky", "wa", "ve")


@dataclass(frozen=True, slots=True)
class WorkMessage:
    """One message as an application would hand it over."""

    role: Literal["user", "assistant"]
    text: str
    metadata: dict[str, str]

    def as_dict(self) -> dict[str, object]:
        """The message as plain values, for stores that take JSON."""
        return {"role": self.role, "content": self.text, "metadata": self.metadata}


def _text(chance: random.Random) -> str:
    words: list[str] = []
    length = 0
    while length < TEXT_BYTES:
        word = "".join(chance.choices(_SYLLABLES, k=chance.randint(1, 4)))
        words.append(word)
        length += len(word) + 1
    return " ".join(words)[:TEXT_BYTES]


def _metadata(chance: random.Random) -> dict[str, str]:
    return {
        "user": f"u_{chance.randrange(10**6):06}",
        "client": "web",
        "locale": "en-GB",
        "trace": f"{chance.getrandbits(128):032x}",
    }


def _make_pool() -> tuple[WorkMessage, ...]:
    chance = random.Random(20_240_229)
    return tuple(
        WorkMessage(
            role="assistant" if number % 2 else "user",
            text=_text(chance),
            metadata=_metadata(chance),
        )
        for number in range(POOL_SIZE)
    )


POOL = _make_pool()


def messages(count: int | None = None) -> Iterator[WorkMessage]:
    """`count` messages with alternating roles, or as many as are asked for."""
    return itertools.islice(itertools.cycle(POOL), count)
