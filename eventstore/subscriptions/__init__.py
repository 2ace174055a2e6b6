"""Following the log: catch up from a position, then follow for ever.

``course`` says what a subscription does next, as a table of states; ``pages`` reads what comes
after a place. Neither waits: that is the one thing that the sync and the async face do differently.
"""
