"""Every method of a store, written once.

An operation is a function that checks its arguments and returns a description of its work: a
:class:`Write` with the request for the log, or a :class:`Read` with the function to run on a
snapshot. The two faces turn each of them into a method, sync or async; nothing else differs between
them.
"""

from eventstore.api.operations.operation import UNSET, Read, Scope, Write, WriteOptions

__all__ = ["UNSET", "Read", "Scope", "Write", "WriteOptions"]
