"""Limits of a code interpreter: time, memory, processes, disk, output, and how many kernels."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

__all__ = ["CodeLimits"]

_MIB: Final = 1024 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class CodeLimits:
    """Limits of one kernel and its calls, and of all kernels together."""

    call_seconds: float = 60
    """Longest time of one call. Then the code is interrupted."""
    grace_seconds: float = 2
    """Time that interrupted code has to end. Then its kernel is ended."""
    start_seconds: float = 60
    """Longest time that a kernel takes to start."""
    memory_bytes: int = 1024 * _MIB
    """Memory of all processes of a kernel together."""
    disk_bytes: int = 256 * _MIB
    """Size of the working folder, and of ``/tmp``. Both are kept in memory."""
    files_max: int = 10_000
    """Most files in these folders together."""
    processes_max: int = 64
    """Most processes and threads of a kernel together."""
    output_bytes_max: int = 64 * 1024
    """Text of one call that is kept. The rest is cut off."""
    flood_bytes_max: int = 16 * _MIB
    """Text, images and other messages of one call that are read at all, in bytes. Code that shows
    more is stopped."""
    artifacts_max: int = 20
    """Most images and files that one call returns."""
    artifacts_bytes_max: int = 8 * _MIB
    """Bytes of the images and files of one call together."""
    kernels_max: int = 8
    """Most kernels at the same time. Further threads wait for one to be free."""
    queue_seconds: float = 60
    """Longest time that a call waits for a kernel."""
    idle_seconds: float = 600
    """Time after its last call when a kernel is ended."""
