"""One conversation in the terminal: what the user can do with it, whatever they type to do so."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, NamedTuple

from rich.console import Console
from rich.text import Text

from eventstore import ConversationStore, Message, Refused, RequiredAction, Run
from eventstore.cli.drawing import tree_lines
from eventstore.cli.following import Follower, outcome
from eventstore.cli.messages import message_line
from eventstore.engine import Engine

__all__ = ["Answers", "Conversation", "Mistake"]


_QUESTIONS: Final = {
    "approval": "Allow the call {}?",
    "outcome_unknown": "Nobody knows what became of the call {}. Make it again?",
}


class Mistake(Exception):
    """The user asked for something that is not there."""


class Answers(NamedTuple):
    """The way in which the chat answers: model, instructions and tools of each run."""

    model: str
    instructions: str | None = None
    tools: Sequence[Mapping[str, Any]] = ()


class Conversation:
    """A thread, and an engine that answers in it.

    Args:
        store: The store.
        engine: Executes the runs.
        answers: Model, instructions and tools.
        thread_id: The thread; None begins one with the first question.
        console: Where to print.
        ask: Asks the user for one line.
    """

    def __init__(
        self,
        store: ConversationStore,
        engine: Engine,
        *,
        answers: Answers,
        thread_id: str | None,
        console: Console,
        ask: Callable[[str], str],
    ) -> None:
        self.thread_id = thread_id
        """The thread; None before the first question."""
        self._store = store
        self._engine = engine
        self._answers = answers
        self._console = console
        self._ask = ask

    def say(self, text: str) -> None:
        """Add a question, and answer it."""
        if self.thread_id is None:
            self.thread_id = self._store.threads.create().id
        self._store.messages.create(self.thread_id, role="user", content=text)
        self._answer(self.thread_id)

    def edit(self, number: int | None, text: str) -> None:
        """Put a changed question beside a question, by default the last one, and answer it."""
        thread, path = self._path()
        questions = [message for message in path if message.role == "user"]
        old = questions[-1] if number is None and questions else _numbered(path, number)
        self._store.messages.edit(thread, old.id, content=text)
        self._answer(thread)

    def again(self) -> None:
        """Ask for another answer to the last question."""
        thread, path = self._path()
        asked = max((n for n, message in enumerate(path) if message.role == "user"), default=None)
        if asked is None:
            raise Mistake("There is no question yet.")
        answers = path[asked + 1 :]
        self._answer(thread, regenerates=answers[0].id if answers else None)

    def turn(self, number: int | None, by: int) -> None:
        """Show the alternative before or after a message, by default the last that has any."""
        thread, path = self._path()
        several = [message for message in path if message.sibling_count > 1]
        if number is None and not several:
            raise Mistake("No message has alternatives yet; /again and /edit make some.")
        message = several[-1] if number is None else _numbered(path, number)
        siblings = self._store.branches.siblings(thread, message.id)
        place = [one.id for one in siblings].index(message.id) + by
        if not 0 <= place < len(siblings):
            raise Mistake("There is no alternative on that side.")
        self._store.branches.select(thread, siblings[place].id)
        self.show()

    def new(self) -> None:
        """Begin another conversation with the next question."""
        self.thread_id = None

    def show(self) -> None:
        """Print the path, with a number for each message."""
        if self.thread_id is None:
            return
        width = self._console.width
        for number, message in enumerate(self._store.messages.list(self.thread_id), 1):
            line = Text(f"{number:>3} ", style="dim")
            line.append_text(message_line(message, width - 4, self._arrows))
            self._console.print(line)

    def show_tree(self) -> None:
        """Draw the branches."""
        if self.thread_id is not None:
            tree = self._store.branches.tree(self.thread_id)
            ascii_only = self._console.options.ascii_only
            for line in tree_lines(tree, self._console.width, ascii_only=ascii_only):
                self._console.print(line)

    def resume(self) -> None:
        """Go on with a run that an earlier process left, if there is one."""
        if self.thread_id is None or not self._store.threads.get(self.thread_id).busy:
            return
        for run in self._store.runs.list(self.thread_id):
            if run.ended_at is None:
                self._console.print(Text("  (an earlier run goes on)", style="dim"))
                self._finish(run)

    # -- answering

    def _answer(self, thread_id: str, regenerates: str | None = None) -> None:
        run = self._engine.run(
            thread_id,
            model=self._answers.model,
            instructions=self._answers.instructions,
            tools=self._answers.tools,
            regenerates=regenerates,
        )
        self._finish(run)

    def _finish(self, run: Run) -> None:
        """Print what a run does until it has ended; the user may interrupt it, or is asked."""
        follower = Follower(self._console, self._answers.model)
        while True:
            try:
                follower.follow(
                    self._store.runs.stream(run.thread_id, run.id, after=follower.cursor)
                )
            except KeyboardInterrupt:
                self._cancel(run)
                continue
            if follower.state != "run.requires_action":
                break
            self._hand_in_outputs(run)
        ended = self._store.runs.get(run.thread_id, run.id)
        if (line := outcome(ended)) is not None:
            self._console.print(line)
        self._print_arrows(ended)

    def _cancel(self, run: Run) -> None:
        with contextlib.suppress(Refused):  # it ended meanwhile
            self._store.runs.cancel(run.thread_id, run.id)

    def _hand_in_outputs(self, run: Run) -> None:
        """Ask the user for each call that waits: its output, or leave to make it."""
        waits = self._store.runs.get(run.thread_id, run.id).required_actions
        outputs = [self._output_of(wait) for wait in waits]
        self._engine.submit_tool_outputs(run.thread_id, run.id, outputs)

    def _output_of(self, wait: RequiredAction) -> dict[str, Any]:
        call = {"call_id": wait.call_id}
        if wait.reason == "outputs":
            return {**call, "output": self._ask(f"  output of {wait.call_id}: ")}
        question = _QUESTIONS[wait.reason].format(wait.call_id)
        if self._ask(f"  {question} [y/N] ").strip().lower() in {"y", "yes"}:
            return {**call, "approved": True}
        return {**call, "output": "The user did not allow this call.", "status": "failed"}

    def _print_arrows(self, run: Run) -> None:
        """Print the place of the answer among its alternatives."""
        path = self._store.messages.list(run.thread_id, order="desc", limit=20)
        several = [one for one in path if one.run_id == run.id and one.sibling_count > 1]
        if several:
            self._console.print(Text(f"  {self._arrows(several[-1])}", style="dim"))

    def _arrows(self, message: Message) -> str:
        left, right = "<>" if self._console.options.ascii_only else "◀▶"
        return f"{left} {message.sibling_index}/{message.sibling_count} {right}"

    def _path(self) -> tuple[str, tuple[Message, ...]]:
        if self.thread_id is None:
            raise Mistake("There is no question yet.")
        return self.thread_id, tuple(self._store.messages.list(self.thread_id))


def _numbered(path: Sequence[Message], number: int | None) -> Message:
    if number is None or not 1 <= number <= len(path):
        raise Mistake("There is no message of that number; /show numbers them.")
    return path[number - 1]
