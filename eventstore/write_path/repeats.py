"""Recognise a request with an idempotency key that was performed before, and answer it again."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Final

from eventstore.core import chain
from eventstore.core.events import StreamKey
from eventstore.errors import ConversationStoreError, IdempotencyConflict
from eventstore.storage.idempotency import KeptKey, find_key, key_row, write_keys
from eventstore.storage.log import Log
from eventstore.storage.transaction import Transaction
from eventstore.write_path.heads import NO_EVENTS, StreamHead
from eventstore.write_path.requests import (
    Appended,
    AppendRequest,
    Failed,
    Outcome,
    StreamSession,
)

__all__ = ["Repeats"]


class Repeats:
    """The keys of one batch's requests."""

    def __init__(self, tx: Transaction, log: Log, random: Callable[[int], bytes]) -> None:
        self._tx: Final = tx
        self._log: Final = log
        self._random: Final = random
        self._kept: Final[dict[tuple[StreamKey, str], KeptKey]] = {}
        self._rows: list[tuple[Any, ...]] = []

    def find(self, request: AppendRequest, head: StreamHead) -> KeptKey | None:
        """Return the record of an earlier request with the same key to the same stream."""
        key = request.key or ""
        kept = self._kept.get((request.stream, key))
        if kept is not None or head.stored is NO_EVENTS or head.place is None:
            return kept
        return find_key(self._tx, head.place, key)

    def answer(
        self, request: AppendRequest, session: StreamSession[Any, Any], kept: KeptKey
    ) -> Outcome:
        """Answer a request from the events that its first try wrote, which are in the log."""
        if not any(kept.is_of(one, len(request.commands)) for one in self._digested(request)):
            return Failed(IdempotencyConflict(request.stream.text, request.key or ""))
        results, first = [], kept.first
        try:
            for command, end in zip(request.commands, kept.ends, strict=True):
                results.append(session.repeated(request, command, first, end))
                first = end + 1
        except ConversationStoreError as error:
            return Failed(error)
        return Appended(results if len(results) > 1 else results[0], kept.ends[-1], ())

    def keep(
        self, request: AppendRequest, head: StreamHead, first: int, ends: Sequence[int]
    ) -> None:
        """Keep the key of a request that was accepted."""
        if head.place is not None:  # else nothing was appended, and there is nothing to repeat
            key, salt = request.key or "", self._random(chain.SALT_BYTES)
            kept = KeptKey.of(self._digested(request)[0], salt, first, ends)
            self._kept[request.stream, key] = kept
            self._rows.append(key_row(head.place, key, kept))

    def write(self) -> None:
        """Write the keys that are not written yet."""
        if self._rows:
            write_keys(self._tx, self._rows)
            self._rows = []

    def _digested(self, request: AppendRequest) -> Sequence[bytes]:
        """Return the bytes to digest; with encryption blinded ones, and those of before it."""
        codec, digested = self._log.codec, request.digested
        if not codec.seals:
            return (digested,)
        return codec.words.blind(self._tx, request.stream.tenant, digested), digested
