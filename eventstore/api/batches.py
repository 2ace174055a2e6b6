"""``store.threads.batch(thread_id)``: commands that happen together or not at all.

Inside the block calls return handles with ids fixed now. Leaving the block performs the commands in
one append; an exception discards them all. A later call may refer to the result of an earlier one
by the handle's id.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypeVar

from msgspec.structs import replace

from eventstore.api.faces.handles import Handle, with_fixed_id
from eventstore.api.faces.planned import BatchBranches, BatchMessages, BatchRuns, BatchThread
from eventstore.api.operations.loaders import thread_key
from eventstore.api.operations.operation import NO_OPTIONS, Scope, Write, WriteOptions, write
from eventstore.core.events import StreamKey
from eventstore.errors import InvalidInput
from eventstore.write_path.requests import AppendRequest

__all__ = ["Batch", "batch"]

T = TypeVar("T")


def batch(scope: Scope, thread_id: str, *, options: WriteOptions = NO_OPTIONS) -> Batch:
    """Collect commands to a thread, and perform them together when the ``with`` block ends.

    All of them happen, or none. Calls on the batch return handles: an id is fixed at once, the
    object is there after the block. An exception inside the block discards everything.

    Args:
        thread_id: The thread.

    Raises:
        InvalidInput: a value is malformed, or the batch is too large.
        Refused: one of the commands is refused; then none of them happened.
        WrongExpectedHead, WrongExpectedVersion, IdempotencyConflict: a guard does not hold.
    """
    return Batch(scope, thread_id, options)


class Batch:
    """Collects commands to one thread."""

    def __init__(self, scope: Scope, thread_id: str, options: WriteOptions) -> None:
        self.scope: Scope = scope._replace(actor=None, correlation_id=None, causation_id=None)
        self._acting = scope
        self.thread_id = thread_id
        self._stream: StreamKey = thread_key(scope, thread_id)
        self._options = options
        self._given: list[Any] = []
        self._commands: list[Any] = []
        self._fresh: list[tuple[str, bytes]] = []
        self._handles: list[Handle[Any]] = []
        self.messages: BatchMessages = BatchMessages(self)
        self.branches: BatchBranches = BatchBranches(self)
        self.runs: BatchRuns = BatchRuns(self)
        self.thread: BatchThread = BatchThread(self)

    def collect(self, one: Write[T]) -> Handle[T]:
        """Add one call's command."""
        request = one.request
        assert isinstance(request, AppendRequest)  # noqa: S101 (made by an operation on a thread)
        most = self.scope.log.limits.batch_size_max
        if len(self._commands) >= most:
            raise InvalidInput("batch", f"has more than {most} calls", "Split it.")
        self._given.append(request.commands[0])
        fixed = with_fixed_id(request.commands[0], self.scope, self._seed())
        self._commands.append(fixed.command)
        if fixed.fresh is not None:
            self._fresh.append(fixed.fresh)
        handle: Handle[T] = Handle(fixed.object_id)
        self._handles.append(handle)
        return handle

    def _seed(self) -> tuple[str, ...] | None:
        """The seed of ids: with an idempotency key a repeated batch gives the same ids."""
        key = self._options.idempotency_key
        if key is None:
            return None
        return (self.scope.tenant, self.thread_id, key, str(len(self._commands)))

    def as_write(self) -> Write[Any] | None:
        """Return the one write of all collected commands; None if there are none."""
        if not self._commands:
            return None
        made = write(self._acting, self._stream, self._given, self._options)
        assert isinstance(made.request, AppendRequest)  # noqa: S101 (just made)
        request = replace(made.request, commands=self._commands, fresh=self._fresh)
        return replace(made, request=request)

    def settle(self, results: object) -> None:
        """Give every handle the result of its call."""
        several = len(self._handles) > 1
        made: Sequence[object] = results if several and isinstance(results, list) else [results]
        for handle, result in zip(self._handles, made, strict=True):
            handle.settle(result)
