"""Laws 1 to 6 and 9, together: a real store against a naive dictionary of the same conversation."""

from hypothesis import settings

from eventstore.testing.machine import ConversationMachine

TestConversations = ConversationMachine.TestCase
TestConversations.settings = (
    settings()
)  # the profile of conftest, which a TestCase does not take by itself
