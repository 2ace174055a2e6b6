"""Make evidence of a thread: one file with its events, a signed head, the proof, and a transcript.

The format, and everything that is checked of it, stands in ``evidence_verifier.py``, which also
derives the transcript; here rows become the values of the file. Of the threads that a fork was made
from it holds every event up to the fork, but content only of the messages that the fork sees: a
commitment takes its place otherwise, as after an erasure.
"""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Iterator
from typing import Any

from eventstore.audit import evidence_verifier as v
from eventstore.audit import merkle
from eventstore.audit.tree import node_of
from eventstore.audit.tree_heads import TreeHead
from eventstore.core import chain, ids
from eventstore.core.events import StreamKey
from eventstore.errors import BrokenChain, ThreadNotFound
from eventstore.storage.read import StoredEvent, read_page
from eventstore.storage.stream_heads import place_of
from eventstore.storage.transaction import Transaction
from eventstore.storage.tree_log import leaf_of_stream

__all__ = ["evidence_of"]


def evidence_of(tx: Transaction, thread: StreamKey, head: TreeHead) -> bytes:
    """Return the evidence of a thread up to the end that a tree head covers.

    Raises:
        ThreadNotFound: the head covers no such thread.
        BrokenChain: what was found does not verify, so it would prove nothing.
    """
    place = place_of(tx, thread)
    found = None if place is None else leaf_of_stream(tx, place, head.size)
    if found is None:
        raise ThreadNotFound(thread.text)
    streams = [*_streams(tx, thread, found.leaf.version)]
    _withhold([events for _, events in streams])
    read = [[v.Event(one) for one in events] for _, events in streams]
    evidence = {
        "format": v.FORMAT,
        "tenant": thread.tenant,
        "thread_id": thread.text,
        "tree_head": head.model_dump(),
        "proof": {
            "leaf": found.number,
            "path": [
                node.hex() for node in merkle.inclusion_proof(node_of(tx), found.number, head.size)
            ],
        },
        "streams": [
            {"stream_id": ids.show(ids.THREAD, key), "events": events} for key, events in streams
        ],
        "transcript": v.transcript(read),
    }
    return v.as_bytes(evidence)


def _streams(
    tx: Transaction, thread: StreamKey, until: int
) -> Iterator[tuple[bytes, list[dict[str, Any]]]]:
    """Yield the events of a thread, then of those that it was forked from, nearest first."""
    key: bytes | None = thread.id
    while key is not None:
        stream = thread._replace(id=key)
        events: list[dict[str, Any]] = []
        while len(events) < until:
            page = read_page(tx, stream, after=len(events), until=until, opened=False)
            if not page:
                raise BrokenChain(stream.text, len(events) + 1, "the event is missing")
            events += map(_told, page)
        yield key, events
        first, key = v.Event(events[0]), None
        if first.type == "ThreadForked":
            key, until = first.data["source_id"], first.data["source_version"]


def _told(stored: StoredEvent) -> dict[str, Any]:
    return {
        "version": stored.version,
        "event_id": stored.event_id.hex(),
        "type": stored.type,
        "schema_version": stored.schema_version,
        "recorded_at_us": stored.recorded_at_us,
        "data": b64encode(stored.data).decode(),
        "content": _text(stored.content),
        "salt": _text(stored.salt),
        "commitment": _text(stored.commitment),
        "metadata": _text(stored.metadata),
        "hash": stored.hash.hex(),
    }


def _text(raw: bytes | None) -> str | None:
    return None if raw is None else b64encode(raw).decode()


def _withhold(streams: list[list[dict[str, Any]]]) -> None:
    """Take out of each source the content that the fork does not see."""
    told = v.Conversation()
    for position in reversed(range(len(streams))):
        events = [v.Event(one) for one in streams[position]]
        if events[0].type == "ThreadForked":
            told.prefix(events[0].data["message_id"])
        for event in events:
            told.take(event)
        if position:
            seen = v.Conversation()
            seen.messages, seen.parents = dict(told.messages), dict(told.parents)
            seen.prefix(v.Event(streams[position - 1][0]).data["message_id"])
            for given, event in zip(streams[position], events, strict=True):
                if event.data.get("message_id") not in seen.messages:
                    _commit(given)


def _commit(event: dict[str, Any]) -> None:
    if event["content"] is not None:
        salt, content = v.unbase64(event["salt"]), v.unbase64(event["content"])
        promise = chain.commitment(salt or b"", content or b"")
        event.update(content=None, salt=None, commitment=_text(promise))
