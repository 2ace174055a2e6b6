"""The question of each run, the two tools, and the address of the server that answers."""

from __future__ import annotations

import os
from enum import StrEnum
from typing import Any

ADDRESS = "BENCHMARKS_MODEL_URL"
"""Variable with the address of the scripted server."""
MODEL = "scripted"
KEY = "any"
INSTRUCTIONS = "Be brief."
QUESTION = "What is the weather in Oslo, and what time is it there?"
EXCHANGES = 10
"""Runs of one conversation; then the next one begins."""


class Task(StrEnum):
    """The work of one run."""

    ANSWER = "one answer"
    STREAMED = "one answer, read as it is streamed"
    TOOLS = "two tools side by side, then an answer"


def base_url() -> str:
    """Address of the scripted server."""
    return os.environ[ADDRESS]


def weather(city: str) -> str:
    """Weather in a city, as one line."""
    return f"{city}: 4 °C, rain"


def clock(city: str) -> str:
    """Time of day in a city."""
    return f"{city}: 14:05"


TOOLS = {"weather": weather, "clock": clock}


def definition(name: str) -> dict[str, Any]:
    """A tool as chat completions take it."""
    city = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}
    described = {"name": name, "description": TOOLS[name].__doc__, "parameters": city}
    return {"type": "function", "function": described}


DEFINITIONS = [definition(name) for name in TOOLS]
