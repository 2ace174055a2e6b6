"""Hypothesis strategies for messages, for what is attached to them, and for commands to a thread.

Sequences of commands are drawn without a store: ids come from a small numbered universe
(:func:`message_id`, :func:`run_id`, :func:`step_id`), so that later commands can name what earlier
ones made. Many of them make sense, and some do not: a refusal has to be the same everywhere, too.
"""

from __future__ import annotations

from functools import cache
from typing import Any, Final, TypeVar

from hypothesis import strategies as st

from eventstore.conversation import commands as c
from eventstore.conversation.provider_form import ProviderForm, packed_form
from eventstore.conversation.rows import Role
from eventstore.core import ids
from eventstore.testing.oracle import Words

__all__ = [
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
    return words(role).map(draft)


def draft(said: Words) -> c.Draft:
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


def shown_message_id(number: int) -> str:
    """Return the id of the n-th message as users see it."""
    return ids.show(ids.MESSAGE, message_id(number))
