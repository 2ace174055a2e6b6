"""Rules of the machine that search, once the search projection has caught up."""

from __future__ import annotations

from typing import Any

from hypothesis.stateful import precondition, rule

from eventstore.read_models import Hits, MessageSearch, search
from eventstore.testing.machine.base import Machine
from eventstore.testing.oracle.searching import found_by, words_in

__all__ = ["SearchRules"]


class SearchRules(Machine):
    """Rules about projections that follow the log."""

    searches: bool = True
    """Whether to search; not on distributed tables, where nothing follows the log."""

    _follows = False

    def teardown(self) -> None:
        """Search once more, then close as always."""
        try:
            if self.searches and hasattr(self, "both") and self.both.sound:
                self.find()
        finally:
            super().teardown()

    @rule()
    @precondition(lambda self: self.searches)
    def find(self) -> None:
        """Each word that is said anywhere is found where it can be read, and nowhere else."""
        if not self._follows:
            self.store.projections.register(MessageSearch())
            self._follows = True
        self.store.projections.catch_up("search")
        shown: dict[tuple[str, str | None], str] = {
            (thread.id, message.id): message.wordings[-1].shown
            for thread in self.threads
            for message in thread.messages.values()
        }
        shown |= {(thread.id, None): thread.title or "" for thread in self.threads}
        known = {word for text in shown.values() for word in words_in(text) or ()}
        for word in sorted(known | {"nowhere"}):
            self._find(word, shown)
        self.tell("searching")

    def _find(self, word: str, shown: dict[tuple[str, str | None], str]) -> None:
        looked: Any = self.store.projections.read  # typed for what comes in pages
        hits: Hits = looked("search", search(word, limit=1_000))
        found = {(hit.thread_id, hit.message_id) for hit in hits}
        doubted = {key for key in found if words_in(shown[key]) is None}
        assert found - doubted == found_by(self.threads, word), word
        assert all(word in shown[key].lower() for key in doubted), word
