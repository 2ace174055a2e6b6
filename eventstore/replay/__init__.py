"""Looking at the past: a thread's state at a version or a time, step by step, and what changed
between.
"""

from eventstore.replay.replayed import ReplayedThread, ReplayStep, compare_moments

__all__ = ["ReplayStep", "ReplayedThread", "compare_moments"]
