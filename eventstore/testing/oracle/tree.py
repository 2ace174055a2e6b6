"""The places of messages: parents, children, the head, and questions about them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Self

from eventstore.api.operations.operation import EMPTY
from eventstore.testing.oracle.values import (
    OracleMessage,
    OracleRun,
    OracleSight,
    Refusal,
    Words,
    copied,
)

__all__ = ["OracleTree", "dressed"]


@dataclass
class OracleTree:
    """The messages of one thread and their places, with the checks of commands."""

    id: str
    title: str | None = None
    metadata: dict[str, Any] = field(default_factory=dict)
    events: list[str] = field(default_factory=lambda: ["ThreadCreated"])
    messages: dict[str, OracleMessage] = field(default_factory=dict)
    children: dict[str | None, list[str]] = field(default_factory=dict)
    active: dict[str | None, str] = field(default_factory=dict)
    """The child through which the head went last, for each parent."""
    head: str | None = None
    labels: dict[str, str] = field(default_factory=dict)
    runs: dict[str, OracleRun] = field(default_factory=dict)
    archived: bool = False
    deleted: bool = False
    source: str | None = None
    """For a fork: the thread it reads from."""
    said: dict[int, str] = field(default_factory=dict)
    """The message or run that an event with content is about, by version."""
    lost: dict[int, str] = field(default_factory=dict)
    """The same for events whose content was erased."""
    sights: dict[str, OracleSight] = field(default_factory=dict)
    """The messages that each step saw."""

    # -- questions -----------------------------------------------------------------------------

    @property
    def version(self) -> int:
        """The number of events that there must be."""
        return len(self.events)

    def copy(self) -> Self:
        """Return an independent copy."""
        return copied(self)

    def up_from(self, message_id: str | None) -> Iterator[OracleMessage]:
        """Yield a message, its parent, and so on up to a root."""
        while message_id is not None:
            message = self.messages[message_id]
            yield message
            message_id = message.parent

    def path(self, message_id: str | None) -> list[str]:
        """Return the path from a root down to a message."""
        return [message.id for message in self.up_from(message_id)][::-1]

    def is_visible(self, message_id: str) -> bool:
        """Return whether neither the message nor one above it was removed."""
        return not any(message.removed for message in self.up_from(message_id))

    def siblings(self, message_id: str) -> list[str]:
        """Return the children of a message's parent that are not removed."""
        message = self.messages[message_id]
        if message.status in {"queued", "replaced"}:
            return [message_id]
        everyone = self.children.get(message.parent, [])
        return [one for one in everyone if not self.messages[one].removed]

    def next_below(self, message_id: str | None) -> str | None:
        """Return the child that was active last; the first one if none ever was."""
        children = self.children.get(message_id)
        return self.active.get(message_id, children[0]) if children else None

    def leaf_below(self, message_id: str) -> str:
        """Return the leaf that selecting a message leads to."""
        below = self.next_below(message_id)
        while below is not None and not self.messages[below].removed:
            message_id, below = below, self.next_below(below)
        return message_id

    def visible_tree(self, parent: str | None = None) -> list[str]:
        """Return every visible message, depth first."""
        found = []
        for child in self.children.get(parent, []):
            if not self.messages[child].removed:
                found += [child, *self.visible_tree(child)]
        return found

    def leaves(self) -> list[str]:
        """Return the visible messages with no visible child."""
        visible = self.visible_tree()
        parents = {self.messages[one].parent for one in visible}
        return [one for one in visible if one not in parents]

    def open_calls(self, message_id: str | None) -> list[str]:
        """Return the tool calls on a path that have no result on it."""
        calls: list[str] = []
        for step in self.path(message_id):
            words = self.messages[step].wordings[0]
            calls = [call for call in calls if call != words.answer]
            calls += words.calls
        return calls

    # -- checks --------------------------------------------------------------------------------

    def check_living(self) -> None:
        """Check that the thread was not deleted."""
        if self.deleted:
            raise Refusal("thread_deleted")

    def _writable(self) -> None:
        self.check_living()
        if self.archived:
            raise Refusal("thread_archived")

    def _some(self, message_id: str) -> OracleMessage:
        if message_id not in self.messages:
            raise Refusal("MessageNotFound")
        return self.messages[message_id]

    def _visible(self, message_id: str) -> OracleMessage:
        message = self._some(message_id)
        if not self.is_visible(message_id):
            raise Refusal("message_removed")
        return message

    def _changeable(self, message_id: str) -> OracleMessage:
        message = self._visible(message_id)
        if message.status == "replaced":
            raise Refusal("message_replaced")
        return message

    def _placed(self, message_id: str) -> OracleMessage:
        message = self._changeable(message_id)
        if message.queued is not None:
            raise Refusal("message_queued")
        return message

    def _unused(self, message_id: str) -> None:
        if message_id in self.messages:
            raise Refusal("InvalidInput")

    def _paired(self, parent: str | None, words: Words) -> None:
        calls = self.open_calls(parent)
        if words.answer is None:
            self._require(not calls, "open_tool_calls")
        else:
            self._require(words.answer in calls, "call_not_open")

    def check_head(self, expected: str) -> None:
        """Check ``expected_head`` against the head."""
        if self.head != (None if expected == EMPTY else expected):
            raise Refusal("WrongExpectedHead")

    def check_version(self, expected: int) -> None:
        """Check ``expected_version`` against the version."""
        if self.version != expected:
            raise Refusal("WrongExpectedVersion")

    # -- changes -------------------------------------------------------------------------------

    def _add(
        self,
        kind: str,
        message_id: str,
        role: str,
        parent: str | None,
        words: Words,
        *,
        select: bool,
        run_id: str | None = None,
    ) -> None:
        self._event(kind, message_id)
        message = OracleMessage(message_id, role, parent, [words], self.version, run_id=run_id)
        message.home = self.id
        self.messages[message_id] = dressed(message)
        self.children.setdefault(parent, []).append(message_id)
        if run_id is not None:
            self.runs[run_id].last_message = message_id
        if select:
            self._move_head(message_id)

    def _move_head(self, message_id: str | None) -> None:
        self.head = message_id
        for message in self.up_from(message_id):
            self.active[message.parent] = message.id

    def _event(self, kind: str, about: str | None = None) -> None:
        """Note an event; one with content about a message or run names it."""
        self.events.append(kind)
        if about is not None:
            self.said[self.version] = about

    def _require(self, holds: bool, code: str) -> None:  # noqa: FBT001 (private)
        if not holds:
            raise Refusal(code)


def dressed(message: OracleMessage) -> OracleMessage:
    """Return a message with the name and metadata that it was created with."""
    words = message.wordings[0]
    message.metadata, message.name = dict(words.metadata), words.name
    return message
