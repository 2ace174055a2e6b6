"""Prove that the log is what was written: verify it, sign it, and export evidence of threads."""

from eventstore.audit.findings import AuditFinding, VerifyReport
from eventstore.audit.proofs import ConsistencyProof, InclusionProof
from eventstore.audit.trail_values import TrailEntry
from eventstore.audit.tree_heads import TreeHead

__all__ = [
    "AuditFinding",
    "ConsistencyProof",
    "InclusionProof",
    "TrailEntry",
    "TreeHead",
    "VerifyReport",
]
