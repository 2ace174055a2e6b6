"""Composes a write: read the view, decide, append, project.

Each module is the :class:`~eventstore.storage.requests.CategoryHandler` of one category of streams.
A change travels down through them: ``conversation.decide`` returns events, ``storage.append``
writes them, ``conversation.evolve`` returns the rows that change, and ``threads`` writes those rows
in the same transaction.
"""

from eventstore.write_path.categories import CATALOGUES, CATEGORY_HANDLERS

__all__ = ["CATALOGUES", "CATEGORY_HANDLERS"]
