"""Prints what a run does, while it does it: text as it is written, tools, and the end."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from rich.console import Console
from rich.text import Text

from eventstore import (
    MessageDelta,
    MessageEnded,
    MessageStarted,
    Run,
    RunChanged,
    RunEvent,
    ToolAnswered,
    ToolCalled,
)
from eventstore.cli.output import clipped, one_line, safe
from eventstore.conversation.part_text import arguments_text, json_text

__all__ = ["Follower", "outcome"]

_STATES: Final = {
    "run.taken_over": "another process goes on with it",
    "run.requires_action": "waits for an answer to its tool calls",
    "run.cancelling": "is being cancelled",
}


class Follower:
    """Prints the events of one run. It may be given them in several stretches.

    Args:
        console: Where to print.
        speaker: Name at the beginning of an answer.
    """

    def __init__(self, console: Console, speaker: str) -> None:
        self.cursor: str | None = None
        """Cursor of the last event, to resume behind it."""
        self.state: str | None = None
        """The last state of the run, such as ``"run.completed"``."""
        self._console = console
        self._speaker = speaker
        self._mid_line = False
        self._names: dict[str, str] = {}

    def follow(self, events: Iterable[RunEvent]) -> None:
        """Print events until there are no more."""
        for event in events:
            self._print(event)
            self.cursor = event.cursor
        self._end_line()

    def _print(self, event: RunEvent) -> None:
        match event:
            case MessageStarted():
                self._end_line()
            case MessageDelta(text=text):
                self._begin_answer()
                self._write(safe(text))
            case MessageEnded(type="message.interrupted"):
                self._remark("(interrupted; the text so far is kept)")
            case MessageEnded():
                self._end_line()
            case ToolCalled():
                self._names[event.call_id] = safe(event.name or "tool")
                call = f"{self._names[event.call_id]}({arguments_text(event.arguments)})"
                self._line(Text("  calls ", style="dim").append(one_line(call), style="yellow"))
            case ToolAnswered():
                self._line(_answer(event, self._names.get(event.call_id, "tool")))
            case RunChanged(type=state):
                self.state = state
                if state in _STATES:
                    self._remark(f"(the run {_STATES[state]})")

    def _begin_answer(self) -> None:
        if not self._mid_line:
            self._console.print(Text(f"{self._speaker}: ", style="bold green"), end="")
            self._mid_line = True

    def _write(self, text: str) -> None:
        self._console.file.write(text)
        self._console.file.flush()

    def _end_line(self) -> None:
        if self._mid_line:
            self._write("\n")
            self._mid_line = False

    def _line(self, line: Text) -> None:
        self._end_line()
        self._console.print(clipped(line, self._console.width))

    def _remark(self, remark: str) -> None:
        self._line(Text(f"  {remark}", style="dim"))


def outcome(run: Run) -> Text | None:
    """Return how a run ended, if it did not end as it should."""
    if run.status in {"completed", "requires_action"}:
        return None
    words = {"incomplete": f"cut off: {run.incomplete_reason}"}.get(run.status, run.status)
    line = Text(f"  ({words})", style="yellow")
    if run.error is not None:
        line = Text(f"  {run.error.code}: ", style="bold red")
        line.append(one_line(run.error.message or "failed"), style="not bold default")
    return line


def _answer(event: ToolAnswered, name: str) -> Text:
    output = event.output if isinstance(event.output, str) else json_text(event.output)
    line = (
        Text(f"  {name} ", style="yellow")
        .append("→ ", style="dim")
        .append(one_line(output), style="default")
    )
    if event.status not in {"completed", None}:
        line.append(f" ({event.status})", style="red")
    return line
