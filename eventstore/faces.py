"""How an operation becomes a method: the whole difference between the sync and the async face.

``create = sync(messages.create)`` in a class body makes a method with the operation's own signature
and docstring, less ``scope``. Type checkers see the same: the adapters are typed with
``ParamSpec``.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from typing import Any, Concatenate, Generic, ParamSpec, Protocol, TypeVar, overload

import msgspec

from eventstore.conversation import commands as c
from eventstore.core import ids
from eventstore.core.pages import PageOf
from eventstore.errors import InvalidInput
from eventstore.operations.events import Receipt
from eventstore.operations.following import Follow
from eventstore.operations.operation import Gathered, Read, Scope, Walk, Write
from eventstore.storage.requests import AppendRequest, Failed, Outcome

__all__ = ["AsyncPage", "Handle", "Page", "asynchronous", "planned", "sync", "value_of"]

P = ParamSpec("P")
T = TypeVar("T")


class Page(PageOf[T], Generic[T]):
    """One page. Iterating it gives its own items; ``.iter()`` goes on through those that follow."""

    _next: Callable[[str], Page[T]] | None = None

    def iter(self) -> Iterator[T]:
        """Yield every item of this page and of those after it.

        Raises:
            InvalidInput: the page was pickled or made by hand, and others come after it.
        """
        page: Page[T] = self
        yield from page.data
        while page.next_cursor is not None:
            if page._next is None:
                raise page._alone()
            page = page._next(page.next_cursor)
            yield from page.data


class AsyncPage(PageOf[T], Generic[T]):
    """One page. Iterating it gives its own items; ``.iter()`` goes on through those that follow."""

    _next: Callable[[str], Awaitable[AsyncPage[T]]] | None = None

    async def iter(self) -> AsyncIterator[T]:
        """Yield every item of this page and of those after it.

        Raises:
            InvalidInput: the page was pickled or made by hand, and others come after it.
        """
        page: AsyncPage[T] = self
        while True:
            for item in page.data:
                yield item
            if page.next_cursor is None:
                return
            if page._next is None:
                raise page._alone()
            page = await page._next(page.next_cursor)


class _SyncResource(Protocol):
    def _run(self, operation: Any) -> Any: ...  # noqa: ANN401

    @property
    def _scope(self) -> Scope: ...


class _AsyncResource(Protocol):
    async def _run(self, operation: Any) -> Any: ...  # noqa: ANN401

    def _walk(self, walk: Walk[Any] | Follow[Any]) -> AsyncIterator[Any]: ...

    @property
    def _scope(self) -> Scope: ...


@overload
def sync(
    operation: Callable[Concatenate[Scope, P], Read[PageOf[T]]],
) -> Callable[Concatenate[Any, P], Page[T]]: ...
@overload
def sync(
    operation: Callable[Concatenate[Scope, P], Write[T] | Read[T] | Gathered[T]],
) -> Callable[Concatenate[Any, P], T]: ...
@overload
def sync(
    operation: Callable[Concatenate[Scope, P], Walk[T] | Follow[T]],
) -> Callable[Concatenate[Any, P], Iterator[T]]: ...
def sync(operation: Callable[..., Any]) -> Callable[..., Any]:
    """Make a method of the sync face."""

    def method(self: _SyncResource, *args: Any, **kwargs: Any) -> Any:  # noqa: ANN401
        return self._run(operation(self._scope, *args, **kwargs))

    def paging(self: _SyncResource, *args: Any, **kwargs: Any) -> Any:  # noqa: ANN401
        found = method(self, *args, **kwargs)
        page: Page[Any] = Page.model_construct(data=found.data, next_cursor=found.next_cursor)
        object.__setattr__(
            page, "_next", lambda cursor: paging(self, *args, **{**kwargs, "after": cursor})
        )
        return page

    return _dressed(paging if _gives(operation, "Read[PageOf[") else method, operation)


@overload
def asynchronous(
    operation: Callable[Concatenate[Scope, P], Read[PageOf[T]]],
) -> Callable[Concatenate[Any, P], Awaitable[AsyncPage[T]]]: ...
@overload
def asynchronous(
    operation: Callable[Concatenate[Scope, P], Write[T] | Read[T] | Gathered[T]],
) -> Callable[Concatenate[Any, P], Awaitable[T]]: ...
@overload
def asynchronous(
    operation: Callable[Concatenate[Scope, P], Walk[T] | Follow[T]],
) -> Callable[Concatenate[Any, P], AsyncIterator[T]]: ...
def asynchronous(operation: Callable[..., Any]) -> Callable[..., Any]:
    """Make a method of the async face."""

    def walking(self: _AsyncResource, *args: Any, **kwargs: Any) -> Any:  # noqa: ANN401
        return self._walk(operation(self._scope, *args, **kwargs))

    async def method(self: _AsyncResource, *args: Any, **kwargs: Any) -> Any:  # noqa: ANN401
        return await self._run(operation(self._scope, *args, **kwargs))

    async def paging(self: _AsyncResource, *args: Any, **kwargs: Any) -> Any:  # noqa: ANN401
        found = await method(self, *args, **kwargs)
        page: AsyncPage[Any] = AsyncPage.model_construct(
            data=found.data, next_cursor=found.next_cursor
        )
        object.__setattr__(
            page, "_next", lambda cursor: paging(self, *args, **{**kwargs, "after": cursor})
        )
        return page

    if _gives(operation, "Walk[", "Follow["):
        return _dressed(walking, operation)
    return _dressed(paging if _gives(operation, "Read[PageOf[") else method, operation)


def _gives(operation: Callable[..., Any], *beginnings: str) -> bool:
    """Tell whether what an operation is annotated to return begins like that."""
    annotation: str = inspect.signature(operation).return_annotation
    return annotation.startswith(beginnings)


class Handle(Generic[T]):
    """What a call inside a batch gives: its id now, its object once the batch is through."""

    def __init__(self, object_id: str | None) -> None:
        self.id = object_id
        """Id of the message, run or step it will make; None if it makes none."""
        self._made: list[T] = []

    @property
    def object(self) -> T:
        """What the call made.

        Raises:
            InvalidInput: the batch is not through yet.
        """
        if not self._made:
            raise InvalidInput(
                "handle", "its batch is not through yet", "Leave the with block first."
            )
        return self._made[0]

    def settle(self, made: T) -> None:
        """Hear what was made."""
        self._made.append(made)


def planned(
    operation: Callable[Concatenate[Scope, str, P], Write[T]],
) -> Callable[Concatenate[Any, P], Handle[T]]:
    """Make a method of a batch: it collects the command instead of performing it."""

    def method(self: Any, *args: Any, **kwargs: Any) -> Handle[T]:  # noqa: ANN401
        batch = self._batch
        return batch.collect(operation(batch.scope, batch.thread_id, *args, **kwargs))  # type: ignore[no-any-return]

    return _dressed(method, operation, skip=2)


def _dressed(
    method: Callable[..., Any], operation: Callable[..., Any], *, skip: int = 1
) -> Callable[..., Any]:
    """Give a method the operation's name, docstring and signature, without ``scope``."""
    functools.update_wrapper(method, operation)
    method.__name__ = operation.__name__.rstrip("_")
    signature = inspect.signature(operation)
    me = inspect.Parameter("self", inspect.Parameter.POSITIONAL_OR_KEYWORD)
    rest = list(signature.parameters.values())[skip:]
    method.__signature__ = signature.replace(parameters=[me, *rest])  # type: ignore[attr-defined]
    return method


