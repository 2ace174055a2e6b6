"""What a search for a word has to find: messages that can be read, and titles, where they stand.

What a word is differs between databases, at its edges and beyond ASCII. So the oracle speaks only
of texts in which nobody could doubt it: words of ASCII letters, a blank or the end behind each, and
at most one mark before that.
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
    """Return the words of a text, in lower case; None if what they are could be doubted."""
    if _UNDOUBTED.fullmatch(text) is None:
        return None
    return frozenset(word.lower() for word in _WORD.findall(text))


def found_by(threads: Iterable[OracleThread], word: str) -> set[tuple[str, str | None]]:
    """Return thread and id of each message without doubt in which a search finds the word.

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
    """Tell whether a thread has words of a message itself: its own, a copy, or another wording.

    What it only inherits is found in its source.
    """
    about = {**thread.said, **thread.lost}
    return message.home == thread.id or any(
        thread.events[version - 1] == "MessageAmended" and subject == message.id
        for version, subject in about.items()
    )
