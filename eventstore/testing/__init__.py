"""For tests: the kit that the library is tested with, shipped so that users can test with it too.

* ``faults``: the database fails, or the process dies, at the n-th call;
* ``conformance``: what every way of running a store has to keep; subclass it for your own engine.

Needs the extra ``conversation-eventstore[testing]``. Nothing of the library imports this room.
"""
