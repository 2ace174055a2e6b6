"""The values that the oracle's threads are made of, and the codes of refusals."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Final, TypeAlias, TypeVar

from eventstore.conversation.provider_form import ProviderForm
from eventstore.errors import ConversationStoreError, Refused

__all__ = [
    "HEAD",
    "LEGAL_MOVES",
    "TERMINAL",
    "NewId",
    "OracleMessage",
    "OracleRun",
    "OracleSight",
    "Refusal",
    "Words",
    "code_of",
    "copied",
]

T = TypeVar("T")

NewId: TypeAlias = Callable[[], str]
"""Gives the ids that the store made itself, in order."""

HEAD: Final = "<head>"
"""Parent of a message that names none."""

LEGAL_MOVES: Final = frozenset(
    {
        ("queued", "in_progress"),
        ("queued", "cancelled"),
        ("queued", "expired"),
        ("queued", "failed"),
        ("in_progress", "requires_action"),
        ("in_progress", "completed"),
        ("in_progress", "incomplete"),
        ("in_progress", "failed"),
        ("in_progress", "cancelling"),
        ("in_progress", "expired"),
        ("requires_action", "queued"),
        ("requires_action", "cancelling"),
        ("requires_action", "expired"),
        ("requires_action", "failed"),
        ("cancelling", "cancelled"),
        ("cancelling", "completed"),
        ("cancelling", "failed"),
        ("cancelling", "incomplete"),
        ("cancelling", "expired"),
    }
)
"""Every move of a run, as pairs of statuses; another holder is no move."""

TERMINAL: Final = frozenset({"completed", "incomplete", "failed", "cancelled", "expired"})


class Refusal(Exception):
    """The oracle's refusal, with the code that the store's refusal must have."""

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code


def code_of(error: ConversationStoreError) -> str:
    """Return the code by which refusals of store and oracle are compared."""
    return error.reason if isinstance(error, Refused) else type(error).__name__


@dataclass(frozen=True)
class Words:
    """The content of a message: text, perhaps with tool calls, or one tool's result."""

    text: str = ""
    calls: tuple[str, ...] = ()
    answer: str | None = None
    outcome: str = "completed"
    """Status of a tool's result."""
    metadata: tuple[tuple[str, Any], ...] = ()
    name: str | None = None
    provider: ProviderForm | None = None
    erased: bool = False

    def without_text(self) -> Words:
        """Return the remains of erased parts: that there was a call, or a result."""
        return Words(calls=self.calls, answer=self.answer, erased=True)

    @property
    def plain(self) -> bool:
        """Return whether it neither calls tools nor answers."""
        return not self.calls and self.answer is None

    @property
    def content(self) -> str | list[dict[str, Any]]:
        """Return the content as a caller gives it to the store."""
        if self.answer is not None:
            return [{"type": "tool_result", "call_id": self.answer, "output": self.text}]
        calls = [
            {"type": "tool_call", "id": call, "name": "look_up", "arguments": {}}
            for call in self.calls
        ]
        return [{"type": "text", "text": self.text}, *calls] if calls else self.text

    @property
    def shown(self) -> str:
        """Return the text that the message shows."""
        return "" if self.answer is not None else self.text


@dataclass
class OracleMessage:
    """One message."""

    id: str
    role: str
    parent: str | None
    wordings: list[Words]
    version: int
    status: str = "completed"
    metadata: dict[str, Any] = field(default_factory=dict)
    name: str | None = None
    replaces: str | None = None
    run_id: str | None = None
    queued: int | None = None
    """The version at which it, or the message it replaces, was queued, while it waits."""
    removed: bool = False
    took_head: bool = False
    """Whether its removal moved the head."""
    origin: tuple[str, int] | None = None
    """In a fork: the thread where it was written, and the version there."""
    home: str = ""
    """The thread whose events hold its words."""


@dataclass(frozen=True)
class OracleSight:
    """The messages that a step of a run saw as it began."""

    run: str
    version: int
    messages: frozenset[str]
    """The ids of those with content."""


@dataclass
class OracleRun:
    """One run."""

    id: str
    version: int
    regenerates: str | None
    status: str = "queued"
    started: bool = False
    started_head: str | None = None
    last_message: str | None = None
    pending: tuple[str, ...] = ()
    steps: dict[str, str] = field(default_factory=dict)
    holder: str | None = None
    fence: int | None = None
    taken_over: bool = False

    def check_fence(self, fence: int | None) -> None:
        """Refuse a write of a worker that does not hold the run."""
        if fence != self.fence if fence is not None else self.taken_over:
            raise Refusal("LeaseLost")

    def held_by(self, holder: str | None, version: int) -> None:
        """Give it to a worker, from a version on."""
        self.holder, self.fence = holder, version


def copied(value: T) -> T:
    """Return an independent copy of an oracle's values; frozen ones are shared.

    The standard library's ``deepcopy`` does the same, in ten times as long.
    """
    made: Any = value
    if isinstance(value, dict):
        made = {key: one if type(one) in _SHARED else copied(one) for key, one in value.items()}
    elif isinstance(value, list):
        made = [one if type(one) in _SHARED else copied(one) for one in value]
    elif type(value) not in _SHARED:
        made = object.__new__(type(value))
        made.__dict__ = copied(vars(value))
    return made  # type: ignore[no-any-return]


_SHARED: Final = frozenset({str, int, float, bool, type(None), tuple, Words, OracleSight})
"""Types that never change and contain nothing that does."""
