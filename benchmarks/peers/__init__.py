"""The peers: other Python libraries that keep conversations or events, one small file for each.

A peer is used as its own documentation shows it, where a choice exists in the way that is
kindest to it: state that it would reload for each append is held, connections are shared. Each
module has `CONTENDERS`; one that cannot be imported is reported as missing by name.
"""

from __future__ import annotations

from importlib import import_module

from benchmarks.contenders import Contender, Missing

MODULES = {
    "pyeventsourcing": "eventsourcing",
    "openai_sessions": "openai-agents",
    "langgraph_saver": "langgraph-checkpoint-sqlite",
    "adk_sessions": "google-adk",
    "umadb_server": "umadb",
}


def contenders() -> tuple[list[Contender], list[Missing]]:
    """Every peer that can be imported, and every one that cannot."""
    found: list[Contender] = []
    missing: list[Missing] = []
    for module, distribution in MODULES.items():
        try:
            found += import_module(f"{__name__}.{module}").CONTENDERS
        except ImportError as error:
            why = f"{error}; `pip install -r requirements/bench.lock` brings it"
            missing.append(Missing(distribution, why))
    return found, missing
