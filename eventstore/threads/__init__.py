"""The decision tables: each file owns one table, its SQL and its rows.

:class:`~eventstore.threads.stored_thread.StoredThread` is the view that deciding reads: rows by
key in the append's own transaction. ``rebuild`` and ``compare`` hold the tables against the events.
"""
