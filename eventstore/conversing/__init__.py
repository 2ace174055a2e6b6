"""Composing: look up the view, decide, append, project.

Each module is the :class:`~eventstore.storage.requests.Deciding` of one category of streams. A
change travels down through them: ``conversation.decide`` says which events, ``storage.append``
writes them, ``conversation.evolve`` says which rows change, ``projections`` writes those in the
same transaction.
"""

from eventstore.conversing.catalogues import CATALOGUES, DECIDINGS

__all__ = ["CATALOGUES", "DECIDINGS"]
