"""A run of an application's own agent loop, while it is recorded.

A :class:`Recording` is the logic for both faces: routines that yield the store's own operations. A
face runs them, keeps the lease with heartbeats, and ends the run however its block is left.

The database decides what holds. An interrupt may strike between a commit and the line that would
note it, so everything here may be done again: a piece of text that is there adds nothing, and a
run that has ended refuses a second end, which is ignored while an error passes through.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Any, Final

from eventstore.api.operations import messages, run_actions, run_ends, run_streams, runs
from eventstore.api.operations.operation import Scope, Write
from eventstore.api.operations.routine import Routine
from eventstore.api.operations.run_context import context
from eventstore.conversation.provider_form import ProviderForm
from eventstore.conversation.run_values import Run, RunContext, TokenUsage
from eventstore.conversation.text_buffer import TextBuffer
from eventstore.conversation.values import Message
from eventstore.core import ids
from eventstore.core.json_values import NAME_MAX, check_text
from eventstore.errors import ConversationStoreError, Refused

__all__ = ["Recording"]

_BEAT_SECONDS_MIN: Final = 0.01


class Recording:
    """One run, while its loop is at work. Each method is a routine."""

    def __init__(
        self,
        scope: Scope,
        thread_id: str,
        run_id: str,
        begin: Write[Run],
        *,
        new: bool,
        lease_seconds: float,
    ) -> None:
        self.thread_id: Final = thread_id
        self.run_id: Final = run_id
        self.beat_seconds: Final = max(lease_seconds / 3, _BEAT_SECONDS_MIN)
        self.run: Run | None = None
        """The run as it was last seen; None before it started."""
        self.cancelling: bool = False
        """True once a heartbeat saw that the run was asked to stop."""
        self._scope = scope
        self._begin = begin
        self._new = new
        self._lease_seconds = lease_seconds
        self._message_id: str | None = None
        self._parts: list[Any] = []
        self._buffer = TextBuffer()
        self._usage: TokenUsage | None = None
        self._incomplete: str | None = None
        self._waits = False
        self.text_waits: Callable[[], object] = bool  # nobody waits for it yet
        """Called when text begins to wait for its time."""

    @property
    def fence(self) -> int | None:
        """The number of this holder; None before it holds the run."""
        return None if self.run is None else self.run.fence

    def begin(self) -> Routine[None]:
        """Start the run, and make it first if it is new, in one append."""
        self.run = yield self._begin

    def beat(self) -> Routine[None]:
        """Renew the lease."""
        if self.fence is not None:
            seen: Run = yield runs.heartbeat(
                *self._names, fence=self.fence, lease_seconds=self._lease_seconds
            )
            self.cancelling = seen.status == "cancelling"

    @property
    def _names(self) -> tuple[Scope, str, str]:
        return self._scope, self.thread_id, self.run_id

    # -- what the loop says ----------------------------------------------------------------------

    def context(self, last_messages: int | None) -> Routine[RunContext]:
        """Return the messages that the run works with."""
        seen: RunContext = yield context(*self._names, last_messages=last_messages)
        return seen

    def text(self, delta: str) -> Routine[None]:
        """Add text to the message that is being written, and show it when a piece is due."""
        check_text(delta, "delta")
        if not delta:
            return
        self._open()
        if self._parts and isinstance(self._parts[-1], str):
            self._parts[-1] += delta
        else:
            self._parts.append(delta)
        waited = self.due_seconds is not None
        yield from self._show(self._buffer.add(delta, time.monotonic()))
        if not waited and self.due_seconds is not None:
            self.text_waits()

    @property
    def due_seconds(self) -> float | None:
        """Seconds until the text that waits is to be shown; None if none waits."""
        return self._buffer.wait_seconds(time.monotonic())

    def show_due(self) -> Routine[None]:
        """Show the text whose time has come: the model may pause before it says more."""
        yield from self._show(self._buffer.due(time.monotonic()))

    def _open(self) -> None:
        if self._message_id is None:
            self._message_id = ids.show(ids.MESSAGE, self._scope.log.environment.new_id())

    def _show(self, piece: str) -> Routine[None]:
        if not piece or self._message_id is None:
            return
        yield run_streams.write_text(
            *self._names,
            piece,
            message_id=self._message_id,
            offset=self._buffer.offset,
            fence=self.fence,
        )
        self._buffer.written(piece)

    def tool_call(self, call_id: str, name: str, arguments: object) -> None:
        """Add a tool call to the message that is being written."""
        self._open()
        call = {"type": "tool_call", "id": call_id, "name": name, "arguments": arguments}
        self._parts.append(call)

    def message(
        self, provider: ProviderForm | None, metadata: Mapping[str, Any] | None
    ) -> Routine[Message | None]:
        """Add the message that is being written to the thread."""
        if self._message_id is None:
            return None
        made: Message = yield messages.create(
            self._scope,
            self.thread_id,
            role="assistant",
            content=self._parts,
            run_id=self.run_id,
            message_id=self._message_id,
            status="completed" if self._incomplete is None else "incomplete",
            provider=provider,
            metadata=metadata,
            fence=self.fence,
        )
        self._message_id, self._parts, self._buffer = None, [], TextBuffer()
        return made

    def tool_result(self, call_id: str, output: object, *, failed: bool) -> Routine[Message]:
        """Add the message that made a call, unless it is there, and the result of the call."""
        yield from self.message(None, None)
        status = "failed" if failed else "completed"
        result = {"type": "tool_result", "call_id": call_id, "output": output, "status": status}
        made: Message = yield messages.create(
            self._scope,
            self.thread_id,
            role="tool",
            content=[result],
            run_id=self.run_id,
            fence=self.fence,
        )
        return made

    def require_action(self) -> Routine[Run]:
        """Let the run wait for the outputs of its open calls."""
        yield from self.message(None, None)
        self.run = yield run_actions.require_action(*self._names, fence=self.fence)
        self._waits = True
        assert self.run is not None  # noqa: S101 (just answered)
        return self.run

    def count(self, input_tokens: int, output_tokens: int) -> None:
        """Add to the tokens that the run took."""
        before = self._usage or TokenUsage()
        self._usage = TokenUsage(
            input_tokens=before.input_tokens + input_tokens,
            output_tokens=before.output_tokens + output_tokens,
        )

    def cut_off(self, reason: str) -> None:
        """Note that the answer is not whole, so that the run ends incomplete."""
        self._incomplete = check_text(reason, "reason", NAME_MAX)

    # -- how it ends -----------------------------------------------------------------------------

    def finish(self) -> Routine[None]:
        """Add the last message, and end the run, unless it waits for outputs."""
        yield from self.message(None, None)
        if not self._waits:
            self.run = yield run_ends.complete(
                *self._names,
                usage=self._usage,
                incomplete_reason=self._incomplete,
                fence=self.fence,
            )

    def fail(self, error: Exception) -> Routine[None]:
        """End the run after an error of the loop; the text so far stays as an incomplete message.

        What the store refuses now is not raised: the loop's own error goes on.
        """
        if not self._holds_it:
            return
        yield from self._keep_text()
        code = getattr(error, "reason" if isinstance(error, Refused) else "code", None)
        named = code if isinstance(code, str) and code else type(error).__name__
        yield from _tried(
            run_ends.fail(*self._names, code=named[:NAME_MAX], usage=self._usage, fence=self.fence)
        )

    def stop(self) -> Routine[None]:
        """End the run after a cancellation; the text so far stays as an incomplete message."""
        if not self._holds_it:
            return
        yield from self._keep_text()
        run = yield from _tried(run_ends.cancel(*self._names, fence=self.fence))
        if run is not None and run.status == "cancelling":
            yield from _tried(run_ends.cancel(*self._names, fence=self.fence))

    @property
    def _holds_it(self) -> bool:
        """True if it started the run, or may have: a new run has an id that nobody else knows."""
        return self._new or self.fence is not None

    def _keep_text(self) -> Routine[None]:
        piece = self._buffer.rest(time.monotonic())
        if piece and self._message_id is not None:
            shown = run_streams.write_text(
                *self._names,
                piece,
                message_id=self._message_id,
                offset=self._buffer.offset,
                fence=self.fence,
            )
            if (yield from _tried(shown)) is not None:
                self._buffer.written(piece)


def _tried(one: Write[Any]) -> Routine[Any]:
    """Perform a write while an error passes through; None if the store refuses it."""
    try:
        return (yield one)
    except ConversationStoreError:
        return None
