"""Laws 1 to 6 and 9, together: a real store against a naive dictionary of the same conversation."""

from eventstore.testing.machine import ConversationMachine
from tests.laws.examples import of_a_law

TestConversations = ConversationMachine.TestCase
TestConversations.settings = of_a_law
