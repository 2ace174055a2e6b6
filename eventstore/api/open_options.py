"""The options of ``open()`` besides a URL or an engine, and their allowed values."""

from __future__ import annotations

import os
import re
import time
from collections.abc import Callable, Mapping
from typing import Any, Final, Literal, NamedTuple, TypeAlias

from eventstore.api.operations.metrics import OnAppend
from eventstore.core.environment import Environment
from eventstore.core.json_values import Limits
from eventstore.core.quoting import quoted
from eventstore.encryption import Encryption
from eventstore.errors import InvalidInput
from eventstore.execution.settings import Settings
from eventstore.storage.migrations import Migrate

__all__ = ["Durability", "OpenOptions", "check_options", "settings_of", "system_environment"]

Durability: TypeAlias = Literal["full", "as_is"]

_NAME: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,62}\Z")
_PREFIX: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,30}\Z|\Z")


class OpenOptions(NamedTuple):
    """The options of ``open()`` besides the URL or engine; ``open()`` describes each of them."""

    prefix: str
    schema: str | None
    migrate: Migrate
    durability: Durability
    limits: Limits
    busy_timeout_seconds: float
    queue_max: int
    readers: int
    connect_args: Mapping[str, Any]
    environment: Environment
    on_append: OnAppend | None
    encryption: Encryption | None


def system_environment() -> Environment:
    """Return the system's clock and randomness."""
    return Environment(lambda: time.time_ns() // 1000, os.urandom)


def settings_of(options: OpenOptions) -> Settings:
    """Return the settings about connections and queues."""
    return Settings(
        options.busy_timeout_seconds, options.queue_max, options.readers, options.connect_args
    )


def check_options(options: OpenOptions) -> None:
    """Check every option before anything is opened.

    Raises:
        InvalidInput: naming the option.
    """
    for (name, (fits, remedy)), value in zip(_OPTIONS.items(), options, strict=True):
        if not fits(value):
            raise InvalidInput(name, f"{quoted(value)} is not allowed", remedy)


def _is_prefix(value: object) -> bool:
    return isinstance(value, str) and _PREFIX.match(value) is not None


def _is_duration(value: object) -> bool:
    return isinstance(value, (int, float)) and 0 <= value <= _WAIT_MAX


def _is_count(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value > 0


def _are_limits(value: object) -> bool:
    return isinstance(value, Limits) and all(map(_is_count, value)) and value.depth_max <= _DEPTH


_WAIT_MAX: Final = 86_400
_DEPTH: Final = 128
"""Deeper JSON exceeds the limits of Python's stack and of other readers of the log."""

_OPTIONS: Final[Mapping[str, tuple[Callable[[Any], bool], str]]] = {
    "prefix": (_is_prefix, "Use up to 31 letters, digits and _, not beginning with a digit."),
    "schema": (
        lambda value: value is None or (isinstance(value, str) and _NAME.match(value) is not None),
        "Use up to 63 letters, digits and _, not beginning with a digit.",
    ),
    "migrate": (lambda value: value in ("auto", "check", "off"), "Use 'auto', 'check' or 'off'."),
    "durability": (lambda value: value in ("full", "as_is"), "Use 'full' or 'as_is'."),
    "limits": (_are_limits, f"Give Limits of positive integers, depth_max up to {_DEPTH}."),
    "busy_timeout_seconds": (_is_duration, f"Give 0 to {_WAIT_MAX} seconds."),
    "queue_max": (_is_count, "Give 1 or more."),
    "readers": (_is_count, "Give 1 or more."),
    "connect_args": (lambda value: isinstance(value, Mapping), "Give a dict."),
    "environment": (
        lambda value: isinstance(value, Environment),
        "Give Environment(clock, random_bytes).",
    ),
    "on_append": (
        lambda value: value is None or callable(value),
        "Give a function that takes an AppendNotice.",
    ),
    "encryption": (
        lambda value: value is None or isinstance(value, Encryption),
        "Give an eventstore.encryption.Encryption.",
    ),
}
