"""Check the arguments behind the question mark of a database URL against those its driver accepts.

A driver ignores unknown arguments, or raises any error that Python raises for a wrong call. A
mistyped argument may be the one that makes a connection safe. So the check refuses it before
anything is opened, and names the argument and the known ones.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from difflib import get_close_matches
from typing import Any, Final, TypeAlias

from sqlalchemy import URL
from sqlalchemy.util import asbool

from eventstore.core.quoting import named
from eventstore.errors import InvalidInput

__all__ = ["check_arguments"]

Arguments: TypeAlias = Mapping[str, Callable[[Any], object]]
"""A converter for each name, SQLAlchemy's or the driver's; it refuses text with ValueError."""

_PYSQLITE: Final[Arguments] = {
    "cached_statements": int,
    "check_same_thread": asbool,
    "detect_types": int,
    "isolation_level": str,
    "timeout": float,
    "uri": asbool,
}
_SQLITE: Final[Arguments] = dict.fromkeys(
    ("cache", "immutable", "mode", "nolock", "psow", "vfs"), str
)
"""SQLite's own arguments, in the name of a file that is a URI."""
_TEXT_OF_ASYNCPG: Final = (
    "database",
    "gsslib",
    "host",
    "krbsrvname",
    "passfile",
    "password",
    "port",
    "service",
    "servicefile",
    "ssl",
    "target_session_attrs",
    "user",
)
_ASYNCPG: Final[Arguments] = {
    **dict.fromkeys(_TEXT_OF_ASYNCPG, str),
    "prepared_statement_cache_size": int,
}
"""The text arguments of ``asyncpg.connect``, and the one that SQLAlchemy makes a number of."""
_LISTED_MAX: Final = 20
_LIBPQ: Final = "It takes the parameter key words of libpq, which PostgreSQL's documentation lists"
_PLUGIN: Final = "plugin"
"""A SQLAlchemy plugin takes its own arguments out of the URL."""


def check_arguments(url: URL) -> None:
    """Refuse an argument that the driver does not know, or a value of the wrong kind.

    Raises:
        InvalidInput: naming the argument.
    """
    if not url.query or _PLUGIN in url.query:
        return
    file = url.database or "file:"
    if _is_true(url.query.get("uri", "false")) and not file.startswith("file:"):
        raise InvalidInput(
            "url",
            "has uri=true and a path that is not a URI, so SQLite would ignore its arguments",
            "Write file: before the path: sqlite:///file:chat.db?uri=true&mode=ro.",
        )
    known = _KNOWN[url.drivername.partition("+")[2]](url.query)
    for name, value in url.query.items():
        if name not in known:
            raise InvalidInput(
                "url",
                f"has an argument that the driver does not accept: {named(name)}",
                _remedy(name, known),
            )
        try:
            known[name](value)
        except (ValueError, TypeError):
            raise InvalidInput(
                "url", f"the value of {name} is not one the driver accepts", "Correct it."
            ) from None


def _remedy(name: str, known: Arguments) -> str:
    if name in _SQLITE:
        return f"SQLite takes it in a URI: sqlite:///file:chat.db?uri=true&{name}=…"
    near = get_close_matches(name, known)
    if near:
        return f"Did you mean {' or '.join(near)}?"
    listed = f"It takes {', '.join(sorted(known))}" if len(known) <= _LISTED_MAX else _LIBPQ
    return f"{listed}; connect_args= takes values that are not text, such as Python objects."


def _of_sqlite(given: Mapping[str, Any]) -> Arguments:
    if not _is_true(given.get("uri", "false")):
        return _PYSQLITE
    # A custom SQLite VFS has arguments of its own.
    others = dict.fromkeys(given, str) if "vfs" in given else {}
    return {**others, **_SQLITE, **_PYSQLITE}


def _is_true(value: object) -> bool:
    try:
        return asbool(value)
    except ValueError:
        return False


def _of_asyncpg(_: Mapping[str, Any]) -> Arguments:
    return _ASYNCPG


def _of_psycopg(_: Mapping[str, Any]) -> Arguments:
    """Return the arguments of the installed libpq: newer versions know more."""
    from psycopg import pq  # noqa: PLC0415 (an extra)

    return {option.keyword.decode(): str for option in pq.Conninfo.get_defaults()}


_KNOWN: Final[Mapping[str, Callable[[Mapping[str, Any]], Arguments]]] = {
    "pysqlite": _of_sqlite,
    "aiosqlite": _of_sqlite,
    "asyncpg": _of_asyncpg,
    "psycopg": _of_psycopg,
}
