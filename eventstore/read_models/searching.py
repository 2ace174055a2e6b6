"""Search the tables of ``MessageSearch``: the query that ``store.projections.read`` takes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final, Literal, NamedTuple, TypeAlias

from eventstore.core import ids
from eventstore.core.json_values import check_text
from eventstore.core.pages import PageOf, decode_cursor, encode_cursor, listing_key
from eventstore.core.quoting import quoted
from eventstore.errors import InvalidInput
from eventstore.read_models.catch_up.tables import Tables
from eventstore.read_models.search_text import in_pieces
from eventstore.storage.tables import Dialect

__all__ = ["Hit", "HitSort", "Hits", "search"]


_HITS_MAX: Final = 1_000


_SEARCHED_MAX: Final = 10_000


_VISIBLE: Final = (
    "m.tenant = ? AND m.hidden = 0 AND NOT EXISTS (SELECT 1 FROM {deleted} d"
    " WHERE d.tenant = m.tenant AND d.thread_id = m.thread_id)"
)


_SEARCH: Final = {
    "sqlite": (
        "SELECT m.thread_id, m.message_id, substr(m.message_id, -32) AS made,"
        " -bm25({words}) AS rank, snippet({words}, 0, '[', ']', '…', 12) AS snippet"
        " FROM {words} JOIN {messages} m ON m.number = {words}.rowid"
        f" WHERE {{words}} MATCH ? AND {_VISIBLE}"
    ),
    "postgresql": (
        "SELECT m.thread_id, m.message_id, right(m.message_id, 32) AS made,"
        " CAST(ts_rank(m.words, w.wanted) AS double precision) AS rank,"
        " ts_headline('simple', m.text, w.wanted,"
        " 'StartSel=[, StopSel=], MaxWords=12, MinWords=6, FragmentDelimiter=…') AS snippet"
        " FROM {messages} m, (SELECT WANTED AS wanted) w"
        f" WHERE m.words @@ w.wanted AND {_VISIBLE}"
    ),
}


_IN_THREAD: Final = " AND m.thread_id = ?"


_PAGE: Final = "SELECT thread_id, message_id, rank, snippet FROM ({found}) AS found"


_BEHIND: Final = {
    "rank": (
        " WHERE rank < CAST(? AS double precision) OR (rank = CAST(? AS double precision)"
        " AND (made, thread_id) < (?, ?))"
    ),
    "newest": " WHERE (made, thread_id) < (?, ?)",
}


_ORDER: Final = {
    "rank": " ORDER BY rank DESC, made DESC, thread_id DESC LIMIT ?",
    "newest": " ORDER BY made DESC, thread_id DESC LIMIT ?",
}


_PLAIN: Final = "plainto_tsquery('simple', CAST(? AS text))"


_PREFIX: Final = " && to_tsquery('simple', CAST(? AS text))"


HitSort: TypeAlias = Literal["rank", "newest"]
"""Order of hits: the best first, or the newest."""


class Hit(NamedTuple):
    """A message or a title that was found."""

    thread_id: str
    """Thread in which it was found."""
    message_id: str | None
    """The message; None if it is the thread's title."""
    rank: float
    """Higher is better; comparable within one search."""
    snippet: str
    """The words in their surroundings, each in square brackets."""

    def __repr__(self) -> str:
        """Leave the words out."""
        return f"Hit({self.thread_id!r}, {self.message_id!r}, rank={self.rank!r})"


class Hits(PageOf[Hit]):
    """A page of what was found, in order; iterating it gives the hits."""


def search(
    text: str,
    thread_id: str | None = None,
    limit: int = 20,
    *,
    sort: HitSort = "rank",
    after: str | None = None,
) -> Callable[[Tables], Hits]:
    """Return the query of ``store.projections.read("search", …)``: all words, in any order.

    A page goes on behind the last hit of the one before. On SQLite a rank depends on all that is
    searched, so hits may move while messages are added, and a later page may leave one out or
    show it again. With ``sort="newest"`` each hit keeps its place.

    Args:
        text: Words that must all be found. ``sun*`` stands for words that begin with "sun".
        thread_id: Search in this thread alone.
        limit: Most hits on the page, up to 1,000.
        sort: ``"rank"`` is the best first, ``"newest"`` the newest message or thread.
        after: A page's ``next_cursor``, with the arguments that the page was searched with.

    Raises:
        InvalidInput: on an argument.
    """
    wanted = check_text(text, "text", _SEARCHED_MAX).replace("\0", " ")
    if thread_id is not None:
        ids.parse(ids.THREAD, thread_id, "thread_id")
    most = _checked_limit(limit)
    if sort not in _ORDER:
        raise InvalidInput("sort", f"{quoted(sort)} is unknown", 'Use "rank" or "newest".')
    listing = listing_key("search", wanted, thread_id, sort)
    behind = () if after is None else _places(listing, after, sort)

    def look(tables: Tables) -> Hits:
        asked = _asked(tables.dialect, wanted)
        if asked is None:
            return Hits(data=())
        sql, given = asked
        parameters: list[Any] = [*given, tables.tenant]
        if thread_id is not None:
            sql, parameters = sql + _IN_THREAD, [*parameters, thread_id]
        sql = _PAGE.replace("{found}", sql) + (_BEHIND[sort] if behind else "") + _ORDER[sort]
        rows = tables.all(sql, (*parameters, *behind, most + 1))
        hits = tuple(_hit(*row) for row in rows[:most])
        more = len(rows) > most
        return Hits(data=hits, next_cursor=_cursor(listing, rows[most - 1]) if more else None)

    return look


def _places(listing: bytes, after: str, sort: HitSort) -> tuple[Any, ...]:
    """Return where a hit stands: its rank, what its id is made of, and its thread."""
    rank, made, thread_id = decode_cursor(listing, after, tuple[float, str, str])
    return (rank, rank, made, thread_id) if sort == "rank" else (made, thread_id)


def _cursor(listing: bytes, row: tuple[Any, ...]) -> str:
    thread_id, message_id, rank, _ = row
    return encode_cursor(listing, float(rank), message_id[-32:], thread_id)


def _hit(thread_id: str, message_id: str, rank: float, snippet: str) -> Hit:
    return Hit(thread_id, None if message_id == thread_id else message_id, rank, snippet)


def _checked_limit(limit: object) -> int:
    if not isinstance(limit, int) or isinstance(limit, bool) or not 0 < limit <= _HITS_MAX:
        raise InvalidInput("limit", f"{quoted(limit)} is not allowed", f"Give 1 to {_HITS_MAX}.")
    return limit


def _asked(dialect: Dialect, text: str) -> tuple[str, list[str]] | None:
    """Return the statement for words, and how each database takes them; None if there are none."""
    words = (text if dialect == "sqlite" else in_pieces(text)).split()
    begun = [word.rstrip("*") for word in words if word.endswith("*") and word.rstrip("*")]
    whole = [word for word in words if not word.endswith("*")]
    if not begun and not whole:
        return None
    if dialect == "sqlite":
        return _SEARCH[dialect], [
            " ".join([*map(_phrase, whole), *(f"{_phrase(one)}*" for one in begun)])
        ]
    query = _PLAIN + _PREFIX * len(begun)
    lexemes = ("'{}':*".format(one.replace("\\", "\\\\").replace("'", "''")) for one in begun)
    return _SEARCH[dialect].replace("WANTED", query), [" ".join(whole), *lexemes]


def _phrase(word: str) -> str:
    """Return a word as FTS5 takes it literally, whatever it means in its language."""
    return '"{}"'.format(word.replace('"', '""'))
