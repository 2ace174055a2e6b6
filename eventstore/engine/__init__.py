"""Assistants that answer: executes runs over the public API of the store."""

from eventstore.engine.settings import RunSettings

__all__ = ["RunSettings"]
