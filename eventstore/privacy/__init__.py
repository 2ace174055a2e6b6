"""Change history for reasons outside the conversation: erase content, and purge for good."""

from eventstore.privacy.erasure import ContentCopy, ErasedEvent, Erasure
from eventstore.privacy.retention import RetainedThread, RetentionReport
from eventstore.privacy.whole_tenants import TenantErasure

__all__ = [
    "ContentCopy",
    "ErasedEvent",
    "Erasure",
    "RetainedThread",
    "RetentionReport",
    "TenantErasure",
]
