"""The code interpreter: runs Python code of a thread in the thread's own kernel."""

from __future__ import annotations

import base64
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import PurePath
from threading import Event, Lock
from types import TracebackType
from typing import Any, Final, Literal, Self

from eventstore import FilePart, ImagePart
from eventstore.engine.tools.code_interpreter.kernel import Execution, KernelDied
from eventstore.engine.tools.code_interpreter.kernels import Kernels
from eventstore.engine.tools.code_interpreter.limits import CodeLimits
from eventstore.engine.tools.code_interpreter.outputs import Artifact, CodeError, Outputs
from eventstore.engine.tools.code_interpreter.sandbox import find
from eventstore.errors import InvalidInput

__all__ = ["CodeInterpreter", "CodeResult"]

_GONE: Final = "All variables and files of earlier calls are gone."


@dataclass(frozen=True, slots=True)
class CodeResult:
    """Outcome of one call."""

    status: Literal["completed", "failed", "cancelled"]
    """Outcome. ``"failed"`` after an exception, or when a limit was exceeded."""
    duration_seconds: float
    """Time that the call took, without waiting for a kernel."""
    kernel: Literal["new", "kept", "restarted", "none"]
    """``"restarted"``: the thread had a kernel before, and its variables are gone."""
    stdout: str = field(default="", repr=False)
    """Text that was printed."""
    stderr: str = field(default="", repr=False)
    """Text that was printed as errors and warnings."""
    result: str = field(default="", repr=False)
    """Value of the last line."""
    error: CodeError | None = None
    """Exception that ended the code."""
    note: str = ""
    """Words for the model: the limit that was exceeded, variables that are gone."""
    artifacts: tuple[Artifact, ...] = field(default=(), repr=False)
    """Images that were shown, and files that were written."""

    @property
    def output(self) -> dict[str, Any]:
        """The result as JSON, for a ``tool_result`` part. Images and files are named in it."""
        error = self.error
        found: dict[str, Any] = {
            "stdout": self.stdout,
            "stderr": self.stderr,
            "result": self.result,
            "error": error
            and {"name": error.name, "message": error.message, "traceback": error.traceback},
            "note": self.note,
            "images": sum(1 for each in self.artifacts if each.name is None),
            "files": [each.name for each in self.artifacts if each.name is not None],
        }
        shown = {name: value for name, value in found.items() if value}
        return {**shown, "kernel": self.kernel, "duration_seconds": round(self.duration_seconds, 3)}

    @property
    def parts(self) -> tuple[ImagePart | FilePart, ...]:
        """Images and files as content parts, which hold the bytes themselves."""
        return tuple(map(_part, self.artifacts))


def _part(artifact: Artifact) -> ImagePart | FilePart:
    encoded = base64.b64encode(artifact.content).decode()
    address = f"data:{artifact.media_type};base64,{encoded}"
    if artifact.media_type in {"image/png", "image/jpeg"} and artifact.name is None:
        return ImagePart(url=address)
    return FilePart(file_id=address, name=artifact.name, media_type=artifact.media_type)


