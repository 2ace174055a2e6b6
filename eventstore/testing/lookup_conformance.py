"""The part of the conformance suite about finding threads and messages by words and by time."""

from __future__ import annotations

import random
from hashlib import sha256
from typing import Final

import pytest

from eventstore.errors import InvalidInput
from eventstore.testing.store_wrappers import AnyStore

__all__ = ["LookupSuite"]

_KINDS: Final = ("h:", "k:", "s:", "")


def _by_pages(store: AnyStore, **asked: object) -> list[str]:
    """Return the ids of threads, listed page by page."""
    found, page = [], store.threads.list(**asked)
    while True:
        found += [one.id for one in page]
        if page.next_cursor is None:
            return found
        page = store.threads.list(**asked, after=page.next_cursor)


def _rare(length: int, seed: int) -> str:
    """Return characters of four bytes that no database can compress."""
    dice = random.Random(seed)  # noqa: S311 (the same each time)
    return "".join([chr(dice.randrange(0x20000, 0x2A000)) for _ in range(length)])


class LookupSuite:
    """Needs the fixture ``store``, as ``ConformanceSuite`` has it."""

    def test_whatever_is_looked_up_by_name_may_be_in_any_script(self, store: AnyStore) -> None:
        """An entry of an index has its limits in bytes, and a character takes up to four."""
        for length in (250, 298, 300, 350, 398, 400):
            key, value = _rare(length, 1), _rare(length, 2)
            thread = store.threads.create(metadata={key: value})
            assert [one.id for one in store.threads.list(metadata={key: value})] == [thread.id]
        thread, name = store.threads.create(), _rare(255, 3)
        said = store.messages.create(
            thread.id, role="user", content="x", external_id=name, idempotency_key=name
        )
        store.branches.label(thread.id, said.id, name)
        assert store.messages.get(thread.id, external_id=name).id == said.id
        assert [one.id for one in store.messages.list(thread.id, branch=name)] == [said.id]

    def test_no_metadata_key_is_taken_for_another(self, store: AnyStore) -> None:
        """Keys that are long are looked up by a digest, which is a key that one may have, too."""
        long = "k" * 301
        digests = [
            f"{kind}{sha256(said.encode()).hexdigest()}"
            for kind in _KINDS
            for said in (long, f"k:{long}")
        ]
        metadata = {key: str(number) for number, key in enumerate([long, *digests])}
        thread = store.threads.create(metadata=metadata)
        assert store.threads.get(thread.id).metadata == metadata
        for key, value in metadata.items():
            assert [one.id for one in store.threads.list(metadata={key: value})] == [thread.id]
            assert list(store.threads.list(metadata={key: "another"})) == []

    def test_threads_are_listed_by_creation_or_last_activity(self, store: AnyStore) -> None:
        made = [store.threads.create(metadata={"odd": bool(n % 2)}).id for n in range(5)]
        for place in (3, 0, 4, 1):
            store.messages.create(made[place], role="user", content="hello")
        store.threads.archive(made[3])
        active = [made[place] for place in (2, 0, 4, 1, 3)]
        for order, asked in (("asc", active), ("desc", active[::-1])):
            found = {"sort": "activity", "order": order}
            assert [one.id for one in store.threads.list(**found)] == asked
            assert _by_pages(store, **found, limit=2) == asked
            odd = [one for one in asked if one in made[1::2]]
            assert _by_pages(store, **found, metadata={"odd": True}, limit=1) == odd
            archived = store.threads.list(**found, archived=True)
            assert [one.id for one in archived] == [made[3]]
        assert [one.id for one in store.threads.list(sort="created")] == made
        page = store.threads.list(sort="activity", order="desc", limit=2)
        # It moves to the newest end.
        store.messages.create(active[0], role="user", content="meanwhile")
        after = {"sort": "activity", "order": "desc", "after": page.next_cursor}
        assert [one.id for one in store.threads.list(**after)] == active[2:0:-1]
        for wrong in ({"sort": "created"}, {"order": "asc"}):
            with pytest.raises(InvalidInput):
                store.threads.list(**{**after, **wrong})
