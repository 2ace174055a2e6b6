"""Expected versions: the version that a writer believes a stream has before it appends.

No default skips the check at this level: a low-level append always states an expectation.
"""

from __future__ import annotations

from typing import Final, Literal, TypeAlias

from eventstore.core.events import StreamKey
from eventstore.core.quoting import quoted
from eventstore.errors import InvalidInput, WrongExpectedVersion

__all__ = ["ANY", "NO_STREAM", "STREAM_EXISTS", "Expectation", "check", "parse"]

Expectation: TypeAlias = int | Literal["no_stream", "stream_exists", "any"]

NO_STREAM: Final = "no_stream"
STREAM_EXISTS: Final = "stream_exists"
ANY: Final = "any"

_LAST: Final = 2**63 - 1


def parse(value: object, field: str = "expected_version") -> Expectation:
    """Return ``value`` if it is an expectation.

    Raises:
        InvalidInput: naming ``field``.
    """
    if isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= _LAST:
        return int(value)
    if isinstance(value, str):
        if value == NO_STREAM:
            return NO_STREAM
        if value == STREAM_EXISTS:
            return STREAM_EXISTS
        if value == ANY:
            return ANY
    raise InvalidInput(
        field,
        f"{quoted(value)} is not an expectation",
        "Give a version (0 or more), 'no_stream', 'stream_exists' or 'any'.",
    )


def check(expected: Expectation, actual: int, stream: StreamKey) -> None:
    """Compare the expectation with the stream's version.

    Raises:
        WrongExpectedVersion: when it does not hold.
    """
    if expected == ANY:
        return
    if expected == STREAM_EXISTS:
        holds = actual > 0
    elif expected == NO_STREAM:
        holds = actual == 0
    else:
        holds = actual == expected
    if not holds:
        raise WrongExpectedVersion(stream.text, expected, actual)
