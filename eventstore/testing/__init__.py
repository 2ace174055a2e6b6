"""The test kit: what the library is tested with, for tests of what you build on it.

A decider of your own
    :class:`Scenario`: given events, when a command, then events or a refusal.
A projection of your own, or anything else that reads a store
    :func:`stores_with_history`, :func:`histories`: Hypothesis strategies of stores in which users
    did everything they can do. :func:`texts`, :func:`contents`, :func:`metadata`,
    :func:`json_values`: values for messages and metadata.
An event store of your own
    :class:`EventStoreAdapter`, :class:`Schedule`, :func:`run_schedule`: many writers against many
    readers, and a :class:`Report` of events lost, doubled, reordered or duplicated.
An engine or a URL of your own, under this library
    :class:`ConformanceSuite`, :class:`ConversationMachine`, :func:`blocking`, :func:`within`.
Bad days
    :class:`Faults`, :func:`failing`, :func:`die`: a database call fails, or the process dies.
    :func:`jumping_environment`, :func:`fixed_environment`: clocks and dice.
    :class:`PostgresServer`: a real server, started, killed and restarted.
    :class:`FakeKms`: a service with a master key, which can be out of reach.

The plug-in for pytest gives tests the fixtures ``store``, ``async_store`` and ``postgres_url``
without any import.

These names, and those of ``eventstore.testing.schedules``, are public; other modules of this
package may change with any release. The extra ``conversation-eventstore[testing]`` installs what
the kit needs. Each name is imported when it is first used.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from eventstore.testing.conformance import ConformanceSuite
    from eventstore.testing.environments import fixed_environment, jumping_environment
    from eventstore.testing.fake_kms import FakeKms
    from eventstore.testing.faults import Faults, die, failing
    from eventstore.testing.history import History, histories, stores_with_history
    from eventstore.testing.history_actions import Played, Step
    from eventstore.testing.machine import ConversationMachine
    from eventstore.testing.postgres_server import NoPostgres, PostgresServer
    from eventstore.testing.scenarios import Given, Outcome, Scenario
    from eventstore.testing.schedules import Delivered, EventStoreAdapter, Finding, Report, Schedule
    from eventstore.testing.schedules import run as run_schedule
    from eventstore.testing.store_wrappers import blocking, within
    from eventstore.testing.strategies import contents, json_values, metadata, texts

__all__ = [
    "ConformanceSuite",
    "ConversationMachine",
    "Delivered",
    "EventStoreAdapter",
    "FakeKms",
    "Faults",
    "Finding",
    "Given",
    "History",
    "NoPostgres",
    "Outcome",
    "Played",
    "PostgresServer",
    "Report",
    "Scenario",
    "Schedule",
    "Step",
    "blocking",
    "contents",
    "die",
    "failing",
    "fixed_environment",
    "histories",
    "json_values",
    "jumping_environment",
    "metadata",
    "run_schedule",
    "stores_with_history",
    "texts",
    "within",
]

_HOMES: Final = {
    "conformance": ("ConformanceSuite",),
    "fake_kms": ("FakeKms",),
    "faults": ("Faults", "die", "failing"),
    "history": ("History", "histories", "stores_with_history"),
    "history_actions": ("Played", "Step"),
    "machine": ("ConversationMachine",),
    "store_wrappers": ("blocking", "within"),
    "postgres_server": ("NoPostgres", "PostgresServer"),
    "scenarios": ("Given", "Outcome", "Scenario"),
    "schedules": ("Delivered", "EventStoreAdapter", "Finding", "Report", "Schedule"),
    "environments": ("fixed_environment", "jumping_environment"),
    "strategies": ("contents", "json_values", "metadata", "texts"),
}
_PLACES: Final = {name: (home, name) for home, names in _HOMES.items() for name in names} | {
    "run_schedule": ("schedules", "run")
}


def __getattr__(name: str) -> Any:  # noqa: ANN401 (whatever has that name)
    """Import a public name when it is first used."""
    if name not in _PLACES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    module, its_name = _PLACES[name]
    found = globals()[name] = getattr(import_module(f"{__name__}.{module}"), its_name)
    return found


def __dir__() -> list[str]:
    """List the public names."""
    return __all__
