"""The run inside ``with store.runs.record(…) as run:``, on either face, and its heartbeats."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeVar

from eventstore.api.operations.recording import Recording
from eventstore.api.operations.routine import Drives, DrivesAsync
from eventstore.conversation.provider_form import ProviderForm
from eventstore.conversation.run_values import Run, RunContext
from eventstore.conversation.values import Message

__all__ = ["AsyncRecordedRun", "RecordedRun"]

T = TypeVar("T")


class _Recorded:
    """The parts of a recorded run that write nothing."""

    def __init__(self, recording: Recording) -> None:
        self._recording = recording

    @property
    def run(self) -> Run:
        """The run, as it was last seen."""
        run = self._recording.run
        assert run is not None  # noqa: S101 (the block begins once the run has started)
        return run

    @property
    def id(self) -> str:
        """The run's id."""
        return self._recording.run_id

    @property
    def fence(self) -> int:
        """Number of this holder, for writes that are not made here, for example of steps."""
        fence = self._recording.fence
        assert fence is not None  # noqa: S101 (as above)
        return fence

    @property
    def cancelling(self) -> bool:
        """True once a heartbeat saw that the run was asked to stop: leave the block then."""
        return self._recording.cancelling

    def tool_call(self, call_id: str, name: str, arguments: object = None) -> None:
        """Add a tool call to the message that is being written.

        Args:
            call_id: Id of the call, as the model gave it.
            name: Name of the tool.
            arguments: The arguments, any JSON value.
        """
        self._recording.tool_call(call_id, name, arguments)

    def usage(self, *, input_tokens: int = 0, output_tokens: int = 0) -> None:
        """Add to the tokens that the run took.

        Args:
            input_tokens: Tokens that a model read.
            output_tokens: Tokens that it wrote.
        """
        self._recording.count(input_tokens, output_tokens)

    def incomplete(self, reason: str) -> None:
        """Say that the answer was cut off: message and run end ``incomplete``.

        Args:
            reason: The reason, for example ``"max_tokens"``.
        """
        self._recording.cut_off(reason)


class RecordedRun(_Recorded):
    """A run that is being recorded. Use it in one thread."""

    def __init__(self, recording: Recording, do: Drives) -> None:
        super().__init__(recording)
        self._do = do

    def context(self, *, last_messages: int | None = None) -> RunContext:
        """Return the messages to give to the model.

        Args:
            last_messages: Keep only so many of the newest messages.
        """
        return self._do(self._recording.context(last_messages))

    def text(self, delta: str) -> None:
        """Add text to the message that is being written.

        Readers of ``runs.stream`` see it: the first at once, then some pieces a second.

        Args:
            delta: The text.

        Raises:
            LeaseLost: another worker took the run over.
        """
        self._do(self._recording.text(delta))

    def message(
        self, *, provider: ProviderForm | None = None, metadata: Mapping[str, Any] | None = None
    ) -> Message | None:
        """Add the message that is being written to the thread; None if there is none.

        A tool's result and the end of the block do this by themselves.

        Args:
            provider: The provider's own form of it; erasable.
            metadata: JSON object of your own; erasable.

        Raises:
            LeaseLost: another worker took the run over.
        """
        return self._do(self._recording.message(provider, metadata))

    def tool_result(self, call_id: str, output: object, *, failed: bool = False) -> Message:
        """Add the result of a tool call.

        Args:
            call_id: Id of the call.
            output: The tool's answer, any JSON value.
            failed: The tool failed, and ``output`` says how.

        Raises:
            LeaseLost: another worker took the run over.
        """
        return self._do(self._recording.tool_result(call_id, output, failed=failed))

    def require_action(self) -> Run:
        """Let the run wait for the outputs of its open calls; leave the block then."""
        return self._do(self._recording.require_action())


class AsyncRecordedRun(_Recorded):
    """A run that is being recorded. Use it in one task."""

    def __init__(self, recording: Recording, do: DrivesAsync) -> None:
        super().__init__(recording)
        self._do = do

    async def context(self, *, last_messages: int | None = None) -> RunContext:
        """Return the messages to give to the model.

        Args:
            last_messages: Keep only so many of the newest messages.
        """
        return await self._do(self._recording.context(last_messages))

    async def text(self, delta: str) -> None:
        """Add text to the message that is being written.

        Readers of ``runs.stream`` see it: the first at once, then some pieces a second.

        Args:
            delta: The text.

        Raises:
            LeaseLost: another worker took the run over.
        """
        await self._do(self._recording.text(delta))

    async def message(
        self, *, provider: ProviderForm | None = None, metadata: Mapping[str, Any] | None = None
    ) -> Message | None:
        """Add the message that is being written to the thread; None if there is none.

        A tool's result and the end of the block do this by themselves.

        Args:
            provider: The provider's own form of it; erasable.
            metadata: JSON object of your own; erasable.

        Raises:
            LeaseLost: another worker took the run over.
        """
        return await self._do(self._recording.message(provider, metadata))

    async def tool_result(self, call_id: str, output: object, *, failed: bool = False) -> Message:
        """Add the result of a tool call.

        Args:
            call_id: Id of the call.
            output: The tool's answer, any JSON value.
            failed: The tool failed, and ``output`` says how.

        Raises:
            LeaseLost: another worker took the run over.
        """
        return await self._do(self._recording.tool_result(call_id, output, failed=failed))

    async def require_action(self) -> Run:
        """Let the run wait for the outputs of its open calls; leave the block then."""
        return await self._do(self._recording.require_action())
