"""Follows the log: catches up from a position, then follows new events.

``course`` is the state machine of a subscription; ``pages`` reads the events after a place. Neither
waits: only in waiting do the sync and the async face differ.
"""
