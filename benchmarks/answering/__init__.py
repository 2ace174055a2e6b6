"""Assistants that answer in one sentence or with two tools: the engine, its peers, and by hand.

Each module has `CONTENDERS`. All of them ask the same scripted server (`scripted_server`), which
runs in a process of its own and answers at once, so what remains is the time of the client.
"""

from __future__ import annotations

from importlib import import_module

from benchmarks.contenders import Contender, Face, Missing
from benchmarks.places import Database

MODULES = {
    "by_hand": "openai",
    "engine": "conversation-eventstore",
    "openai_runner": "openai-agents",
    "pydantic_agent": "pydantic-ai-slim",
}


def contenders(database: Database) -> tuple[list[Contender], list[Missing]]:
    """Every one on a database that can be imported, and every one that cannot."""
    found: list[Contender] = []
    missing: list[Missing] = []
    for module, distribution in MODULES.items():
        try:
            entering = import_module(f"{__name__}.{module}").CONTENDERS
        except ImportError as error:
            missing.append(Missing(distribution, str(error)))
        else:
            found += [one for one in entering if one.database is database]
    return found, missing


def of_face(contenders: list[Contender], face: Face) -> list[Contender]:
    """Those of one face."""
    return [one for one in contenders if one.face is face]
