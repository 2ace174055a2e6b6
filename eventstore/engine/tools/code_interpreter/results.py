"""The result of a call: what the model is told, and the parts that hold images and files."""

from __future__ import annotations

import base64
from dataclasses import dataclass, field
from typing import Any, Final, Literal

from eventstore import FilePart, ImagePart
from eventstore.engine.tools.code_interpreter.kernel import Execution
from eventstore.engine.tools.code_interpreter.outputs import Artifact, CodeError, Outputs

__all__ = ["CodeResult", "not_run", "result_of"]

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


def not_run(*, cancelled: bool) -> CodeResult:
    """Return the result of a call that got no kernel."""
    if cancelled:
        return CodeResult("cancelled", 0, "none", note="The call was cancelled before it began.")
    note = "The code was not run: all kernels were busy for too long. Try again later."
    return CodeResult("failed", 0, "none", note=note)


def result_of(
    execution: Execution,
    *,
    cancelled: bool,
    kernel: Literal["new", "kept", "restarted"],
    seconds: float,
    last_ended: str | None,
) -> CodeResult:
    """Return the result of a call that ran."""
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
        " ".join(_notes(execution, outputs, kernel, last_ended)),
        tuple(outputs.artifacts),
    )


def _notes(
    execution: Execution, outputs: Outputs, kernel: str, last_ended: str | None
) -> list[str]:
    notes = []
    if kernel == "restarted":
        since = "" if last_ended is None else f", since {last_ended}"
        notes.append(f"The kernel was started anew{since}. {_GONE}")
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
