"""Find numbers of tenants and categories that no row names, which only manual SQL can cause."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final, Literal, TypeAlias

from eventstore.storage.interning import find_tenant
from eventstore.storage.transaction import Transaction, only_row

__all__ = ["Naming", "nameless"]

Naming: TypeAlias = Literal["tenants", "categories"]
"""The tables of names."""

_NEXT: Final[dict[Naming, str]] = {
    "tenants": "SELECT min(tenant) FROM {<table>} WHERE tenant > ?",
    "categories": "SELECT min(category) FROM {<table>} WHERE category > ? AND tenant = ?",
}
_NAMED: Final[dict[Naming, str]] = {
    "tenants": "SELECT 1 FROM {tenants} WHERE id = ?",
    "categories": "SELECT 1 FROM {categories} WHERE id = ?",
}
_FIRST: Final = -(2**31)


def nameless(tx: Transaction, tenant: str) -> Iterator[tuple[Naming, int]]:
    """Yield the tables that lack a name, with its number: of any tenant, and of its categories.

    It asks for the next number again and again, so it costs a look into an index for each.
    """
    number = find_tenant(tx, tenant)
    given: dict[Naming, tuple[int, ...]] = {"tenants": (), "categories": (number or 0,)}
    for names, parameters in given.items():
        used = {
            one for table in ("events", "streams") for one in _used(tx, names, table, parameters)
        }
        yield from ((names, one) for one in sorted(used) if tx.one(_NAMED[names], (one,)) is None)


def _used(tx: Transaction, names: Naming, table: str, parameters: tuple[int, ...]) -> Iterator[int]:
    text, last = _NEXT[names].replace("<table>", table), _FIRST
    while (found := only_row(tx, text, (last, *parameters))[0]) is not None:
        last = int(found)
        yield last