def value_of(write: Write[T], outcome: Outcome) -> T:
    """Return what the caller of a write gets, or raise why it was turned away."""
    if isinstance(outcome, Failed):
        raise outcome.error
    if write.receipt:
        assert isinstance(write.request, AppendRequest)  # noqa: S101 (only appends have receipts)
        return Receipt(write.request.stream.text, outcome.version, outcome.positions)  # type: ignore[return-value]
    if write.alone_in_list:
        return [outcome.result]  # type: ignore[return-value]
    if write.last_of_list:
        return outcome.result[-1]  # type: ignore[no-any-return]
    return outcome.result  # type: ignore[no-any-return]


_MINTED = {
    c.CreateMessage: ("message_id", ids.MESSAGE),
    c.EditMessage: ("message_id", ids.MESSAGE),
    c.RegenerateMessage: ("message_id", ids.MESSAGE),
    c.CreateRun: ("run_id", ids.RUN),
    c.StartStep: ("step_id", ids.STEP),
}


def with_fixed_id(
    command: c.Command, scope: Scope, seed: Sequence[str] | None
) -> tuple[c.Command, str | None]:
    """Fix the id of what a command will make, if it was left open; return it as text.

    With a ``seed`` the id depends on it alone.
    """
    field, prefix = _MINTED.get(type(command), (None, ""))
    if field is None:
        return command, None
    made = scope.log.sources.new_id() if seed is None else ids.derived(prefix, *seed)
    key: bytes = getattr(command, field) or made
    return msgspec.structs.replace(command, **{field: key}), ids.show(prefix, key)
