"""Draw sequences of commands to one thread, most of which a store accepts."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from hypothesis import strategies as st
from msgspec import UNSET

from eventstore.conversation import commands as c
from eventstore.testing.oracle import Words
from eventstore.testing.strategies import (
    CALLS,
    FENCES,
    NAMES,
    ON_BUSY,
    ROLES,
    T,
    draft,
    drafts,
    message_id,
    run_id,
    step_id,
)

__all__ = ["command_sequences"]


class _Drawing:
    """Draws commands one after another, and remembers the ids it used."""

    def __init__(self, draw: Callable[[st.SearchStrategy[Any]], Any], first: int) -> None:
        self.draw = draw
        self.first = first
        self.messages = 0
        self.runs = 0
        self.steps = 0

    def one_of(self, options: Sequence[T]) -> T:
        chosen: T = self.draw(st.sampled_from(options))
        return chosen

    def _given(self, make: Callable[[int], bytes], count: int) -> bytes:
        """Name an id that was used, or sometimes one that never was."""
        number = self.draw(st.integers(self.first, self.first + max(count, 1)))
        return make(number)

    def message(self) -> bytes:
        return self._given(message_id, self.messages)

    def run(self) -> bytes:
        return self._given(run_id, self.runs)

    def new_message(self) -> bytes:
        self.messages += 1
        return message_id(self.first + self.messages - 1)

    def flag(self) -> bool:
        """Return True, and False in a quarter of the cases."""
        return self.one_of([True, True, True, False])

    def draft(self, role: str) -> c.Draft:
        said: c.Draft = self.draw(drafts(role))
        return said

    # each of these draws one command

    def say(self) -> c.Command:
        role = self.one_of(ROLES)
        parent: Any = UNSET
        if not self.flag():
            parent = self.one_of([None, self.message(), self.message(), self.message()])
        return c.CreateMessage(
            role=role,
            draft=self.draft(role),
            message_id=self.new_message(),
            parent_id=parent,
            select=self.flag(),
            on_busy=self.one_of(ON_BUSY),
        )

    def say_in_run(self) -> c.Command:
        return c.CreateMessage(
            role="assistant",
            draft=self.draft("assistant"),
            message_id=self.new_message(),
            run_id=self.run(),
            select=self.flag(),
        )

    def edit(self) -> c.Command:
        return c.EditMessage(
            target=self.message(),
            draft=self.draft("user"),
            message_id=self.new_message(),
            select=self.flag(),
        )

    def regenerate(self) -> c.Command:
        return c.RegenerateMessage(
            target=self.message(),
            draft=self.draft("assistant"),
            message_id=self.new_message(),
            select=self.flag(),
            run_id=None if self.flag() else self.run(),
        )

    def change(self) -> c.Command:
        target = self.message()
        options: list[Callable[[], c.Command]] = [
            lambda: c.AmendMessage(target=target, draft=self.draft("user")),
            lambda: c.UpdateMessage(target=target, metadata={"seen": True}, name=None),
            lambda: c.RemoveMessage(target=target),
            lambda: c.RestoreMessage(target=target),
            lambda: c.RemoveMessage(target=target),
            lambda: c.RestoreMessage(target=target),
        ]
        return self.one_of(options)()

    def branch(self) -> c.Command:
        target, name = self.message(), self.one_of(NAMES)
        return self.one_of(
            [
                c.SelectBranch(branch=target),
                c.SelectBranch(branch=target),
                c.SelectBranch(branch=name),
                c.LabelBranch(target=target, label=name),
                c.LabelBranch(target=target, label=None),
            ]
        )

    def erase(self) -> c.Command:
        options: list[tuple[c.Included, ...]] = [(), (), ("edits",), ("run",), ("edits", "run")]
        include = self.one_of(options)
        return c.EraseContent(targets=(self.message(),), include=include)

    def begin_run(self) -> c.Command:
        self.runs += 1
        return c.CreateRun(
            run_id=run_id(self.first + self.runs - 1),
            regenerates=None if self.flag() else self.message(),
            on_busy=self.one_of(ON_BUSY),
        )

    def move_run(self) -> c.Command:
        run = self.run()
        call = self.one_of(CALLS)
        output = c.ToolOutput(
            message_id=self.new_message(),
            draft=draft(Words(text="done", answer=call)),
        )
        self.steps += 1
        step = step_id(self.first + self.steps - 1)
        earlier = self._given(step_id, self.steps)
        fence = self.one_of(FENCES)
        mine = None if self.flag() else fence
        return self.one_of(
            [
                c.StartRun(run_id=run),
                c.StartRun(run_id=run),
                c.StartRun(run_id=run, take_over=True, holder="worker-2"),
                c.HoldRun(run_id=run, fence=fence, lease_us=60_000_000),
                c.RequireAction(run_id=run, fence=mine),
                c.RequireAction(run_id=run, fence=mine, calls=(call,)),
                c.SubmitToolOutputs(run_id=run, outputs=(output,)),
                c.CompleteRun(run_id=run, fence=mine),
                c.CompleteRun(run_id=run, fence=mine, incomplete_reason="max_tokens"),
                c.FailRun(run_id=run, fence=mine, message="out of memory"),
                c.CancelRun(run_id=run, fence=mine),
                c.ExpireRun(run_id=run, fence=mine),
                c.UpdateRun(run_id=run, metadata={"seen": True}),
                c.StartStep(run_id=run, fence=mine, type="message_creation", step_id=step),
                c.CompleteStep(step_id=earlier, fence=mine),
                c.FailStep(step_id=earlier, fence=mine),
            ]
        )

    def life(self) -> c.Command:
        return self.one_of(
            [
                c.UpdateThread(title="Plans", metadata={"user": "u_42"}),
                c.ArchiveThread(),
                c.UnarchiveThread(),
                c.UnarchiveThread(),
                c.DeleteThread(),
                c.RestoreThread(),
                c.RestoreThread(),
            ]
        )


_WEIGHTS: Final[Mapping[str, int]] = {
    "say": 6,
    "say_in_run": 3,
    "edit": 2,
    "regenerate": 2,
    "change": 4,
    "branch": 3,
    "begin_run": 2,
    "move_run": 6,
    "life": 1,
}


def command_sequences(
    min_size: int = 1, max_size: int = 30, *, first: int = 0, erasing: bool = False
) -> st.SearchStrategy[list[c.Command]]:
    """Return commands to one existing thread, in order; numbers of ids start at ``first``.

    With ``erasing`` some of them erase messages.
    """
    weights = {**_WEIGHTS, "erase": 2 * erasing}
    kinds = [kind for kind, weight in weights.items() for _ in range(weight)]

    @st.composite
    def sequence(draw: Callable[[st.SearchStrategy[Any]], Any]) -> list[c.Command]:
        drawing = _Drawing(draw, first)
        chosen = draw(st.lists(st.sampled_from(kinds), min_size=min_size, max_size=max_size))
        return [getattr(drawing, kind)() for kind in chosen]

    return sequence()
