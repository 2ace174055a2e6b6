"""Replays the past: a thread at a version or a time, step by step, and changes between moments."""

from eventstore.replay.moments import compare_moments
from eventstore.replay.path import MessagePath
from eventstore.replay.replayed import ReplayedThread, ReplayStep, StepState
from eventstore.replay.thread_diff import ThreadDiff

__all__ = [
    "MessagePath",
    "ReplayStep",
    "ReplayedThread",
    "StepState",
    "ThreadDiff",
    "compare_moments",
]
