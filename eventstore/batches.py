"""``store.threads.batch(thread_id)``: commands that happen together or not at all.

Inside the block calls give handles with ids fixed now; leaving it performs them in one append; an
exception discards them all. A later call may refer to what an earlier one makes, by the handle's
id.
"""

from __future__ import annotations

from typing import Any

from msgspec.structs import replace

from eventstore.core.events import StreamKey
from eventstore.errors import InvalidInput
from eventstore.faces import Handle, planned, with_fixed_id
from eventstore.operations import branches, messages, run_steps, runs, threads
from eventstore.operations.lookups import thread_key
from eventstore.operations.operation import Scope, Write, WriteOptions, write
from eventstore.storage.requests import AppendRequest

__all__ = ["Batch"]


class _Part:
    def __init__(self, batch: Batch) -> None:
        self._batch = batch


class _Messages(_Part):
    create = planned(messages.create)
    edit = planned(messages.edit)
    regenerate = planned(messages.regenerate)
    amend = planned(messages.amend)
    update = planned(messages.update)
    remove = planned(messages.remove)
    restore = planned(messages.restore)


class _Branches(_Part):
    select = planned(branches.select)
    label = planned(branches.label)


class _Steps(_Part):
    start = planned(run_steps.start)
    complete = planned(run_steps.complete)
    fail = planned(run_steps.fail)


class _Runs(_Part):
    create = planned(runs.create)
    start = planned(runs.start)
    update = planned(runs.update)
    require_action = planned(runs.require_action)
    submit_tool_outputs = planned(runs.submit_tool_outputs)
    complete = planned(runs.complete)
    fail = planned(runs.fail)
    cancel = planned(runs.cancel)
    expire = planned(runs.expire)

    def __init__(self, batch: Batch) -> None:
        super().__init__(batch)
        self.steps = _Steps(batch)


class _Thread(_Part):
    update = planned(threads.update)
    archive = planned(threads.archive)
    unarchive = planned(threads.unarchive)


class Batch:
    """Collects commands to one thread."""

    def __init__(self, scope: Scope, thread_id: str, options: WriteOptions) -> None:
        self.scope = scope._replace(actor=None, correlation_id=None, causation_id=None)
        self._acting = scope
        self.thread_id = thread_id
        self._stream: StreamKey = thread_key(scope, thread_id)
        self._options = options
        self._given: list[Any] = []
        self._commands: list[Any] = []
        self._handles: list[Handle[Any]] = []
        self.messages = _Messages(self)
        self.branches = _Branches(self)
        self.runs = _Runs(self)
        self.thread = _Thread(self)

    def collect(self, one: Write[Any]) -> Handle[Any]:
        """Take one call's command."""
        request = one.request
        assert isinstance(request, AppendRequest)  # noqa: S101 (made by an operation on a thread)
        if request.options is not None or one.connection is not None:
            raise InvalidInput(
                "options", "guards are said once for the batch", "Give them to threads.batch()."
            )
        most = self.scope.log.limits.batch_size_max
        if len(self._commands) >= most:
            raise InvalidInput("batch", f"has more than {most} calls", "Split it.")
        self._given.append(request.commands[0])
        command, object_id = with_fixed_id(request.commands[0], self.scope, self._seed())
        self._commands.append(command)
        handle: Handle[Any] = Handle(object_id)
        self._handles.append(handle)
        return handle

    def _seed(self) -> tuple[str, ...] | None:
        """With an idempotency key a repeated batch gives the ids that it gave first."""
        key = self._options.get("idempotency_key")
        if key is None:
            return None
        return (self.scope.tenant, self.thread_id, key, str(len(self._commands)))

    def as_write(self) -> Write[Any] | None:
        """Return the one write of everything collected; None if there is nothing."""
        if not self._commands:
            return None
        made = write(self._acting, self._stream, self._given, self._options)
        assert isinstance(made.request, AppendRequest)  # noqa: S101 (just made)
        return replace(made, request=replace(made.request, commands=self._commands))

    def settle(self, results: Any) -> None:  # noqa: ANN401 (one result, or a list)
        """Tell every handle what its call made."""
        made = results if len(self._handles) > 1 else [results]
        for handle, result in zip(self._handles, made, strict=True):
            handle.settle(result)
