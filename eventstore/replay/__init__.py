"""Looking at the past: a thread at a version or a time, step by step, and what changed."""

from eventstore.replay.replayed import ReplayedThread, ReplayStep, compare_moments

__all__ = ["ReplayStep", "ReplayedThread", "compare_moments"]
