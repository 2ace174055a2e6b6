"""Check the settings of a PostgreSQL server, and the names that a store knows by number."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

from eventstore.errors import StoreUnavailable
from eventstore.storage.transaction import (
    Transaction,
)

__all__ = ["UNSAFE", "check_settings", "names_hold"]


def names_hold(tx: Transaction) -> bool:
    """Return whether remembered names still have the same numbers.

    Transactions commit in another order than that of their events, so a restored database may lack
    a transaction that made a name, and still have the landmark.
    """
    known = [
        list(names.items())[-_NAMES_MAX:] for names in (tx.interned.tenants, tx.interned.categories)
    ]
    if not any(known):
        return True
    given = [column for names in known for column in ([n for _, n in names], [t for t, _ in names])]
    found: Any = tx.one(_NAMES, given)
    return tuple(found) == tuple(map(len, known))


_NAMES_MAX: Final = 1_000
"""The names learned last: earlier ones are older than the landmark, as a rule."""


_NAMES: Final = "SELECT {}".format(
    ", ".join(
        f"(SELECT count(*) FROM {{{table}}} JOIN unnest(?::int4[], ?::text[])"
        " AS known (id, name) USING (id, name))"
        for table in ("tenants", "categories")
    )
)


UNSAFE: Final = {"fsync": "off", "synchronous_commit": "off"}
"""Settings with which the server acknowledges transactions that it has not written."""


def check_settings(unsafe: Mapping[str, str], show: Callable[[str], Any]) -> None:
    """Check that the server's settings make an acknowledged write durable.

    Raises:
        StoreUnavailable: ``"unsafe_settings"``, naming what differs.
    """
    wrong = [f"{name} is {value}" for name, value in unsafe.items() if show(name) == value]
    if wrong:
        raise StoreUnavailable(
            "unsafe_settings",
            f"acknowledged writes could be silently lost: {'; '.join(wrong)}",
            "Change the setting, or open the store with durability='as_is' to accept it.",
        )
