"""Name the places that may still hold erased or purged content, for certificates and tombstones."""

from __future__ import annotations

from eventstore.core.events import Position
from eventstore.read_models.catch_up.generations import generations
from eventstore.storage.transaction import Transaction

__all__ = ["projections_behind"]


def projections_behind(tx: Transaction, position: Position) -> tuple[str, ...]:
    """Return the projections that have not read as far as a position: they may hold the words."""
    names = [
        one.name for one in generations(tx) if one.status != "retired" and one.position < position
    ]
    return tuple(f"the projection {name}, until it has caught up" for name in dict.fromkeys(names))
