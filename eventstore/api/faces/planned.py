"""The methods of a batch, written from the operations by `python -m scripts.faces`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from msgspec import UNSET, UnsetType

from eventstore.api.faces.batch_base import BatchPart
from eventstore.api.faces.handles import Handle
from eventstore.api.operations import approvals as _approvals
from eventstore.api.operations import branches as _branches
from eventstore.api.operations import message_changes as _message_changes
from eventstore.api.operations import message_siblings as _message_siblings
from eventstore.api.operations import messages as _messages
from eventstore.api.operations import run_actions as _run_actions
from eventstore.api.operations import run_ends as _run_ends
from eventstore.api.operations import run_steps as _run_steps
from eventstore.api.operations import runs as _runs
from eventstore.api.operations import threads as _threads
from eventstore.conversation.commands import OnBusy
from eventstore.conversation.parts import Content
from eventstore.conversation.provider_form import ProviderForm
from eventstore.conversation.rows import ActionReason, GivenStatus, Role
from eventstore.conversation.run_values import Run, RunContext, RunStep, TokenUsage
from eventstore.conversation.tool_definition import ToolGiven
from eventstore.conversation.values import Branch, Message, Thread

__all__ = ["BatchBranches", "BatchMessages", "BatchRuns", "BatchSteps", "BatchThread"]


class BatchMessages(BatchPart):
    """Commands on messages, collected for the end of the batch."""

    def create(
        self,
        *,
        role: Role,
        content: Content,
        parent_id: str | UnsetType | None = UNSET,
        select: bool = True,
        name: str | None = None,
        run_id: str | None = None,
        on_busy: OnBusy | None = None,
        message_id: str | None = None,
        external_id: str | None = None,
        original_created_at: datetime | None = None,
        status: GivenStatus = "completed",
        metadata: Mapping[str, Any] | None = None,
        provider: ProviderForm | None = None,
        fence: int | None = None,
    ) -> Handle[Message]:
        """Add a message to a thread.

        It goes under the head, and becomes the head. A run's own message (``run_id``) goes under
        the last message of that run instead. On a busy thread a message without ``parent_id``
        follows ``on_busy``.

        Args:
            role: Who speaks.
            content: Text, a part, or a list of texts and parts.
            parent_id: Message to put it under; the head if left out, a new root if None.
            select: Make it the head. False leaves the head where it is.
            name: Name of the speaker, up to 255 characters; erasable.
            run_id: Run that writes it.
            on_busy: ``"enqueue"`` (the default) waits for the run to end, ``"reject"`` refuses,
                ``"interrupt"`` cancels the run and keeps what it wrote, ``"rollback"`` cancels it
                and goes back to where it started.
            message_id: Id of your own: ``msg_`` and 32 lowercase hex digits, new to the thread.
            external_id: Name of the message elsewhere, up to 255 characters, unique in the thread.
            original_created_at: When it was written, for imported messages; with a time zone.
            status: ``"incomplete"`` for an answer that was cut off.
            metadata: JSON object of your own; erasable.
            provider: The provider's own form of it, returned byte for byte; erasable.
            fence: Fence of the run's holder, from ``start``; needed once another holder took over.

        Raises:
            InvalidInput: a value is malformed, or an id is in use.
            ThreadNotFound, MessageNotFound, RunNotFound: something that it names does not exist.
            Refused: the thread is busy, archived or deleted; a result has no call, or something
                else stands under an open call.
            LeaseLost: another worker took the run over.
            WrongExpectedHead, WrongExpectedVersion, IdempotencyConflict: a guard does not hold.
        """
        return self._batch.collect(
            _messages.create(
                self._batch.scope,
                self._batch.thread_id,
                role=role,
                content=content,
                parent_id=parent_id,
                select=select,
                name=name,
                run_id=run_id,
                on_busy=on_busy,
                message_id=message_id,
                external_id=external_id,
                original_created_at=original_created_at,
                status=status,
                metadata=metadata,
                provider=provider,
                fence=fence,
            )
        )

    def edit(
        self,
        message_id: str,
        *,
        content: Content,
        select: bool = True,
        name: str | None = None,
        new_message_id: str | None = None,
        external_id: str | None = None,
        metadata: Mapping[str, Any] | None = None,
        provider: ProviderForm | None = None,
    ) -> Handle[Message]:
        """Change the prompt and ask again: add a new message beside the one that it replaces.

        The old message and everything below it stay as they are; ``branches.select`` goes back to
        them. A message that still waits in the queue leaves it, and the new one takes its place
        there.

        Args:
            message_id: Message to replace.
            content: Text, a part, or a list of texts and parts.
            select: Make the new message the head.
            name: Name of the speaker, up to 255 characters; erasable.
            new_message_id: Id of your own for the new message: ``msg_`` and 32 lowercase hex
                digits.
            external_id: Name of the new message elsewhere, unique in the thread.
            metadata: JSON object of your own; erasable.
            provider: The provider's own form of it, returned byte for byte; erasable.

        Raises:
            InvalidInput: a value is malformed, or an id is in use.
            ThreadNotFound, MessageNotFound: there is no such message.
            Refused: it is removed or was replaced already; or see ``create``.
            WrongExpectedHead, WrongExpectedVersion, IdempotencyConflict: a guard does not hold.
        """
        return self._batch.collect(
            _message_siblings.edit(
                self._batch.scope,
                self._batch.thread_id,
                message_id,
                content=content,
                select=select,
                name=name,
                new_message_id=new_message_id,
                external_id=external_id,
                metadata=metadata,
                provider=provider,
            )
        )

    def regenerate(
        self,
        message_id: str,
        *,
        content: Content,
        select: bool = True,
        name: str | None = None,
        run_id: str | None = None,
        new_message_id: str | None = None,
        external_id: str | None = None,
        status: GivenStatus = "completed",
        metadata: Mapping[str, Any] | None = None,
        provider: ProviderForm | None = None,
        fence: int | None = None,
    ) -> Handle[Message]:
        """Add another answer beside an assistant's message.

        The old answer stays as it is; ``branches.select`` goes back to it.

        Args:
            message_id: Answer to put another one beside.
            content: Text, a part, or a list of texts and parts.
            select: Make the new answer the head.
            name: Name of the speaker, up to 255 characters; erasable.
            run_id: Run that writes it.
            new_message_id: Id of your own for the new answer: ``msg_`` and 32 lowercase hex digits.
            external_id: Name of the new answer elsewhere, unique in the thread.
            status: ``"incomplete"`` for an answer that was cut off.
            metadata: JSON object of your own; erasable.
            provider: The provider's own form of it, returned byte for byte; erasable.
            fence: Fence of the run's holder, from ``start``; needed once another holder took over.

        Raises:
            InvalidInput: a value is malformed, or an id is in use.
            ThreadNotFound, MessageNotFound, RunNotFound: something that it names does not exist.
            Refused: it is not an assistant's message; or see ``create``.
            LeaseLost: another worker took the run over.
            WrongExpectedHead, WrongExpectedVersion, IdempotencyConflict: a guard does not hold.
        """
        return self._batch.collect(
            _message_siblings.regenerate(
                self._batch.scope,
                self._batch.thread_id,
                message_id,
                content=content,
                select=select,
                name=name,
                run_id=run_id,
                new_message_id=new_message_id,
                external_id=external_id,
                status=status,
                metadata=metadata,
                provider=provider,
                fence=fence,
            )
        )

    def amend(
        self, message_id: str, *, content: Content, provider: ProviderForm | None = None
    ) -> Handle[Message]:
        """Correct the content of a message in place; ``revisions`` keeps every earlier wording.

        Args:
            message_id: Message to correct.
            content: Text, a part, or a list of texts and parts.
            provider: The provider's own form of the new wording; the old form goes with the old
                one.

        Raises:
            InvalidInput: the content is malformed.
            ThreadNotFound, MessageNotFound: there is no such message.
            Refused: it is removed, or its tool calls would change.
            WrongExpectedHead, WrongExpectedVersion, IdempotencyConflict: a guard does not hold.
        """
        return self._batch.collect(
            _message_changes.amend(
                self._batch.scope,
                self._batch.thread_id,
                message_id,
                content=content,
                provider=provider,
            )
        )

    def update(
        self,
        message_id: str,
        *,
        metadata: Mapping[str, Any] | UnsetType | None = UNSET,
        name: str | UnsetType | None = UNSET,
    ) -> Handle[Message]:
        """Replace a message's metadata or name. An argument that is left out changes nothing.

        Args:
            message_id: Message to update.
            metadata: JSON object that takes the place of the old one; None takes it away.
            name: Name of the speaker; None takes it away.

        Raises:
            InvalidInput: a value is malformed, or none was given.
            ThreadNotFound, MessageNotFound: there is no such message.
            Refused: it is removed.
            WrongExpectedHead, WrongExpectedVersion, IdempotencyConflict: a guard does not hold.
        """
        return self._batch.collect(
            _message_changes.update(
                self._batch.scope, self._batch.thread_id, message_id, metadata=metadata, name=name
            )
        )

    def remove(self, message_id: str) -> Handle[Message]:
        """Hide a message and everything below it; ``restore`` brings it back.

        Its parent becomes the head if the message was on the active path. The words stay in the
        log: ``privacy.erase`` removes them for good.

        Args:
            message_id: Message to hide.

        Raises:
            ThreadNotFound, MessageNotFound: there is no such message.
            Refused: it is removed already.
            WrongExpectedHead, WrongExpectedVersion, IdempotencyConflict: a guard does not hold.
        """
        return self._batch.collect(
            _message_changes.remove(self._batch.scope, self._batch.thread_id, message_id)
        )

    def restore(self, message_id: str) -> Handle[Message]:
        """Bring a removed message back.

        The head goes back, too, if removing the message moved it and nothing was selected since.

        Args:
            message_id: Message to bring back.

        Raises:
            ThreadNotFound, MessageNotFound: there is no such message.
            WrongExpectedHead, WrongExpectedVersion, IdempotencyConflict: a guard does not hold.
        """
        return self._batch.collect(
            _message_changes.restore(self._batch.scope, self._batch.thread_id, message_id)
        )


class BatchBranches(BatchPart):
    """Commands on branches, collected for the end of the batch."""

    def select(self, branch: str) -> Handle[Branch]:
        """Make the path through a message the active one.

        If messages follow it, the head becomes the one that was last active below it.

        Args:
            branch: Message id, or a label.

        Raises:
            ThreadNotFound, MessageNotFound: there is no such message or label.
            Refused: the message is removed or queued.
            WrongExpectedHead, WrongExpectedVersion, IdempotencyConflict: a guard does not hold.
        """
        return self._batch.collect(
            _branches.select(self._batch.scope, self._batch.thread_id, branch)
        )

    def label(self, message_id: str, label: str | None) -> Handle[Branch]:
        """Give a message a label that ``select`` and ``messages.list`` understand.

        Args:
            message_id: The message.
            label: Up to 255 characters, unique in the thread; None takes the label away.

        Raises:
            InvalidInput: the label looks like a message's id.
            ThreadNotFound, MessageNotFound: there is no such message.
            Refused: another message has the label.
            WrongExpectedHead, WrongExpectedVersion, IdempotencyConflict: a guard does not hold.
        """
        return self._batch.collect(
            _branches.label(self._batch.scope, self._batch.thread_id, message_id, label)
        )


class BatchSteps(BatchPart):
    """Commands on steps of runs, collected for the end of the batch."""

    def start(
        self,
        run_id: str,
        *,
        type: str = "message_creation",
        context: RunContext | None = None,
        details: Mapping[str, Any] | None = None,
        step_id: str | None = None,
        fence: int | None = None,
    ) -> Handle[RunStep]:
        """Record that a step of a run begins.

        Args:
            run_id: The run.
            type: Kind of step, up to 255 characters.
            context: Context that the step saw, from ``runs.context``; it can then be rebuilt
                exactly.
            details: JSON object of your own; erasable.
            step_id: Id of your own: ``step_`` and 32 lowercase hex digits.
            fence: Fence of the run's holder, from ``start``; needed once another holder took over.

        Raises:
            InvalidInput: a value is malformed, or the id is in use.
            ThreadNotFound, RunNotFound: there is no such run.
            Refused: the run is not in progress; ``"context_erased"``, read the context again.
            LeaseLost: another worker took the run over.
            WrongExpectedHead, WrongExpectedVersion, IdempotencyConflict: a guard does not hold.
        """
        return self._batch.collect(
            _run_steps.start(
                self._batch.scope,
                self._batch.thread_id,
                run_id,
                type=type,
                context=context,
                details=details,
                step_id=step_id,
                fence=fence,
            )
        )

    def complete(
        self,
        step_id: str,
        *,
        details: Mapping[str, Any] | None = None,
        usage: TokenUsage | Mapping[str, Any] | None = None,
        fence: int | None = None,
    ) -> Handle[RunStep]:
        """Record that a step ended well.

        Args:
            step_id: The step.
            details: JSON object that is added to the details that the step began with; erasable.
            usage: Tokens that it took: a ``TokenUsage``, or a dict of its fields.
            fence: Fence of the run's holder, from ``start``; needed once another holder took over.

        Raises:
            InvalidInput: a value is malformed.
            ThreadNotFound: there is none.
            Refused: there is no such step, it ended, or its run did.
            LeaseLost: another worker took the run over.
            WrongExpectedHead, WrongExpectedVersion, IdempotencyConflict: a guard does not hold.
        """
        return self._batch.collect(
            _run_steps.complete(
                self._batch.scope,
                self._batch.thread_id,
                step_id,
                details=details,
                usage=usage,
                fence=fence,
            )
        )

    def fail(
        self,
        step_id: str,
        *,
        code: str = "server_error",
        message: str | None = None,
        fence: int | None = None,
    ) -> Handle[RunStep]:
        """Record that a step failed.

        Args:
            step_id: The step.
            code: Kind of failure, up to 255 characters.
            message: Words for people; erasable.
            fence: Fence of the run's holder, from ``start``; needed once another holder took over.

        Raises:
            InvalidInput: a value is malformed.
            ThreadNotFound: there is none.
            Refused: there is no such step, it ended, or its run did.
            LeaseLost: another worker took the run over.
            WrongExpectedHead, WrongExpectedVersion, IdempotencyConflict: a guard does not hold.
        """
        return self._batch.collect(
            _run_steps.fail(
                self._batch.scope,
                self._batch.thread_id,
                step_id,
                code=code,
                message=message,
                fence=fence,
            )
        )


class BatchRuns(BatchPart):
    """Commands on runs, collected for the end of the batch."""

    @property
    def steps(self) -> BatchSteps:
        """Commands on steps of runs, collected for the end of the batch."""
        return BatchSteps(self._batch)

    def create(
        self,
        *,
        assistant_id: str | None = None,
        model: str | None = None,
        instructions: str | None = None,
        tools: Sequence[ToolGiven] | None = None,
        settings: Mapping[str, Any] | None = None,
        metadata: Mapping[str, Any] | None = None,
        regenerates: str | None = None,
        run_id: str | None = None,
        on_busy: OnBusy | None = None,
        queue: str | None = None,
    ) -> Handle[Run]:
        """Queue a run behind the runs and messages that were sent before it.

        Args:
            assistant_id: Assistant that answers; the run keeps the version that it has now.
            model: Model, in place of the assistant's.
            instructions: Instructions, in place of the assistant's; erasable.
            tools: Tool definitions or tools of ``eventstore.engine``, in place of the assistant's.
            settings: JSON object of whatever the model takes: temperature, limits.
            metadata: JSON object of your own; erasable.
            regenerates: Assistant's message to make another answer to.
            run_id: Id of your own: ``run_`` and 32 lowercase hex digits.
            on_busy: ``"enqueue"`` (the default) waits for its turn, ``"reject"`` refuses,
                ``"interrupt"`` cancels the other run and keeps what it wrote, ``"rollback"``
                cancels it and goes back to where it started.
            queue: Name of the queue whose workers execute it, up to 255 characters; None if the
                application executes it itself.

        Raises:
            InvalidInput: a value is malformed, or an id is in use.
            ThreadNotFound, AssistantNotFound, MessageNotFound: something that it names does not
                exist.
            Refused: the thread is archived, deleted, or busy with ``on_busy="reject"``.
            WrongExpectedHead, WrongExpectedVersion, IdempotencyConflict: a guard does not hold.
        """
        return self._batch.collect(
            _runs.create(
                self._batch.scope,
                self._batch.thread_id,
                assistant_id=assistant_id,
                model=model,
                instructions=instructions,
                tools=tools,
                settings=settings,
                metadata=metadata,
                regenerates=regenerates,
                run_id=run_id,
                on_busy=on_busy,
                queue=queue,
            )
        )

    def start(
        self,
        run_id: str,
        *,
        holder: str | None = None,
        take_over: bool = False,
        fence: int | None = None,
        lease_seconds: float = 30.0,
    ) -> Handle[Run]:
        """Begin a run, or go on with it once its tool outputs are in.

        Only the first run of the queue may start. Tool calls on its path that were never answered
        are closed with a "cancelled" result first.

        Whoever starts a run, or takes it over, holds it, and gives ``fence=run.fence`` with each
        further write. Writes of the holder before it are refused from then on.

        Args:
            run_id: The run.
            holder: Name of the worker that executes it, up to 255 characters.
            take_over: Take a run in progress, or one that is being cancelled, away from its holder.
            fence: Fence that the run must still have. Of several workers that saw the same dead
                holder, the first one takes over.
            lease_seconds: Time in which the holder promises to call ``heartbeat``. Later
                ``runs.list(lease_ended=True)`` shows the run to others.

        Raises:
            InvalidInput: a value is malformed.
            ThreadNotFound, RunNotFound: there is no such run.
            Refused: it is not its turn, or it ended.
            LeaseLost: the run has another fence.
            WrongExpectedHead, WrongExpectedVersion, IdempotencyConflict: a guard does not hold.
        """
        return self._batch.collect(
            _runs.start(
                self._batch.scope,
                self._batch.thread_id,
                run_id,
                holder=holder,
                take_over=take_over,
                fence=fence,
                lease_seconds=lease_seconds,
            )
        )

    def update(
        self, run_id: str, *, metadata: Mapping[str, Any] | UnsetType | None = UNSET
    ) -> Handle[Run]:
        """Replace a run's metadata, at any time of its life.

        Args:
            run_id: The run.
            metadata: JSON object that takes the place of the old one; None takes it away.

        Raises:
            InvalidInput: the metadata is malformed, or was not given.
            ThreadNotFound, RunNotFound: there is no such run.
            WrongExpectedHead, WrongExpectedVersion, IdempotencyConflict: a guard does not hold.
        """
        return self._batch.collect(
            _runs.update(self._batch.scope, self._batch.thread_id, run_id, metadata=metadata)
        )

    def require_action(
        self,
        run_id: str,
        *,
        calls: Sequence[str] | Mapping[str, ActionReason] | None = None,
        fence: int | None = None,
    ) -> Handle[Run]:
        """Let a run wait for people: for the outputs of tool calls, or for leave to make them.

        Args:
            run_id: The run.
            calls: Ids of the calls to wait for; all that are open if left out. A dict gives each
                its reason: ``"outputs"``, ``"outcome_unknown"`` or ``"approval"``.
            fence: Fence of the run's holder, from ``start``; needed once another holder took over.

        Raises:
            ThreadNotFound, RunNotFound: there is no such run.
            Refused: it is not in progress, or has no such open call.
            LeaseLost: another worker took the run over.
            WrongExpectedHead, WrongExpectedVersion, IdempotencyConflict: a guard does not hold.
        """
        return self._batch.collect(
            _run_actions.require_action(
                self._batch.scope, self._batch.thread_id, run_id, calls=calls, fence=fence
            )
        )

    def submit_tool_outputs(self, run_id: str, outputs: Sequence[Mapping[str, Any]]) -> Handle[Run]:
        """Hand in outputs of tool calls that a run waits for.

        Each becomes a tool message of the run. When the last one is in, the run is queued at the
        front. A call that is approved becomes no message: it stays open, and whoever executes the
        run makes it, or makes it again.

        Args:
            run_id: The run.
            outputs: Dicts of ``call_id``, ``output`` (any JSON value) and perhaps
                ``status="failed"``; or of ``call_id`` and ``approved=True``.

        Raises:
            InvalidInput: an output is malformed.
            ThreadNotFound, RunNotFound: there is no such run.
            Refused: the run does not wait, or not for these calls.
            WrongExpectedHead, WrongExpectedVersion, IdempotencyConflict: a guard does not hold.
        """
        return self._batch.collect(
            _run_actions.submit_tool_outputs(
                self._batch.scope, self._batch.thread_id, run_id, outputs
            )
        )

    def complete(
        self,
        run_id: str,
        *,
        usage: TokenUsage | Mapping[str, Any] | None = None,
        incomplete_reason: str | None = None,
        fence: int | None = None,
    ) -> Handle[Run]:
        """End a run well; with ``incomplete_reason`` it ends ``incomplete``.

        It ends well once each of its tool calls has a result. If it ends incomplete, the open calls
        are closed with a "cancelled" result.

        Messages that waited for it join the tree in the order they were sent, up to the next queued
        run.

        Args:
            run_id: The run.
            usage: Tokens that it took: a ``TokenUsage``, or a dict of its fields.
            incomplete_reason: Why the answer was cut off, for example ``"max_tokens"``.
            fence: Fence of the run's holder, from ``start``; needed once another holder took over.

        Raises:
            InvalidInput: a value is malformed.
            ThreadNotFound, RunNotFound: there is no such run.
            Refused: it ended already, or was never started; ``"open_tool_calls"``.
            LeaseLost: another worker took the run over.
            WrongExpectedHead, WrongExpectedVersion, IdempotencyConflict: a guard does not hold.
        """
        return self._batch.collect(
            _run_ends.complete(
                self._batch.scope,
                self._batch.thread_id,
                run_id,
                usage=usage,
                incomplete_reason=incomplete_reason,
                fence=fence,
            )
        )

    def fail(
        self,
        run_id: str,
        *,
        code: str = "server_error",
        message: str | None = None,
        usage: TokenUsage | Mapping[str, Any] | None = None,
        fence: int | None = None,
    ) -> Handle[Run]:
        """End a run that failed. Its open tool calls are closed with a "failed" result.

        Args:
            run_id: The run.
            code: Kind of failure, up to 255 characters, for example ``"rate_limit_exceeded"``.
            message: Words for people; erasable.
            usage: Tokens that it took: a ``TokenUsage``, or a dict of its fields.
            fence: Fence of the run's holder, from ``start``; needed once another holder took over.

        Raises:
            InvalidInput: a value is malformed.
            ThreadNotFound, RunNotFound: there is no such run.
            Refused: it ended already.
            LeaseLost: another worker took the run over.
            WrongExpectedHead, WrongExpectedVersion, IdempotencyConflict: a guard does not hold.
        """
        return self._batch.collect(
            _run_ends.fail(
                self._batch.scope,
                self._batch.thread_id,
                run_id,
                code=code,
                message=message,
                usage=usage,
                fence=fence,
            )
        )

    def cancel(self, run_id: str, *, fence: int | None = None) -> Handle[Run]:
        """Cancel a run.

        A run in progress becomes ``cancelling``, so that its loop can keep its output and call this
        once more, with its ``fence``. Any other run ends at once. Its open tool calls are closed
        with a "cancelled" result when it ends.

        Args:
            run_id: The run.
            fence: Fence of the run's holder, from ``start``; needed once another holder took over.

        Raises:
            ThreadNotFound, RunNotFound: there is no such run.
            Refused: it ended already.
            LeaseLost: another worker took the run over.
            WrongExpectedHead, WrongExpectedVersion, IdempotencyConflict: a guard does not hold.
        """
        return self._batch.collect(
            _run_ends.cancel(self._batch.scope, self._batch.thread_id, run_id, fence=fence)
        )

    def expire(self, run_id: str, *, fence: int | None = None) -> Handle[Run]:
        """End a run that took too long.

        Args:
            run_id: The run.
            fence: Fence of the run's holder, from ``start``; needed once another holder took over.

        Raises:
            ThreadNotFound, RunNotFound: there is no such run.
            Refused: it ended already.
            LeaseLost: another worker took the run over.
            WrongExpectedHead, WrongExpectedVersion, IdempotencyConflict: a guard does not hold.
        """
        return self._batch.collect(
            _run_ends.expire(self._batch.scope, self._batch.thread_id, run_id, fence=fence)
        )

    def approve(self, run_id: str, call_id: str) -> Handle[Run]:
        """Let whoever executes the run make a tool call that it waits for, or make it again.

        ``actor`` says who consents, and ``reason`` why; both are recorded. When nothing else is
        waited for, the run is queued at the front.

        Args:
            run_id: The run.
            call_id: Call that the run waits for.

        Raises:
            InvalidInput: the call id, the reason or another value is malformed.
            ThreadNotFound, RunNotFound: there is no such run.
            Refused: the run does not wait, or not for this call.
            WrongExpectedHead, WrongExpectedVersion, IdempotencyConflict: a guard does not hold.
        """
        return self._batch.collect(
            _approvals.approve(self._batch.scope, self._batch.thread_id, run_id, call_id)
        )

    def deny(self, run_id: str, call_id: str) -> Handle[Run]:
        """Refuse a tool call that a run waits for; its result is "failed", and tells the model so.

        ``actor`` says who refuses, and ``reason`` why; both are recorded, and the model is told the
        reason. When nothing else is waited for, the run is queued at the front.

        Args:
            run_id: The run.
            call_id: Call that the run waits for.

        Raises:
            InvalidInput: the call id, the reason or another value is malformed.
            ThreadNotFound, RunNotFound: there is no such run.
            Refused: the run does not wait, or not for this call.
            WrongExpectedHead, WrongExpectedVersion, IdempotencyConflict: a guard does not hold.
        """
        return self._batch.collect(
            _approvals.deny(self._batch.scope, self._batch.thread_id, run_id, call_id)
        )


class BatchThread(BatchPart):
    """Commands on the thread itself, collected for the end of the batch."""

    def update(
        self,
        *,
        title: str | UnsetType | None = UNSET,
        metadata: Mapping[str, Any] | UnsetType | None = UNSET,
    ) -> Handle[Thread]:
        """Replace a thread's title or metadata. An argument that is left out changes nothing.

        Args:
            title: Title, up to 1,000 characters; None takes it away.
            metadata: JSON object that takes the place of the old one; None takes it away.

        Raises:
            InvalidInput: a value is malformed, or none was given.
            ThreadNotFound: there is none.
            Refused: the thread was deleted.
            WrongExpectedHead, WrongExpectedVersion, IdempotencyConflict: a guard does not hold.
        """
        return self._batch.collect(
            _threads.update(
                self._batch.scope, self._batch.thread_id, title=title, metadata=metadata
            )
        )

    def archive(self) -> Handle[Thread]:
        """Put a thread to rest: it takes no messages and no runs until it is unarchived.

        Raises:
            ThreadNotFound: there is none.
            Refused: the thread was deleted, or is busy.
            WrongExpectedHead, WrongExpectedVersion, IdempotencyConflict: a guard does not hold.
        """
        return self._batch.collect(_threads.archive(self._batch.scope, self._batch.thread_id))

    def unarchive(self) -> Handle[Thread]:
        """Let an archived thread take messages and runs again.

        Raises:
            ThreadNotFound: there is none.
            Refused: the thread was deleted.
            WrongExpectedHead, WrongExpectedVersion, IdempotencyConflict: a guard does not hold.
        """
        return self._batch.collect(_threads.unarchive(self._batch.scope, self._batch.thread_id))
