"""Pure rules of conversations: content, events, deciding, evolving, the message tree, runs.

Nothing here knows of databases, clocks or event loops. ``decide`` reads a
:class:`~eventstore.conversation.view.ThreadView` and returns events; ``evolve`` returns the rows
that an event changes. The same two functions work on the folded state and on rows read from tables.
"""
