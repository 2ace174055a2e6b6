"""``eventstore demo``: a conversation that is really played, on a real database.

``story`` is the play: Python, with a pause after each scene. ``stage`` performs it and shows at
each pause the very lines that ran.
"""

from eventstore.cli.demo.stage import show_demo

__all__ = ["show_demo"]
