"""Replays the past: a thread at a version or a time, step by step, and changes between moments."""

from eventstore.replay.moments import compare_moments
from eventstore.replay.path import MessagePath
from eventstore.replay.replayed import ReplayedThread, ReplayStep, StepState

__all__ = ["MessagePath", "ReplayStep", "ReplayedThread", "StepState", "compare_moments"]
