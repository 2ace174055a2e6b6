"""The code interpreter: runs Python code of a thread in the thread's own kernel.

It is a tool of an engine, and may be used without one.
"""

from __future__ import annotations

import asyncio
import inspect
import sys
import time
from collections.abc import Mapping
from pathlib import PurePath
from threading import Event, Lock
from types import TracebackType
from typing import Any, Final, Literal, Self

from eventstore import RunContext
from eventstore.engine.threads import in_thread
from eventstore.engine.tools import InvalidArguments, ToolAnswer, ToolContext
from eventstore.engine.tools.code_interpreter.inputs import files_in, has_kernel
from eventstore.engine.tools.code_interpreter.kernel import KernelDied
from eventstore.engine.tools.code_interpreter.kernels import Kernels
from eventstore.engine.tools.code_interpreter.limits import CodeLimits
from eventstore.engine.tools.code_interpreter.results import CodeResult, not_run, result_of
from eventstore.engine.tools.code_interpreter.sandbox import find
from eventstore.errors import InvalidInput

__all__ = ["CodeInterpreter", "CodeResult"]

_DESCRIPTION: Final = (
    "Run Python code in a Jupyter kernel of this conversation. Variables, imports and files last "
    "between calls. Printed text, the value of the last line, plots that are shown, and files "
    "written to the working folder come back. There is no network. Files of the user's messages "
    "are in the working folder."
)


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
        approval: bool = False,
    ) -> None:
        """Find out whether a sandbox is possible, by starting one.

        Args:
            sandbox: ``"none"`` does without: then code can do whatever this process can.
            limits: Limits of a kernel, and of all together.
            python: Python that runs the code, with ``ipykernel``; the sandbox sees its folders.
            approval: A person approves each call.

        Raises:
            ToolError: ``"no_sandbox"``, there can be none here.
        """
        if sandbox not in {"bubblewrap", "none"}:
            raise InvalidInput(
                "sandbox", f"{sandbox!r} is no sandbox", "Use 'bubblewrap' or 'none'."
            )
        limits = limits or CodeLimits()
        manner = "none" if sandbox == "none" else find(limits, python)
        self._kernels = Kernels(manner, python, limits)
        self.name: Final = "code_interpreter"
        """Name that the model calls it by."""
        self.definition: Final = {"type": "code_interpreter"}
        """Definition by which an assistant lists it."""
        self.repeatable: Final = False
        """Code may have run before a crash, so it is not run again by itself."""
        self.approval = approval
        """A person approves each call."""
        waiting = limits.queue_seconds + limits.start_seconds
        self.timeout_seconds: float = waiting + 2 * limits.call_seconds
        """Longest time that a call may take, with waiting for a kernel; its own limits end it."""
        self.output_bytes_max: int = 4 * limits.output_bytes_max + 64 * 1024
        """Most bytes of its output as JSON; its text is cut off long before."""
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
        self,
        thread_id: str,
        code: str,
        files: Mapping[str, bytes] | None = None,
        *,
        had_kernel: bool = False,
    ) -> CodeResult:
        """Run code in the thread's kernel.

        Args:
            thread_id: The thread.
            code: Python code.
            files: Files for the working folder, by name.
            had_kernel: The thread ran code before, perhaps in another process. If its kernel is
                gone, the result says so.

        Raises:
            ToolError: the interpreter is closed.
        """
        checked = {_checked_name(name): content for name, content in (files or {}).items()}
        cancelled = Event()
        with self._lock:
            self._running.setdefault(thread_id, set()).add(cancelled)
        try:
            return self._run(thread_id, code, checked, cancelled, had_kernel=had_kernel)
        finally:
            with self._lock:
                self._running[thread_id].discard(cancelled)
                if not self._running[thread_id]:
                    del self._running[thread_id]

    def _run(
        self,
        thread_id: str,
        code: str,
        files: Mapping[str, bytes],
        cancelled: Event,
        *,
        had_kernel: bool,
    ) -> CodeResult:
        began = time.monotonic()
        try:
            with self._kernels.turn(thread_id, cancelled) as turn:
                if turn is None:
                    return not_run(cancelled=cancelled.is_set())
                began = time.monotonic()
                execution = turn.kernel.execute(code, files, cancelled)
                is_restarted = turn.is_new and (had_kernel or turn.last_ended is not None)
                return result_of(
                    execution,
                    cancelled=cancelled.is_set(),
                    kernel="restarted" if is_restarted else "new" if turn.is_new else "kept",
                    seconds=time.monotonic() - began,
                    last_ended=turn.last_ended,
                )
        except KernelDied as death:
            note = f"The code was not run, because its kernel did not start: {death}"
            return CodeResult("failed", time.monotonic() - began, "none", note=note)

    @property
    def model_definition(self) -> dict[str, Any]:
        """The function that a model is shown."""
        code = {"type": "string", "description": "Python code."}
        parameters = {"type": "object", "properties": {"code": code}, "required": ["code"]}
        function = {"name": self.name, "description": _DESCRIPTION, "parameters": parameters}
        return {"type": "function", "function": function}

    async def call(self, arguments: object, context: ToolContext) -> ToolAnswer:
        """Run the code of a call, with the files of its run's messages."""
        # A model that writes its code as it is, without JSON around it, means the same.
        code = arguments.get("code") if isinstance(arguments, Mapping) else arguments
        if not isinstance(code, str):
            raise InvalidArguments('The arguments are invalid: give {"code": "…"}.')
        found = context.store.runs.context(context.thread_id, context.run_id)
        seen: RunContext = await found if inspect.isawaitable(found) else found
        files, had_kernel = files_in(seen), has_kernel(seen)
        # Two tenants may give their threads the same id.
        thread = f"{context.tenant}/{context.thread_id}" if context.tenant else context.thread_id
        try:
            result = await in_thread(lambda: self.run(thread, code, files, had_kernel=had_kernel))
        except asyncio.CancelledError:
            self.cancel(thread)
            raise
        is_good = result.status == "completed"
        return ToolAnswer(result.output, "completed" if is_good else "failed", result.parts)

    async def aclose(self) -> None:
        """End all kernels; an engine calls this when it is closed."""
        await in_thread(self.close)

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
