"""Read models that follow the log: a search over messages, usage by day, and those of your own.

::

    from eventstore.read_models import MessageSearch, search

    store.projections.register(MessageSearch())
    store.projections.catch_up()
    hits = store.projections.read("search", search("blue sky"))

``MessageSearch`` and ``Usage`` are registered with a store; ``search(…)`` and ``usage(…)`` say what
``store.projections.read`` looks up in their tables. ``projection`` makes a read model of a function
that applies one event, ``Projection`` is the protocol of one that is an object. What a rule is
given are ``WritableTables``; what a reader is given are ``Tables``.
"""

from __future__ import annotations

from eventstore.read_models.catch_up.definition import Projection, projection
from eventstore.read_models.catch_up.tables import Tables, WritableTables
from eventstore.read_models.message_search import MessageSearch
from eventstore.read_models.searching import Hit, Hits, search
from eventstore.read_models.usage_by_day import DayOfUse, Usage, usage

__all__ = [
    "DayOfUse",
    "Hit",
    "Hits",
    "MessageSearch",
    "Projection",
    "Tables",
    "Usage",
    "WritableTables",
    "projection",
    "search",
    "usage",
]
