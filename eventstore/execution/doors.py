"""The doors of a store: every call that may wait enters through one.

A signal handler runs inside whatever its thread is doing. If that is a call of the store, a call
from the handler would wait for locks that its own thread holds, or run its statements in the middle
of another transaction. The same goes for a finalizer, and for every other function that runs during
a call. So each thread sets a mark while it is inside, and a second call that finds the mark is
refused.

An interrupt may strike before the mark is cleared. Nothing depends on that: the mark alone refuses
no call. It only causes a look at the stack, which shows for certain whether a call is running.

An application's function that a read calls (``projections.read``) may read more: it is called
through :func:`calling_out`. Between two calls a thread is not inside: an iterator that is
suspended, a transaction of its own, another task of its event loop.
"""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable
from functools import wraps
from types import CodeType
from typing import Any, Concatenate, Final, ParamSpec, Protocol, TypeVar

from eventstore.errors import StoreBusy

__all__ = ["Mark", "calling_out", "door", "is_inside_twice", "reading_door"]

P = ParamSpec("P")
T = TypeVar("T")


class Mark(threading.local):
    """Marks whether the running thread may be inside a call."""

    inside = False


class _Store(Protocol):
    @property
    def mark(self) -> Mark: ...


S = TypeVar("S", bound=_Store)


def door(method: Callable[Concatenate[S, P], T]) -> Callable[Concatenate[S, P], T]:
    """Refuse calls of a method from threads that are inside a call of the same store.

    Raises:
        StoreBusy: the thread is inside one.
    """
    return _guarded(method, reads=False)


def reading_door(method: Callable[Concatenate[S, P], T]) -> Callable[Concatenate[S, P], T]:
    """Do the same, but let a function that a read calls read more."""
    return _guarded(method, reads=True)


def _guarded(
    method: Callable[Concatenate[S, P], T], *, reads: bool
) -> Callable[Concatenate[S, P], T]:
    @wraps(method)
    def entered(self: S, /, *args: P.args, **kwargs: P.kwargs) -> T:
        mark = self.mark
        before = mark.inside and _may_enter(self, reads=reads)
        mark.inside = True
        try:
            return method(self, *args, **kwargs)
        finally:
            mark.inside = before

    return entered


def calling_out(function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """Call an application's function that may call the store to read."""
    return function(*args, **kwargs)


_guarded_anything: Final[Any] = _guarded
_INSIDE: Final[CodeType] = _guarded_anything(calling_out, reads=False).__code__
"""Shared by every door method: their differences are not in the code object."""
_OUTSIDE: Final[CodeType] = calling_out.__code__


def _may_enter(store: _Store, *, reads: bool) -> bool:
    """Return whether the marked thread may enter all the same.

    Raises:
        StoreBusy: it is inside one that this one must wait for.
    """
    frame: Any = sys._getframe(2)  # noqa: SLF001 (the way to see one's own stack)
    while frame is not None:
        if reads and frame.f_code is _OUTSIDE:
            return True
        if frame.f_code is _INSIDE and frame.f_locals["self"] is store:
            raise StoreBusy(
                "the store was called from a signal handler, or another callback, while the same"
                " thread was inside a call of the store; set a flag there, and call the store once"
                " that call has returned"
            )
        frame = frame.f_back
    return False


def is_inside_twice(store: _Store) -> bool:
    """Return whether a function that a call of the store runs has called the store again."""
    frame: Any = sys._getframe(1)  # noqa: SLF001
    calls = 0
    while frame is not None and calls < 2:  # noqa: PLR2004
        calls += frame.f_code is _INSIDE and frame.f_locals["self"] is store
        frame = frame.f_back
    return calls > 1
