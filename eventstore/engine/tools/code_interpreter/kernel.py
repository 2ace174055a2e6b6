"""One kernel: starts it, runs code in it within limits, and ends it.

A call goes through few states::

    runs ── answers ──────────────────────────────► done
      │
      └─ too long, too much, cancelled ─► interrupted ── answers ──► done, the reason is said
                                             │
                                             └─ goes on ─► ended: its variables are gone

Between two calls the kernel's process is stopped, and no other process is left. So nothing that
code started goes on behind the back of whoever asked for it.
"""

from __future__ import annotations

import contextlib
import mimetypes
import os
import secrets
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from threading import Event
from typing import Any, Final

from eventstore.engine.tools.code_interpreter.channels import Channel, Channels, Received
from eventstore.engine.tools.code_interpreter.limits import CodeLimits
from eventstore.engine.tools.code_interpreter.outputs import Artifact, Outputs
from eventstore.engine.tools.code_interpreter.process_tree import ProcessTree
from eventstore.engine.tools.code_interpreter.sandbox import Manner, Start, launch

__all__ = ["Execution", "Kernel", "KernelDied"]

_TURN_SECONDS: Final = 0.05
"""Longest wait for a message."""
_LOOK_SECONDS: Final = 0.05
"""Time between two looks at what the processes take."""
_LAST_WORDS_SECONDS: Final = 1.0
"""Time for outputs that come after the answer."""
_SMALL_SECONDS: Final = 10.0
"""Longest time of a request about files."""
_REQUEST: Final = {
    "silent": False,
    "store_history": True,
    "user_expressions": {},
    "allow_stdin": False,
    "stop_on_error": True,
}
_FILES_LISTED: Final = 200
_CUT_SECONDS: Final = 0.5
"""Time between the end of a kernel's connection and its own end."""
_NAME_MAX: Final = 200


class KernelDied(Exception):
    """The kernel ended, or was ended; caught within this package."""


@dataclass(slots=True)
class Execution:
    """Outcome of one call."""

    outputs: Outputs
    stopped: str | None = None
    """Reason for which it was stopped, in words."""
    died: bool = False
    """The kernel is gone, and with it all variables and files."""
    unplaced: list[str] = field(default_factory=list)
    """Files of the caller's that could not be written."""


