"""Change history for reasons outside the conversation: erase content and purge threads for good."""

from eventstore.privacy.erasure import ContentCopy, ErasedEvent, Erasure

__all__ = ["ContentCopy", "ErasedEvent", "Erasure"]
