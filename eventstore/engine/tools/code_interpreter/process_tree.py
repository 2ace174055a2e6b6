"""The processes of one kernel, seen from outside: what they take, stopping and ending them.

All processes of a kernel descend from one: in a sandbox, the first of its process namespace, which
adopts those whose parents end. So whatever a kernel leaves behind is found, however it hides.
"""

from __future__ import annotations

import contextlib
import os
import select
import signal
from pathlib import Path
from typing import Final

from eventstore.engine.tools.code_interpreter.limits import CodeLimits
from eventstore.engine.tools.code_interpreter.sandbox import FOLDERS

__all__ = ["ProcessTree"]

_PROC: Final = Path("/proc")
_KIB: Final = 1024
_ROUNDS_MAX: Final = 50


class ProcessTree:
    """The processes of a kernel. ``root`` is the one whose end is the end of all."""

    def __init__(self, root: int, *, sandboxed: bool) -> None:
        self._root = root
        self._sandboxed = sandboxed
        # A number may be given to another process later; a descriptor means this one for ever.
        self._root_end = os.pidfd_open(root)
        self.kernel: int = root
        self._kernel_end = self._root_end

    def look_for_kernel(self) -> None:
        """Find the kernel's own process, when it has answered and nothing else runs."""
        if self._sandboxed:
            self.kernel = _children(self._root)[0]
            self._kernel_end = os.pidfd_open(self.kernel)

    def kernel_has_ended(self, wait_seconds: float) -> bool:
        """Check that the kernel's own process runs no longer."""
        return bool(select.select([self._kernel_end], [], [], wait_seconds)[0])

    def processes(self) -> list[int]:
        """Return the ids of the processes that run."""
        found, waiting = [], _children(self._root) if self._sandboxed else [self._root]
        while waiting:
            pid = waiting.pop()
            found.append(pid)
            waiting += _children(pid)
        return found

    def excess(self, limits: CodeLimits) -> str | None:
        """Return the limit that the processes exceed together, in words."""
        processes = self.processes()
        if sum(map(_own_memory, processes)) > limits.memory_bytes:
            used = sum(map(_shared_fairly, processes))
            if used > limits.memory_bytes:
                return f"used more than {limits.memory_bytes >> 20} MiB of memory"
        if self._sandboxed and self._files() > limits.files_max:
            return f"made more than {limits.files_max} files"
        return None

    def _files(self) -> int:
        # These are places where something is mounted, so code cannot put links there.
        count = 0
        for folder in FOLDERS:
            with contextlib.suppress(OSError):
                facts = os.statvfs(_PROC / str(self._root) / "root" / folder)
                count += facts.f_files - facts.f_ffree
        return count

    def end_others(self) -> bool:
        """End all processes but the kernel, and tell whether none is left.

        A process that goes on making others could be one ahead each time. Therefore all are stopped
        before any is ended.
        """
        for _ in range(_ROUNDS_MAX):
            others = [pid for pid in self.processes() if pid != self.kernel]
            others = [pid for pid in others if not _is_dead(pid)]
            if not others:
                return True
            for how in (signal.SIGSTOP, signal.SIGKILL):
                for pid in others:
                    _signal(pid, how)
        return False

    def stop(self) -> None:
        """Stop the kernel: nothing of it runs between two calls."""
        _send(self._kernel_end, signal.SIGSTOP)

    def go_on(self) -> None:
        """Let it run again."""
        _send(self._kernel_end, signal.SIGCONT)

    def end(self) -> None:
        """End everything, at once and for good."""
        _send(self._root_end, signal.SIGKILL)
        for end in {self._root_end, self._kernel_end}:
            os.close(end)

    def memory_bytes(self) -> int:
        """Return the memory of all processes."""
        return sum(map(_shared_fairly, self.processes()))


def _send(process: int, how: signal.Signals) -> None:
    with contextlib.suppress(ProcessLookupError):
        signal.pidfd_send_signal(process, how)


def _signal(pid: int, how: signal.Signals) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.kill(pid, how)


def _children(pid: int) -> list[int]:
    found: list[int] = []
    with contextlib.suppress(OSError):
        for thread in (_PROC / str(pid) / "task").iterdir():
            found += map(int, (thread / "children").read_text().split())
    return found


def _is_dead(pid: int) -> bool:
    """Check for a process that has ended, though its parent has not yet asked how."""
    return _field(pid, "status", "State:") in {"", "Z", "X"}


def _own_memory(pid: int) -> int:
    """Return a process's own memory. What it shares with its parent since a fork counts, too."""
    anonymous = _field(pid, "status", "RssAnon:") or "0"
    shared = _field(pid, "status", "RssShmem:") or "0"
    return (int(anonymous) + int(shared)) * _KIB


def _shared_fairly(pid: int) -> int:
    """Return a process's memory, where what it shares counts in part: exact, and slower."""
    return int(_field(pid, "smaps_rollup", "Pss:") or "0") * _KIB


def _field(pid: int, file: str, name: str) -> str:
    try:
        with (_PROC / str(pid) / file).open(encoding="utf-8") as lines:
            return next((line.split()[1] for line in lines if line.startswith(name)), "")
    except OSError:
        return ""
