"""How a function over a transaction reaches a connection.

Functions of ``storage`` and ``projections`` are sync and written once. ``url`` runs them on
connections of our own, with commits shared among waiting writers (``shared_writer``); ``owned`` and
``owned_async`` run them on an engine that the application has. Nothing here ever sees an event: a
request goes in, an outcome comes out.
"""
