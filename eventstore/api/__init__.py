"""The two stores and everything a caller calls.

``operations/`` holds every method once: a function that checks its arguments and returns what has
to be done. ``faces/`` are the methods of both stores, written from the operations by
``scripts/faces``, and the runners that perform them. ``store`` and ``async_store`` are the two
stores, ``connect`` makes them from a URL or an engine, and ``batches`` groups commands.
"""
