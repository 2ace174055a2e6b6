"""The results that a search for a word must have: readable messages, and titles, in their threads.

Databases split words differently at their edges and beyond ASCII. So the oracle covers only texts
that all of them split alike: words of ASCII letters, a blank or the end behind each, and at most
one mark before that.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final

from eventstore.testing.oracle.threads import OracleThread
from eventstore.testing.oracle.values import OracleMessage

__all__ = ["found_by", "words_in"]

_UNDOUBTED: Final = re.compile(r"(?:[A-Za-z]+[.?!,]?(?: |$))*")
_WORD: Final = re.compile(r"[A-Za-z]+")


def words_in(text: str) -> frozenset[str] | None:
    """Return the words of a text, in lower case; None if databases split it differently."""
    if _UNDOUBTED.fullmatch(text) is None:
        return None
    return frozenset(word.lower() for word in _WORD.findall(text))


def found_by(threads: Iterable[OracleThread], word: str) -> set[tuple[str, str | None]]:
    """Return thread and id of each message in which every database finds the word.

    A title has no id.
    """
    threads = list(threads)
    titles: set[tuple[str, str | None]] = {
        (thread.id, None)
        for thread in threads
        if not thread.deleted and (thread.source is None or "ThreadUpdated" in thread.events)
        if word in (words_in(thread.title or "") or ())
    }
    return titles | {
        (thread.id, message.id)
        for thread in threads
        if not thread.deleted
        for message in thread.messages.values()
        if thread.is_visible(message.id) and _tells(thread, message)
        if word in (words_in(message.wordings[-1].shown) or ())
    }


def _tells(thread: OracleThread, message: OracleMessage) -> bool:
    """Return whether a thread itself has words of a message: its own, a copy, or another wording.

    A message that it only inherits is found in its source.
    """
    about = {**thread.said, **thread.lost}
    return message.home == thread.id or any(
        thread.events[version - 1] == "MessageAmended" and subject == message.id
        for version, subject in about.items()
    )