class Kernel:
    """A kernel that has been launched. One thread uses it at a time."""

    def __init__(
        self,
        *,
        manner: Manner,
        python: str,
        limits: CodeLimits,
        folder: Path,
        on_keeper: Callable[[Callable[[], tuple[subprocess.Popen[bytes], int]]], Any],
    ) -> None:
        """``on_keeper`` calls a function in an OS thread that lives as long as the kernel."""
        self._limits = limits
        self._folder = folder
        self._known: dict[str, tuple[int, int, int]] = {}
        self._placed: dict[str, bytes] = {}
        key = secrets.token_hex(16)
        for place in (folder, folder / "data", folder / "tmp"):
            place.mkdir(mode=0o700, exist_ok=True)
        self._channels = Channels(folder, key)
        try:
            start = Start(manner, python, limits, folder, self._channels.descriptors, key)
            self._process, root = on_keeper(lambda: launch(start))
        except BaseException:
            self._channels.close()
            shutil.rmtree(folder, ignore_errors=True)
            raise
        self._tree = ProcessTree(root, sandboxed=manner != "none")
        self._next_look = 0.0
        self.last_used: float = time.monotonic()
        self.is_dead: bool = False

    def wait_until_ready(self) -> None:
        """Wait for the kernel to answer.

        Raises:
            KernelDied: it ended, or took too long; with what it said last.
        """
        self._channels.connect()
        try:
            self._ask("shell", "kernel_info_request", {}, self._limits.start_seconds)
        except KernelDied:
            said = self._said()
            self.close()
            raise KernelDied(said or "it did not answer in time") from None
        if self._process.stderr is not None:
            self._process.stderr.close()
        self._tree.look_for_kernel()
        self._known = self._listing()

    def _said(self) -> str:
        stderr = self._process.stderr
        if stderr is None or stderr.closed:
            return ""
        os.set_blocking(stderr.fileno(), False)
        with contextlib.suppress(OSError):
            return (stderr.read() or b"").decode(errors="replace").strip()[-1000:]
        return ""

    # -- a call ------------------------------------------------------------------------------------

    def execute(self, code: str, files: Mapping[str, bytes], cancelled: Event) -> Execution:
        """Run code; the result says what it showed, and whether the kernel is still there."""
        execution = Execution(Outputs(self._limits))
        self._tree.go_on()
        try:
            new = {name: each for name, each in files.items() if self._placed.get(name) != each}
            for name, content in new.items():
                if not self._put(name, content):
                    execution.unplaced.append(name)
            if new:
                self._placed.update(new)
                self._known = self._listing()
            self._run(code, execution, cancelled)
            self._tree.end_others()
            self._gather(execution.outputs)
            if not self._tree.end_others():
                raise KernelDied("left processes behind that could not be ended")  # noqa: TRY301
            self._tree.stop()
        except KernelDied as death:
            execution.died = True
            execution.stopped = execution.stopped or str(death) or None
            self.close()
        except BaseException:  # an interrupt, or a bug: nobody would stop what runs
            self.close()
            raise
        self.last_used = time.monotonic()
        return execution

    def _run(self, code: str, execution: Execution, cancelled: Event) -> None:
        outputs = execution.outputs
        asked = self._channels.send("shell", "execute_request", {"code": code, **_REQUEST})
        ends = time.monotonic() + self._limits.call_seconds
        seen: set[str] = set()
        while not seen >= {"execute_reply", "idle"}:
            for message in self._received():
                outputs.seen_bytes += message.size
                if message.parent == asked:
                    seen.add(str(message.content.get("execution_state", message.type)))
                    outputs.add(message.type, message.content)
            is_late = time.monotonic() > ends
            if "execute_reply" in seen:
                if is_late:
                    return  # it printed so much that the last message was lost
                ends = min(ends, time.monotonic() + _LAST_WORDS_SECONDS)
            elif execution.stopped is None:
                execution.stopped = self._reason_to_stop(outputs, cancelled, is_late=is_late)
                if execution.stopped is not None:
                    ends = time.monotonic() + self._limits.grace_seconds
            elif is_late:
                raise KernelDied
            elif "execute_input" in seen and "interrupt" not in seen:  # before, it would be lost
                self._channels.send("control", "interrupt_request", {})
                seen.add("interrupt")

    def _reason_to_stop(self, outputs: Outputs, cancelled: Event, *, is_late: bool) -> str | None:
        if cancelled.is_set():
            return "cancelled"
        if outputs.is_flood:
            return f"showed more than {self._limits.flood_bytes_max >> 10} KiB"
        if is_late:
            return f"took longer than {self._limits.call_seconds:g} s"
        return None

    def _received(self) -> Iterator[Received]:
        yield from self._channels.receive(_TURN_SECONDS)
        if self._process.poll() is not None:
            raise KernelDied
        if self._channels.is_cut:
            ended = self._tree.kernel_has_ended(_CUT_SECONDS)
            raise KernelDied("" if ended else "showed more at once than is read")
        now = time.monotonic()
        if now >= self._next_look:
            self._next_look = now + _LOOK_SECONDS
            excess = self._tree.excess(self._limits)
            if excess is not None:
                raise KernelDied(excess)  # at once: what it takes grows

    # -- files -------------------------------------------------------------------------------------

    def _put(self, name: str, content: bytes) -> bool:
        reply = self._ask("shell", "put_file", {"name": name}, _SMALL_SECONDS, (content,))
        return reply.content.get("status") == "ok"

    def _listing(self) -> dict[str, tuple[int, int, int]]:
        """Return the files of the working folder: size, time and number of each."""
        reply = self._ask("shell", "list_files", {"files_max": _FILES_LISTED}, _SMALL_SECONDS)
        found = reply.content.get("files")
        listed: dict[str, tuple[int, int, int]] = {}
        for entry in found if isinstance(found, list) else ():
            match entry:
                case [str(name), int(size), int(mtime), int(inode)] if _is_plain(name):
                    listed[name] = (size, mtime, inode)
        return listed

    def _gather(self, outputs: Outputs) -> None:
        """Take the files that are new or have changed."""
        before, self._known = self._known, self._listing()
        for name, facts in self._known.items():
            if before.get(name) == facts:
                continue
            room = outputs.artifact_bytes_left
            content = self._get(name, room) if facts[0] <= room else None
            if content is None:
                outputs.left_out += 1
            else:
                outputs.add_artifact(Artifact(_media_type(name), content, name))

    def _get(self, name: str, bytes_max: int) -> bytes | None:
        content = {"name": name, "bytes_max": bytes_max}
        reply = self._ask("shell", "get_file", content, _SMALL_SECONDS)
        if reply.content.get("status") != "ok" or len(reply.buffers) != 1:
            return None
        return reply.buffers[0] if len(reply.buffers[0]) <= bytes_max else None

    def _ask(
        self,
        channel: Channel,
        type_: str,
        content: Mapping[str, Any],
        seconds: float,
        buffers: tuple[bytes, ...] = (),
    ) -> Received:
        """Send a request, and return its answer."""
        asked = self._channels.send(channel, type_, content, buffers)
        ends = time.monotonic() + seconds
        while time.monotonic() < ends:
            for message in self._received():
                if message.channel == channel and message.parent == asked:
                    return message
        raise KernelDied

    # -- the end -----------------------------------------------------------------------------------

    @property
    def pid(self) -> int:
        """The kernel's process."""
        return self._tree.kernel

    @property
    def memory_bytes(self) -> int:
        """Memory of the kernel's processes."""
        return self._tree.memory_bytes()

    @property
    def has_ended(self) -> bool:
        """It ended by itself, or somebody else ended it."""
        return self._process.poll() is not None or self._tree.kernel_has_ended(0)

    def close(self) -> None:
        """End the kernel and all of its processes."""
        if self.is_dead:
            return
        self.is_dead = True
        self._tree.end()
        with contextlib.suppress(ProcessLookupError):
            self._process.kill()
        self._process.wait()
        if self._process.stderr is not None:
            self._process.stderr.close()
        self._channels.close()
        shutil.rmtree(self._folder, ignore_errors=True)


def _is_plain(name: str) -> bool:
    """Check for a name of a file that a person would give."""
    parts = name.split("/")
    return name.isprintable() and len(name) <= _NAME_MAX and not {"", ".", ".."} & set(parts)


def _media_type(name: str) -> str:
    return mimetypes.guess_type(name)[0] or "application/octet-stream"
