"""A state machine that drives a store against the oracle: laws 1 to 7, 9 and 11, under random use.

Run it over a store of your own by saying how to open one::

    class TestMyStore(ConversationMachine.TestCase): ...

    class MyMachine(ConversationMachine):
        def open_store(self, environment):
            return ConversationStore.open(my_engine(), environment=environment)

Each rule is an action of a user. It runs in the store and in a copy of the oracle: both must accept
it, with the same events, or both must refuse it for the same reason. Every reading method, live and
replayed, must then give what the oracle has (see ``comparison``).

Each resource has a file of rules, and no rule knows another: ``messages``, ``threads`` (and their
branches), ``runs``, ``erasing`` (and purging), ``repeating``, ``searching``. They share ``base``.
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
