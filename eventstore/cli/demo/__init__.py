"""``eventstore demo``: plays a conversation on a real database.

``story`` is Python code with a pause after each scene. ``stage`` runs it, and shows at each pause
the lines that ran.
"""

from eventstore.cli.demo.stage import show_demo

__all__ = ["show_demo"]
