"""A state machine that drives a store against the oracle: laws 1 to 7, 9 and 11, under random use.

Run it over a store of your own by saying how to open one::

    class TestMyStore(ConversationMachine.TestCase): ...

    class MyMachine(ConversationMachine):
        def open_store(self, sources):
            return ConversationStore.open(my_engine(), sources=sources)

Each rule is something that people do. It is done to the store, and said to a copy of the oracle:
both must take it, with the same events, or both must refuse it for the same reason. What is there
must then be found by every reading method, live and replayed (see ``comparison``).

The rules stand by resource, a file each, and no rule knows another: ``messages``, ``threads`` (and
their branches), ``runs``, ``erasing`` (and purging), ``repeating``, ``searching``. ``base`` is what
they share.
"""

from eventstore.testing.machine.base import GUARDS
from eventstore.testing.machine.erasing import ErasingRules
from eventstore.testing.machine.messages import MessageRules
from eventstore.testing.machine.repeating import RepeatingRules
from eventstore.testing.machine.runs import RunRules
from eventstore.testing.machine.searching import SearchRules
from eventstore.testing.machine.threads import ThreadRules

__all__ = ["GUARDS", "ConversationMachine"]


class ConversationMachine(
    MessageRules, ThreadRules, RunRules, ErasingRules, RepeatingRules, SearchRules
):
    """A state machine that compares a store with a dictionary: override ``open_store``."""
