"""A reader of a run that goes away at any moment, and resumes behind the last event that it saw."""

from __future__ import annotations

from typing import Any

from eventstore import ConversationStore, Run, RunEvent
from eventstore.conversation.run_events import MessageEnded

__all__ = ["Reader"]


class Reader:
    """Everything that one reader was told of a run."""

    def __init__(self, store: ConversationStore, run: Run) -> None:
        self._store = store
        self._run = run
        self._cursor: str | None = None
        self.told: list[RunEvent] = []
        self.resumed: int = 0
        """Number of times that it came back."""
        self.wrong: list[str] = []
        """Contradictions within what it was told."""
        self._length = 0

    def read(self, most: int | None = None) -> bool:
        """Read on; return whether the stream came to its end before so many events."""
        self.resumed += self._cursor is not None
        events = self._store.runs.stream(self._run.thread_id, self._run.id, after=self._cursor)
        try:
            for event in events:
                self._take(event)
                if most is not None and (most := most - 1) == 0:
                    return False
        finally:
            events.close()
        return True

    def _take(self, event: RunEvent) -> None:
        self._cursor = event.cursor
        if event.type == "message.delta":
            if event.offset != self._length:
                self.wrong.append(f"text at {event.offset} after {self._length} characters")
            self._length = event.offset + len(event.text)
        self.told.append(event)

    @property
    def texts(self) -> dict[str, str]:
        """The text of each message, however it was cut."""
        texts: dict[str, str] = {}
        for event in self.told:
            if event.type == "message.delta":
                texts[event.message_id] = texts.get(event.message_id, "") + event.text
        return texts

    @property
    def others(self) -> list[dict[str, Any]]:
        """Everything but text."""
        others = [one for one in self.told if one.type != "message.delta"]
        return [one.model_dump(exclude={"cursor"}) for one in others]

    def ended(self, kind: str) -> list[str]:
        """Return the messages that became final in a way."""
        final = [one for one in self.told if isinstance(one, MessageEnded)]
        return [one.message_id for one in final if one.type == f"message.{kind}"]
