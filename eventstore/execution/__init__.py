"""How a function over a transaction reaches a connection.

Functions of ``storage`` and ``projections`` are sync and written once. ``url`` runs them on
connections of our own, with commits shared among waiting writers (``shared_writer``), ``async_url``
does with an async driver; ``owned`` runs them on an engine that the application has, ``within``
inside a transaction of its own. Nothing here ever sees an event: a request goes in, an outcome
comes out.
"""
