"""For tests: the kit that the library is tested with, shipped so that users can test with it too.

* ``faults``: the database fails, or the process dies, at the n-th call;
* ``machine``, ``oracle``: a Hypothesis state machine holds a store against a naive dictionary;
* ``comparison``: the store and the dictionary side by side, for a test of your own;
* ``scenarios``: given events, when a command, then events or a refusal;
* ``strategies`` and ``sources``: what people say, and clocks and dice that are the same every time;
* ``conformance``: what every way of running a store has to keep; subclass it for your own engine.

Needs the extra ``conversation-eventstore[testing]``. Nothing of the library imports this room.
"""
