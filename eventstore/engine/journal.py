"""Writes what is decided about one run, under the fence of its claim."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, Final

from eventstore import Batch, Handle, Run, RunStep, ToolResultPart
from eventstore.engine import records as r
from eventstore.engine.requests import Together

__all__ = ["ANSWER", "CALLS", "Journal"]

ANSWER: Final = "message_creation"
CALLS: Final = "tool_calls"
"""Types of steps."""


class Journal:
    """Writes what is decided about one run, under the fence of its claim."""

    def __init__(self, run: Run, step_ids: Iterable[str] = ()) -> None:
        self.run = run
        self.rests: Run | None = None
        """The run as the last record left it, once it has ended or waits for people."""
        self.elsewhere: Sequence[str] = ()
        """Names of tools that the model is offered, and that this engine does not have."""
        self._step_ids = list(step_ids)

    def write(self, records: Sequence[r.Record]) -> Together:
        """Write records together."""
        return Together(self.run.thread_id, lambda batch: self._collect(batch, records))

    def written(self, made: Iterable[Handle[Any]]) -> None:
        """Note the steps that the records began, and the run as they left it."""
        for handle in made:
            if isinstance(handle.object, Run):
                self.rests = handle.object
            elif handle.id is not None:
                self._step_ids.append(handle.id)

    def message_id(self, step: int) -> str:
        """Return the id of the message that a step writes: the step's own, as a message's."""
        return f"msg_{self._step_ids[step].partition('_')[2]}"

    def _collect(self, batch: Batch, records: Sequence[r.Record]) -> list[Handle[Any]]:
        """Collect the calls for some records; return what tells of steps begun, and of the run."""
        made = [self._one(batch, record) for record in records]
        return [handle for handle in made if handle is not None]

    def _one(  # noqa: C901, PLR0911 (one case a record)
        self, batch: Batch, record: r.Record
    ) -> Handle[Run] | Handle[RunStep] | None:
        run, fence = self.run, self._fence
        match record:
            case r.BeginAnswer(context, estimated, tools):
                known: dict[str, Any] = {"estimated_tokens": estimated, "tools": tools}
                known["elsewhere"] = list(self.elsewhere) or None
                details = {key: value for key, value in known.items() if value is not None}
                return batch.runs.steps.start(
                    run.id, type=ANSWER, context=context, details=details or None, **fence
                )
            case r.BeginCalls(calls):
                listed = {"calls": list(calls)}
                return batch.runs.steps.start(run.id, type=CALLS, details=listed, **fence)
            case r.WriteAnswer(step, parts, status, provider):
                batch.messages.create(
                    role="assistant",
                    content=parts,
                    status=status,
                    run_id=run.id,
                    message_id=self.message_id(step),
                    provider=provider,
                    **fence,
                )
            case r.WriteResult(call_id, output, status, parts):
                result = ToolResultPart(call_id=call_id, output=output, status=status)
                batch.messages.create(role="tool", content=[result, *parts], run_id=run.id, **fence)
            case r.EndStep(step, usage, details):
                batch.runs.steps.complete(
                    self._step_ids[step], usage=usage, details=details or None, **fence
                )
            case r.FailStep(step, code, message):
                batch.runs.steps.fail(self._step_ids[step], code=code, message=message, **fence)
            case r.RequireAction(calls):
                return batch.runs.require_action(run.id, calls=calls, **fence)
            case r.Complete(usage, reason):
                return batch.runs.complete(run.id, usage=usage, incomplete_reason=reason, **fence)
            case r.Fail(code, message, usage):
                return batch.runs.fail(run.id, code=code, message=message, usage=usage, **fence)
            case r.Expire():
                return batch.runs.expire(run.id, **fence)
            case r.Cancel():
                return batch.runs.cancel(run.id, **fence)
        return None

    @property
    def _fence(self) -> dict[str, Any]:
        return {"fence": self.run.fence}
