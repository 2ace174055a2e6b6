"""What ``open()`` takes besides a URL or an engine, and what each of it may be."""

from __future__ import annotations

import os
import re
import time
from collections.abc import Callable, Mapping
from typing import Any, Final, Literal, TypeAlias, TypedDict

from eventstore.core.json_values import Limits
from eventstore.core.quoting import quoted
from eventstore.core.sources import Sources
from eventstore.errors import InvalidInput
from eventstore.execution.settings import Settings
from eventstore.operations.metering import OnAppend
from eventstore.storage.migrations import Migrate

__all__ = ["OpenOptions", "check_options", "settings_of", "system_sources"]

Durability: TypeAlias = Literal["full", "as_is"]

_NAME: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,62}\Z")
_PREFIX: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,30}\Z|\Z")


class OpenOptions(TypedDict, total=False):
    """What ``open()`` takes besides the URL or engine."""

    prefix: str
    """Begins the name of every table, for a database shared with other things."""
    schema: str | None
    """Database schema of the tables."""
    migrate: Migrate
    """``"auto"`` makes or migrates the tables, ``"check"`` only looks, ``"off"`` does not look."""
    durability: Durability
    """``"as_is"`` accepts an engine whose connections are less safe than ours."""
    limits: Limits
    """How large values may be."""
    busy_timeout_seconds: float
    """How long to wait for another process's transaction, or for room in the queue of writes."""
    queue_max: int
    """Most writes that may wait at once."""
    readers: int
    """Connections that read at once."""
    connect_args: Mapping[str, Any]
    """Handed to the driver's ``connect()``."""
    sources: Sources
    """Clock and randomness, for tests."""
    on_append: OnAppend
    """Called after each append of this store, with an :class:`AppendNotice`."""


def system_sources() -> Sources:
    """Return the system's clock and randomness."""
    return Sources(lambda: time.time_ns() // 1000, os.urandom)


def settings_of(options: OpenOptions) -> Settings:
    """Return those that are about connections and queues."""
    names = ("busy_timeout_seconds", "queue_max", "readers", "connect_args")
    return Settings(**{name: options[name] for name in names if name in options})  # type: ignore[literal-required]


def check_options(options: OpenOptions) -> None:
    """Hold every option to what it may be, before anything is opened.

    Raises:
        InvalidInput: naming the option.
        TypeError: there is no option of that name.
    """
    unknown = options.keys() - OpenOptions.__optional_keys__
    if unknown:
        raise TypeError(f"open() got an unexpected keyword argument {min(unknown)!r}")
    for name, (fits, remedy) in _OPTIONS.items():
        if name in options and not fits(options[name]):  # type: ignore[literal-required]
            raise InvalidInput(name, f"{quoted(options[name])} is not possible", remedy)  # type: ignore[literal-required]


def _is_prefix(value: Any) -> bool:  # noqa: ANN401 (whatever the caller gave)
    return isinstance(value, str) and _PREFIX.match(value) is not None


def _is_duration(value: Any) -> bool:  # noqa: ANN401
    return isinstance(value, (int, float)) and 0 <= value <= _WAIT_MAX


def _is_count(value: Any) -> bool:  # noqa: ANN401
    return isinstance(value, int) and not isinstance(value, bool) and value > 0


def _are_limits(value: Any) -> bool:  # noqa: ANN401
    return isinstance(value, Limits) and all(map(_is_count, value)) and value.depth_max <= _DEPTH


_WAIT_MAX: Final = 86_400
_DEPTH: Final = 128
"""Deeper JSON meets the limits of Python's stack and of other readers of the log."""

_OPTIONS: Final[Mapping[str, tuple[Callable[[Any], bool], str]]] = {
    "prefix": (_is_prefix, "Use up to 31 letters, digits and _, beginning with no digit."),
    "schema": (
        lambda value: value is None or (isinstance(value, str) and _NAME.match(value) is not None),
        "Use up to 63 letters, digits and _, beginning with no digit.",
    ),
    "migrate": (lambda value: value in ("auto", "check", "off"), "Use 'auto', 'check' or 'off'."),
    "durability": (lambda value: value in ("full", "as_is"), "Use 'full' or 'as_is'."),
    "limits": (_are_limits, f"Give Limits of positive integers, depth_max up to {_DEPTH}."),
    "busy_timeout_seconds": (_is_duration, f"Give 0 to {_WAIT_MAX} seconds."),
    "queue_max": (_is_count, "Give 1 or more."),
    "readers": (_is_count, "Give 1 or more."),
    "connect_args": (lambda value: isinstance(value, Mapping), "Give a dict."),
    "sources": (lambda value: isinstance(value, Sources), "Give Sources(clock, chance)."),
    "on_append": (callable, "Give a function that takes an AppendNotice."),
}
