"""Prove that the log is what was written: verify chains, anchors, tombstones and tables."""

from eventstore.audit.findings import AuditFinding, VerifyReport

__all__ = ["AuditFinding", "VerifyReport"]
