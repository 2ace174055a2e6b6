"""Read models that follow the log, each with its own checkpoint.

A projection has tables and a rule that applies one event to them. Users reach it through
``eventstore.read_models``; ``api/operations/catch_up.py`` runs it. Its modules are:

``definition``
    the checked projections that an application registers.
``tables``
    SQL with ``{names}`` of the projection's own tables, on any database and driver.
``generations``
    the table ``projections``: a row for each set of tables that a projection has, with its
    checkpoint, its lease and its fencing token. It states the rules that must stay true.
``leases``
    whether the holder of a lease is still alive, as another process can judge it.
``held``
    the leases of one store's workers, to be given back when it is closed.
``pages``
    the events after a checkpoint, and their number.
``applying``
    one batch: the checkpoint and the rows, in one transaction.
``failing``
    whether an error is the rule's or the database's, and the record of it.
"""
