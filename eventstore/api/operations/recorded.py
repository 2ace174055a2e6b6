"""Present events of the log: ids as text, data and content as JSON values.

Whole stores are read through here, so :func:`recorded_each` is one loop, from the columns of a row
straight to the value: lookups and intermediate values for each event would cost more than decoding
it does. Each event is made on demand: 500 events made at once leave the processor's caches before
the first is used, which is a quarter of the time of reading.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

import msgspec

from eventstore.conversation.describe import described
from eventstore.core import codec, ids
from eventstore.core.catalogue import Catalogue, Reader
from eventstore.core.events import Position, RecordedEvent, StreamKey, instant
from eventstore.core.trusted import trusted
from eventstore.errors import UndecodableEvent
from eventstore.storage.log import Log
from eventstore.storage.read import RecordedPage, StoredEvent

__all__ = ["recorded", "recorded_each"]

_NONE: Mapping[tuple[str, int], Reader] = {}
_new: Final = tuple.__new__
"""Position's own takes twice as long: its arguments have names."""


def recorded(log: Log, stored: StoredEvent) -> RecordedEvent:
    """Return a stored event in its public form, upcast to the current shape.

    Raises:
        UnknownEventType, UndecodableEvent: never skipped.
    """
    stream = stored.stream
    columns = (
        *stored.position,
        stored.version,
        stored.event_id,
        stored.type,
        stored.schema_version,
        stored.recorded_at_us,
        stored.data,
        stored.content,
        stored.subject,
        stored.metadata,
        stored.hash,
        0,
        stream.id,
    )
    return next(recorded_each(log, RecordedPage(stream.tenant, {0: stream.category}, (columns,))))


def recorded_each(log: Log, page: RecordedPage) -> Iterator[RecordedEvent]:
    """Yield the events of a page in their public form.

    It raises the errors of :func:`recorded`, at the event concerned; and BrokenChain at a missing
    event.
    """
    catalogues = log.catalogues
    at = category = None
    text, catalogue, readers = "", None, _NONE
    for columns in page.rows:
        (
            epoch,
            xid,
            sequence,
            version,
            event_id,
            kind,
            schema_version,
            recorded_at_us,
            data,
            content,
            _,
            metadata,
            digest,
            number,
            stream,
        ) = columns
        if stream != at or number != category:
            at, category = stream, number
            name = page.categories[number]
            text, catalogue = ids.show(name, stream), catalogues.get(name)
            readers = _NONE if catalogue is None else catalogue.readers
        try:
            read_data, read_content = readers[kind, schema_version]
            data = described(read_data(data))
            if content is not None:
                content = None if read_content is None else described(read_content(content))
        except (KeyError, ValueError, msgspec.DecodeError):  # older, not ours, or broken
            key = StreamKey(page.tenant, page.categories[number], stream)
            data, content = _decoded(catalogue, key, columns, content)
        yield trusted(
            RecordedEvent,
            {
                "position": _new(Position, (epoch, xid, sequence)),
                "stream_id": text,
                "version": version,
                "event_id": "evt_" + event_id.hex(),
                "type": kind,
                "schema_version": schema_version,
                "data": data,
                "content": content,
                "metadata": {} if metadata is None else codec.decode_any(metadata),
                "recorded_at": instant(recorded_at_us),
                "hash": digest.hex(),
            },
        )
    if page.broken is not None:
        raise page.broken


def _decoded(
    catalogue: Catalogue | None, stream: StreamKey, columns: Sequence[Any], content: bytes | None
) -> tuple[Any, Any]:
    """Return data and content of an event that this version cannot decode."""
    version, kind, schema_version, data = columns[3], columns[5], columns[6], columns[8]
    if catalogue is not None:
        facts, said = catalogue.decode(
            stream, version, kind, schema_version=schema_version, data=data, content=content
        )
        return described(facts), None if said is None else described(said)
    try:
        return codec.decode_any(data), None if content is None else codec.decode_any(content)
    except msgspec.DecodeError:
        raise UndecodableEvent(
            stream.text, version, kind, "its bytes are not what was written"
        ) from None
