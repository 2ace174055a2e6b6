"""The peers: other Python libraries that keep conversations or events, one small file for each.

A peer is used as its own documentation shows it, where a choice exists in the way that is
kindest to it: state that it would reload for each append is held, connections are shared. Each
module has `CONTENDERS`; one that cannot be imported is reported as missing by name.
"""

from __future__ import annotations

from importlib import import_module

from benchmarks.contenders import Contender, Missing
from benchmarks.places import Database

MODULES = {
    "pyeventsourcing": "eventsourcing",
    "openai_sessions": "openai-agents",
    "langgraph_saver": "langgraph-checkpoint-sqlite",
    "adk_sessions": "google-adk",
    "umadb_server": "umadb",
}


NOT_ON_POSTGRES = {
    "langgraph_saver": "its saver for PostgreSQL is a distribution that is not installed here",
    "adk_sessions": "nobody has written down yet how to drive it on PostgreSQL",
    "umadb_server": "it is a server of its own and is measured beside SQLite",
}
"""Peers that are measured on SQLite alone, and why."""


def contenders(database: Database) -> tuple[list[Contender], list[Missing]]:
    """Every peer on a database that can be imported, and every one that cannot or is not there."""
    found: list[Contender] = []
    missing: list[Missing] = []
    for module, distribution in MODULES.items():
        if database is Database.POSTGRES and module in NOT_ON_POSTGRES:
            missing.append(Missing(distribution, NOT_ON_POSTGRES[module]))
            continue
        try:
            entering = import_module(f"{__name__}.{module}").CONTENDERS
            found += [one for one in entering if one.database is database]
        except ImportError as error:
            why = f"{error}; `pip install -r requirements/bench.lock` brings it"
            missing.append(Missing(distribution, why))
    return found, missing
