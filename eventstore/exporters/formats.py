"""The formats of an export, by name."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Final, Literal, TypeAlias

from eventstore.conversation.thread_state import ThreadState
from eventstore.exporters.html_page import html_page
from eventstore.exporters.markdown import markdown

__all__ = ["FORMATS", "ExportFormat", "exported"]

ExportFormat: TypeAlias = Literal["markdown", "html", "json"]
"""``"markdown"`` and ``"html"`` are for people; ``"json"`` is a ``ThreadState``."""


def _json(state: ThreadState) -> Iterable[str]:
    return (state.model_dump_json(indent=2), "\n")


FORMATS: Final[Mapping[str, Callable[[ThreadState], Iterable[str]]]] = {
    "markdown": markdown,
    "html": html_page,
    "json": _json,
}


def exported(state: ThreadState, form: str) -> str:
    """Return a conversation in one of the ``FORMATS``."""
    return "".join(FORMATS[form](state))
