"""What is done to history for reasons outside the conversation: erasing content for good."""

from eventstore.privacy.erasure import ContentCopy, ErasedEvent, Erasure

__all__ = ["ContentCopy", "ErasedEvent", "Erasure"]
