"""What is done to history for reasons outside the conversation: erasing content for good."""

from eventstore.audit.erasure import ContentCopy, ErasedEvent, Erasure

__all__ = ["ContentCopy", "ErasedEvent", "Erasure"]
