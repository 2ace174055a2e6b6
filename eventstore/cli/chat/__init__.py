"""``eventstore chat``: a conversation in the terminal, answered by an engine in this process.

``conversation`` does what the user wants, ``prompt`` reads it, and ``eventstore.cli.following``
prints what a run does.
"""

from eventstore.cli.chat.conversation import Answers, Conversation
from eventstore.cli.chat.prompt import talk

__all__ = ["Answers", "Conversation", "talk"]
