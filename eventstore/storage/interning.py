"""Store names of tenants and categories as integers.

The first write that needs a name interns it, and a read never does, so asking for a missing tenant
leaves nothing behind. A store remembers names interned by a transaction only after its commit;
until then the transaction itself knows them, because it needs them often.

A number whose row is gone, which only manual SQL can cause, reads as ``?`` and the number:
verification reports it, and no hash that covers the name holds.
"""

from __future__ import annotations

from eventstore.storage.transaction import Transaction, only_row

__all__ = ["category_name", "find_category", "find_tenant", "intern_category", "intern_tenant"]

_FIND = {
    "tenants": "SELECT id FROM {tenants} WHERE name = ?",
    "categories": "SELECT id FROM {categories} WHERE name = ?",
}
_NAME = {
    "tenants": "SELECT name FROM {tenants} WHERE id = ?",
    "categories": "SELECT name FROM {categories} WHERE id = ?",
}
_INTERN = {
    "tenants": "INSERT INTO {tenants} (name) VALUES (?) ON CONFLICT (name) DO NOTHING",
    "categories": "INSERT INTO {categories} (name) VALUES (?) ON CONFLICT (name) DO NOTHING",
}


def find_tenant(tx: Transaction, name: str) -> int | None:
    """Return a tenant's number, or None if nothing was ever written for it."""
    return _find(tx, "tenants", tx.interned.tenants, name)


def find_category(tx: Transaction, name: str) -> int | None:
    """Return a category's number, or None if it has no stream yet."""
    return _find(tx, "categories", tx.interned.categories, name)


def intern_tenant(tx: Transaction, name: str) -> int:
    """Return a tenant's number, made if necessary."""
    return _intern(tx, "tenants", tx.interned.tenants, name)


def intern_category(tx: Transaction, name: str) -> int:
    """Return a category's number, made if necessary."""
    return _intern(tx, "categories", tx.interned.categories, name)


def tenant_name(tx: Transaction, number: int) -> str:
    """Return the name of a tenant's number."""
    return _name(tx, "tenants", tx.interned.tenants, number)


def category_name(tx: Transaction, number: int) -> str:
    """Return the name of a category's number."""
    return _name(tx, "categories", tx.interned.categories, number)


def _find(tx: Transaction, table: str, known: dict[str, int], name: str) -> int | None:
    number = _known(tx, known, name)
    if number is None:
        row = tx.one(_FIND[table], (name,))
        if row is None:
            return None
        number = int(row[0])
        tx.fresh.append((known, name, number))
    return number


def _known(tx: Transaction, known: dict[str, int], name: str) -> int | None:
    number = known.get(name)
    if number is not None:
        return number
    return next((n for names, fresh, n in tx.fresh if names is known and fresh == name), None)


def _intern(tx: Transaction, table: str, known: dict[str, int], name: str) -> int:
    number = _find(tx, table, known, name)
    if number is None:
        tx.run(_INTERN[table], (name,))
        number = int(only_row(tx, _FIND[table], (name,))[0])
        tx.fresh.append((known, name, number))
    return number


def _name(tx: Transaction, table: str, known: dict[str, int], number: int) -> str:
    for name, id_ in list(known.items()):  # the writer's thread adds to it
        if id_ == number:
            return name
    row = tx.one(_NAME[table], (number,))
    if row is None:
        return f"?{number}"
    name = str(row[0])
    tx.fresh.append((known, name, number))
    return name
