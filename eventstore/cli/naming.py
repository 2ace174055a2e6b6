"""Rewords errors of the library for the command line: ``forks="purge"`` is ``--forks purge``.

The library uses the Python names of its arguments. The options of a command say which of them it
has, and how they are typed, so a new option needs no line here.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Final, Protocol

from eventstore.errors import ConversationStoreError, InvalidInput, NotFound, ThreadNotFound

__all__ = ["as_typed", "typed_names"]

_OTHERWISE: Final[Mapping[str, str]] = {"url": "database"}
"""Names of arguments in commands, by their name in the library, where the two differ."""
_IN_PYTHON: Final = re.compile(r"(?:^|[ (])[a-z_]+=")
_NO_OPTION: Final = "(That is an argument in Python, for which this command has no option.)"


class _Parameter(Protocol):
    """An argument or an option of the framework."""

    @property
    def name(self) -> str | None: ...

    @property
    def opts(self) -> Sequence[str]: ...


class _Command(Protocol):
    """A command of the framework."""

    @property
    def params(self) -> Sequence[_Parameter]: ...


def typed_names(command: _Command) -> dict[str, str]:
    """Return a command's options as typed, by the names of the library's arguments."""
    typed = {
        one.name: max(one.opts, key=len)
        for one in command.params
        if one.name is not None and one.opts[0].startswith("-")
    }
    named = {name: typed[ours] for name, ours in _OTHERWISE.items() if ours in typed}
    return typed | named


def as_typed(error: ConversationStoreError, typed: Mapping[str, str]) -> str:
    """Return the text of an error, with options named as they are typed."""
    said = str(error)
    if isinstance(error, InvalidInput) and error.field in typed:
        said = typed[error.field] + said.removeprefix(error.field)
    for name, option in typed.items():
        said = re.sub(rf"""\b{name}=(["'])(\w+)\1""", rf"{option} \2", said)
        said = re.sub(rf"\b{name}=", option, said)
    if isinstance(error, NotFound):  # commands take no tenant; only labels stand for an id
        found = "; 'eventstore threads' lists them" if isinstance(error, ThreadNotFound) else ""
        said = said.replace("the id and the tenant", f"the id{found}")
        said = said.replace("the spelling and the tenant", "the label")
    remedy = str(getattr(error, "remedy", ""))
    if _IN_PYTHON.search(remedy) and said.endswith(remedy):  # no option matches it
        said = f"{said} {_NO_OPTION}"
    return said
