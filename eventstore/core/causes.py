"""Explains why a database refused a statement, without the values of its parameters.

The text of a database error may quote values, and values may be a user's words. So the text is kept
only if every name in it stands in the statement itself. It is added to the error as a note, which a
traceback shows.
"""

from __future__ import annotations

import re
from typing import Final

__all__ = ["cause_of", "explain"]

_NOTE: Final = "the database says: "
_SPEAKS_OF_THE_STATEMENT: Final = re.compile(
    r"no such (?:table|column|function): (?P<a>\S+)"
    r"|(?:table \S+ has no column named|ambiguous column name:) (?P<b>\S+)"
    r"|near \"(?P<c>[^\"]*)\": syntax error|incomplete input"
    r"|syntax error at (?:or near \"(?P<d>[^\"]*)\"|end of input)"
    r"|(?:column|relation|type|table) \"?(?P<e>[^\"]+?)\"?(?: of relation \"[^\"]+\")?"
    r" (?:does not exist|already exists|is ambiguous)"
    r"|function (?P<f>\w+)\([\w ,]*\) does not exist"
    r"|(?:table|index) (?P<g>\S+) already exists"
    r"|(?:UNIQUE|NOT NULL|CHECK|FOREIGN KEY) constraint failed(?:: .*)?"
    r"|\d+ values for \d+ columns|table \S+ has \d+ columns but \d+ values were supplied"
    r"|Incorrect number of bindings supplied\. .*|datatype mismatch"
    r"|wrong number of arguments to function (?P<h>\w+)\(\)"
    r"|(?:duplicate key value|null value in column \"[^\"]+\"|new row for relation \"[^\"]+\")"
    r".* violates .*constraint.*"
)


def explain(error: BaseException, sql: str) -> None:
    """Add the reason to a database error as a note, if it quotes no values."""
    driver = getattr(error, "orig", None) or error  # what SQLAlchemy wraps
    lines = str(driver).splitlines()
    said = lines[0].partition("<class ")[2].partition(">: ")[2] or lines[0] if lines else ""
    found = _SPEAKS_OF_THE_STATEMENT.fullmatch(said)
    if found is None or any(not _stands_in(sql, name) for name in found.groups() if name):
        return
    error.add_note(_NOTE + said)


def _stands_in(sql: str, name: str) -> bool:
    parts = re.findall(r"\w+", name) or [name]
    return all(part.lower() in sql.lower() for part in parts)


def cause_of(error: BaseException) -> str | None:
    """Return the note that :func:`explain` added to an error."""
    notes = (note for note in getattr(error, "__notes__", ()) if note.startswith(_NOTE))
    return next((str(note.removeprefix(_NOTE)) for note in notes), None)
