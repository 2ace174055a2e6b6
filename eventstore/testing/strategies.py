"""Hypothesis strategies for messages, for what is attached to them, and for commands to a thread.

Sequences of commands are drawn without a store: ids come from a small numbered universe
(:func:`message_id`, :func:`run_id`, :func:`step_id`), so that later commands can name what earlier
ones made. Many of them make sense, and some do not: a refusal has to be the same everywhere, too.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import cache
from typing import Any, Final, TypeVar

from hypothesis import strategies as st
from msgspec import UNSET

from eventstore.conversation import commands as c
from eventstore.conversation.provider_form import ProviderForm, packed_form
from eventstore.conversation.rows import Role
from eventstore.core import ids
from eventstore.testing.oracle import Words

__all__ = [
    "command_sequences",
    "contents",
    "drafts",
    "json_values",
    "message_id",
    "metadata",
    "run_id",
    "step_id",
    "texts",
    "words",
]

T = TypeVar("T")

CALLS: Final = ("call_a", "call_b", "call_c")
"""Few ids of tool calls, so that they meet."""

NAMES: Final = ("first", "second", "zwölf")
"""Few labels and names, so that they meet."""

ON_BUSY: Final[tuple[c.OnBusy, ...]] = ("enqueue", "reject", "interrupt", "rollback")

FENCES: Final = (2, 3, 4, 5, 6)
"""Few versions of early events, so that some are the fence of a run."""

ROLES: Final[tuple[Role, ...]] = ("user", "assistant", "assistant", "tool", "system")


def _numbered(kind: int, number: int) -> bytes:
    return kind.to_bytes(8, "big") + number.to_bytes(8, "big")


def message_id(number: int) -> bytes:
    """Return the packed id of the n-th message of the universe."""
    return _numbered(1, number)


def run_id(number: int) -> bytes:
    """Return the packed id of the n-th run of the universe."""
    return _numbered(2, number)


def step_id(number: int) -> bytes:
    """Return the packed id of the n-th step of the universe."""
    return _numbered(3, number)


# -- messages and attachments ----------------------------------------------------------------------


@cache
def texts(max_size: int = 20) -> st.SearchStrategy[str]:
    """Return text as people send it: any valid Unicode, NUL and line separators too, never empty.

    Args:
        max_size: the most characters.
    """
    everything = st.characters(exclude_categories=["Cs"])
    sharp = st.sampled_from(
        ["\0", "\u2028", "👩‍👩‍👧", "שלום", "a\r\nb", "'; DROP TABLE x; --", "{x}"]
    )
    return st.text(everything, min_size=1, max_size=max_size) | sharp


def json_values(max_leaves: int = 6) -> st.SearchStrategy[Any]:
    """Return JSON values as the store takes them.

    Args:
        max_leaves: the most values within one.
    """
    scalars = (
        st.none()
        | st.booleans()
        | st.integers(-(2**63), 2**63 - 1)
        | st.floats(allow_nan=False, allow_infinity=False)
        | texts()
    )
    return st.recursive(
        scalars,
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts(8), inner, max_size=3),
        max_leaves=max_leaves,
    )


def metadata() -> st.SearchStrategy[dict[str, Any]]:
    """Return metadata of a thread, message or run."""
    return st.dictionaries(texts(8), json_values(), max_size=3)


def _parts() -> st.SearchStrategy[dict[str, Any]]:
    def part(kind: str, **fields: st.SearchStrategy[Any]) -> st.SearchStrategy[dict[str, Any]]:
        return st.fixed_dictionaries({"type": st.just(kind), **fields})

    return st.one_of(
        part("text", text=texts()),
        part("image", url=texts()),
        part("image", file_id=texts(), detail=st.sampled_from(["low", "high"])),
        part("file", file_id=texts(), name=st.none() | texts()),
        part("reasoning", text=texts()),
        part("refusal", text=texts()),
        part("data", data=json_values()),
    )


def contents() -> st.SearchStrategy[str | list[dict[str, Any]]]:
    """Return content as callers give it: text, or a list of parts without tool calls."""
    return texts() | st.lists(_parts(), min_size=1, max_size=4)


@cache
def provider_forms() -> st.SearchStrategy[ProviderForm]:
    """Return messages in the form of some provider, which may be any bytes."""
    formats = st.sampled_from(["openai.chat", "anthropic.messages"])
    return st.builds(ProviderForm, format=formats, data=st.binary(max_size=12))


@cache
def words(role: str | None = None) -> st.SearchStrategy[Words]:
    """The content of a message of a role, in the oracle's terms."""
    calls = st.sampled_from(CALLS)
    said = texts()
    if role == "tool":
        return st.builds(Words, text=said, answer=calls)
    named = st.none() | st.sampled_from(NAMES)
    tagged = st.sampled_from([(), (("mood", "calm"),), (("tags", 3), ("ok", True))])
    plain = st.builds(Words, text=said, name=named, metadata=tagged)
    if role == "assistant":
        forms = st.none() | provider_forms()
        called = st.just(()) | st.lists(calls, min_size=1, max_size=2, unique=True).map(tuple)
        return plain | st.builds(Words, text=said, calls=called, provider=forms)
    return plain


@cache
def drafts(role: str = "user") -> st.SearchStrategy[c.Draft]:
    """The content of a message of a role, as commands hold it."""
    return words(role).map(_draft)


def _draft(said: Words) -> c.Draft:
    parts: list[str | dict[str, Any]] = [said.text]
    parts += [{"type": "tool_call", "id": call, "name": "look_up"} for call in said.calls]
    if said.answer is not None:
        parts = [{"type": "tool_result", "call_id": said.answer, "output": said.text}]
    return c.Draft(
        parts=parts,
        calls=said.calls,
        answers=() if said.answer is None else (said.answer,),
        metadata=dict(said.metadata) or None,
        name=said.name,
        provider=None if said.provider is None else packed_form(said.provider),
    )


# -- commands to a thread --------------------------------------------------------------------------


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
            draft=_draft(Words(text="done", answer=call)),
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


def shown_message_id(number: int) -> str:
    """Return the id of the n-th message as users see it."""
    return ids.show(ids.MESSAGE, message_id(number))