class CodeInterpreter:
    """Runs Python code of many threads, each in a sandboxed kernel of its own.

    The state of a kernel lasts between the calls of its thread. Any OS thread may call :meth:`run`;
    calls for the same thread wait for each other.
    """

    def __init__(
        self,
        *,
        sandbox: Literal["bubblewrap", "none"] = "bubblewrap",
        limits: CodeLimits | None = None,
        python: str = sys.executable,
    ) -> None:
        """``python`` runs the code, and has ``ipykernel``; its folders are visible in the sandbox.

        Raises:
            ToolError: there can be no sandbox here. Only ``sandbox="none"`` does without, and then
                code can do whatever this process can.
        """
        if sandbox not in {"bubblewrap", "none"}:
            raise InvalidInput(
                "sandbox", f"{sandbox!r} is no sandbox", "Use 'bubblewrap' or 'none'."
            )
        limits = limits or CodeLimits()
        manner = "none" if sandbox == "none" else find(limits, python)
        self._kernels = Kernels(manner, python, limits)
        self._running: dict[str, set[Event]] = {}
        self._lock = Lock()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def run(
        self, thread_id: str, code: str, files: Mapping[str, bytes] | None = None
    ) -> CodeResult:
        """Run code in the thread's kernel, with ``files`` in its working folder.

        Raises:
            ToolError: the interpreter is closed.
        """
        checked = {_checked_name(name): content for name, content in (files or {}).items()}
        cancelled = Event()
        with self._lock:
            self._running.setdefault(thread_id, set()).add(cancelled)
        try:
            return self._run(thread_id, code, checked, cancelled)
        finally:
            with self._lock:
                self._running[thread_id].discard(cancelled)
                if not self._running[thread_id]:
                    del self._running[thread_id]

    def _run(
        self, thread_id: str, code: str, files: Mapping[str, bytes], cancelled: Event
    ) -> CodeResult:
        began = time.monotonic()
        try:
            with self._kernels.turn(thread_id, cancelled) as turn:
                if turn is None:
                    return _not_run(cancelled)
                began = time.monotonic()
                execution = turn.kernel.execute(code, files, cancelled)
                return _result(
                    execution,
                    cancelled=cancelled.is_set(),
                    kernel="kept" if not turn.is_new else "restarted" if turn.last_ended else "new",
                    seconds=time.monotonic() - began,
                    last_ended=turn.last_ended,
                )
        except KernelDied as death:
            note = f"The code was not run, because its kernel did not start: {death}"
            return CodeResult("failed", time.monotonic() - began, "none", note=note)

    def cancel(self, thread_id: str) -> bool:
        """Interrupt the calls of a thread, and tell whether there was one."""
        with self._lock:
            running = self._running.get(thread_id, ())
            for each in running:
                each.set()
            return bool(running)

    @property
    def kernels(self) -> int:
        """Number of kernels there are now."""
        return len(self._kernels)

    @property
    def memory_bytes(self) -> int:
        """Memory that all kernels take now."""
        return self._kernels.memory_bytes

    def process_of(self, thread_id: str) -> int | None:
        """Return the process of the thread's kernel, for those who watch over it."""
        return self._kernels.process_of(thread_id)

    def close(self) -> None:
        """End all kernels, and the calls that run in them."""
        with self._lock:
            for running in self._running.values():
                for each in running:
                    each.set()
        self._kernels.close()


def _checked_name(name: str) -> str:
    """Return the name under which a caller's file is placed."""
    plain = PurePath(name).name
    if not plain or plain != name or "\0" in name or name.startswith("."):
        raise InvalidInput("files", "a name of a file is no plain name", "Give names like 'a.csv'.")
    return plain


def _not_run(cancelled: Event) -> CodeResult:
    if cancelled.is_set():
        return CodeResult("cancelled", 0, "none", note="The call was cancelled before it began.")
    note = "The code was not run: all kernels were busy for too long. Try again later."
    return CodeResult("failed", 0, "none", note=note)


def _result(
    execution: Execution,
    *,
    cancelled: bool,
    kernel: Literal["new", "kept", "restarted"],
    seconds: float,
    last_ended: str | None,
) -> CodeResult:
    outputs = execution.outputs
    is_good = outputs.error is None and execution.stopped is None and not execution.died
    return CodeResult(
        "cancelled" if cancelled and not is_good else "completed" if is_good else "failed",
        seconds,
        kernel,
        outputs.text("stdout"),
        outputs.text("stderr"),
        outputs.text("result"),
        outputs.error,
        " ".join(_notes(execution, outputs, last_ended)),
        tuple(outputs.artifacts),
    )


def _notes(execution: Execution, outputs: Outputs, last_ended: str | None) -> list[str]:
    notes = []
    if last_ended is not None:
        notes.append(f"The kernel was started anew, since {last_ended}. {_GONE}")
    if execution.stopped == "cancelled":
        notes.append("The call was cancelled.")
    elif execution.stopped is not None:
        notes.append(f"The code was stopped: it {execution.stopped}.")
    if execution.died:
        ended = "" if execution.stopped else "The kernel ended while the code ran. "
        notes.append(f"{ended}{_GONE}")
    if outputs.left_out:
        notes.append(f"{outputs.left_out} images or files were too large, or too many, to return.")
    if execution.unplaced:
        notes.append(f"{len(execution.unplaced)} files could not be placed in the working folder.")
    return notes
