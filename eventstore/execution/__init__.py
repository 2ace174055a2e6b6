"""Run functions over a transaction on a connection.

Functions of ``storage`` and ``threads`` are sync and written once. ``url`` runs them on
connections that the store makes, and shares commits among waiting writers (``shared_writer``);
``async_url`` does the same with an async driver. ``owned`` runs them on the application's engine,
and ``host_transaction`` runs them inside the application's transaction. Nothing here ever sees an
event: a request goes in, an outcome comes out.
"""
