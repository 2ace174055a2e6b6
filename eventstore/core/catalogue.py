"""The catalogue of event types: encoding, decoding, and upcasting old shapes on read.

An event's type is the name of its data class. Each type carries a schema version; an **upcaster**
turns the plain values of version n into those of version n + 1, after verification and before the
class is built, so stored bytes never change. A type or version that is not in the catalogue raises
an error that names it: a reader that skips unknown events loses history unnoticed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final, NamedTuple, TypeAlias

import msgspec

from eventstore.core import codec
from eventstore.core.events import EventContent, EventData, StreamKey
from eventstore.errors import UndecodableEvent, UnknownEventType

__all__ = ["Catalogue", "EventKind", "Reader", "Upcaster"]

Upcaster = Callable[
    [dict[str, Any], dict[str, Any] | None], tuple[dict[str, Any], dict[str, Any] | None]
]
"""Turns ``(data, content)`` of one schema version into those of the next; erased content is
None."""


Reader: TypeAlias = tuple[Callable[[bytes], Any], Callable[[bytes], Any] | None]
"""The decoder of the data, and the decoder of the content, or None for a type without content."""


class EventKind(NamedTuple):
    """One event type: its classes, and the upcasters from schema version 1, 2, … in order."""

    data: type[EventData]
    content: type[EventContent] | None = None
    upcasters: tuple[Upcaster, ...] = ()

    @property
    def name(self) -> str:
        """The type as it is stored."""
        return self.data.__name__

    @property
    def schema_version(self) -> int:
        """The version that new events are written in."""
        return len(self.upcasters) + 1


class _Decoders(NamedTuple):
    kind: EventKind
    schema_version: int
    data: msgspec.msgpack.Decoder[Any]
    content: msgspec.msgpack.Decoder[Any] | None


class Catalogue:
    """Every event type of one category."""

    def __init__(self, kinds: Iterable[EventKind]) -> None:
        self._decoders = {
            kind.name: _Decoders(
                kind,
                kind.schema_version,
                msgspec.msgpack.Decoder(kind.data),
                None if kind.content is None else msgspec.msgpack.Decoder(kind.content),
            )
            for kind in kinds
        }
        self.schema_versions: Final[Mapping[str, int]] = {
            name: decoders.schema_version for name, decoders in self._decoders.items()
        }
        """The schema version in which events are written, by type."""
        self._readers = {
            (name, decoders.schema_version): (
                decoders.data.decode,
                None if decoders.content is None else decoders.content.decode,
            )
            for name, decoders in self._decoders.items()
        }

    @property
    def types(self) -> frozenset[str]:
        """The names of all types."""
        return frozenset(self._decoders)

    @property
    def readers(self) -> Mapping[tuple[str, int], Reader]:
        """The decoders of the current schema versions, by type and schema version.

        For callers that decode many events. They call :meth:`decode` for older versions and for
        errors.
        """
        return self._readers

    def decode(
        self,
        stream: StreamKey,
        version: int,
        event_type: str,
        *,
        schema_version: int,
        data: bytes,
        content: bytes | None,
    ) -> tuple[Any, Any]:
        """Return the data and content of a stored event as instances of its classes.

        Raises:
            UnknownEventType: the type, or a schema version above the known one.
            UndecodableEvent: the bytes do not fit the class.
        """
        decoders = self._decoders.get(event_type)
        if decoders is None:
            raise UnknownEventType(stream.text, version, event_type, "no such type is known")
        if schema_version > decoders.schema_version or schema_version < 1:
            raise UnknownEventType(
                stream.text, version, event_type, f"schema version {schema_version} is not known"
            )
        try:
            if schema_version < decoders.schema_version:
                return self._upcast(decoders.kind, schema_version, data, content)
            reader = decoders.content
            return (
                decoders.data.decode(data),
                None if content is None or reader is None else reader.decode(content),
            )
        except Exception as error:  # an upcaster may raise anything
            raise UndecodableEvent(
                stream.text, version, event_type, type(error).__name__
            ) from error

    def _upcast(
        self, kind: EventKind, schema_version: int, data: bytes, content: bytes | None
    ) -> tuple[Any, Any]:
        old_data = codec.decode_any(data)
        old_content = None if content is None else codec.decode_any(content)
        for upcaster in kind.upcasters[schema_version - 1 :]:
            old_data, old_content = upcaster(old_data, old_content)
        return (
            msgspec.convert(old_data, kind.data),
            None
            if old_content is None or kind.content is None
            else msgspec.convert(old_content, kind.content),
        )
