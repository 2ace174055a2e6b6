"""Verify the evidence of a conversation: one file, with Python's standard library alone.

    python evidence.py evidence.json --public-key KEY

KEY is the public key of the one who signed, as 64 hex digits or a file that holds them. It never
comes from the evidence: whoever forges one can forge the other. Everything in the file is checked:
the signature of the tree head (Ed25519, RFC 8032), the proof that the head covers the end of the
thread (RFC 9162), the chain of every event, the anchors of forks, and that the transcript is what
the events say. Any change makes it fail. ``docs/format.md`` describes the format.

Copy this file to wherever it is needed: it imports nothing of the library.
"""

from __future__ import annotations

import argparse
import base64
import json
import struct
import sys
from collections.abc import Iterator, Mapping, Sequence
from hashlib import sha256, sha512
from pathlib import Path
from typing import Any

FORMAT = "eventstore/evidence/1"
HEAD_FORMAT = "eventstore/tree-head/1"


class Rejected(Exception):
    """The evidence does not prove what it says."""


# -- bytes -----------------------------------------------------------------------------------------


def field(raw: bytes) -> bytes:
    """Return bytes behind their length."""
    return len(raw).to_bytes(4, "big") + raw


def unhex(text: object, size: int | None = None) -> bytes:
    """Return the bytes of lowercase hex digits."""
    raw = bytes.fromhex(text) if isinstance(text, str) else b""
    if raw.hex() != text or size not in (None, len(raw)):
        raise Rejected("a value is not lowercase hex of the right length")
    return raw


def unbase64(text: object) -> bytes | None:
    """Return the bytes of base64 text; None stays None."""
    if text is None:
        return None
    raw = base64.b64decode(text, validate=True) if isinstance(text, str) else b""
    if base64.b64encode(raw).decode() != text:
        raise Rejected("a value is not base64")
    return raw


def as_bytes(evidence: Mapping[str, Any]) -> bytes:
    """Return evidence as it stands in a file; there is just one way to write it."""
    text = json.dumps(evidence, ensure_ascii=False, indent=1, sort_keys=True)
    return text.encode("utf-8", "surrogatepass") + b"\n"


# -- Ed25519, RFC 8032 -----------------------------------------------------------------------------

_P = 2**255 - 19
_L = 2**252 + 27742317777372353535851937790883648493
_D = -121665 * pow(121666, -1, _P) % _P
_I = pow(2, (_P - 1) // 4, _P)
_Point = tuple[int, int, int, int]


def _add(one: _Point, other: _Point) -> _Point:
    a = (one[1] - one[0]) * (other[1] - other[0]) % _P
    b = (one[1] + one[0]) * (other[1] + other[0]) % _P
    c = 2 * one[3] * other[3] * _D % _P
    d = 2 * one[2] * other[2] % _P
    e, f, g, h = b - a, d - c, d + c, b + a
    return e * f % _P, g * h % _P, f * g % _P, e * h % _P


def _times(number: int, point: _Point) -> _Point:
    made: _Point = (0, 1, 1, 0)
    while number:
        if number & 1:
            made = _add(made, point)
        point = _add(point, point)
        number >>= 1
    return made


def _same(one: _Point, other: _Point) -> bool:
    x = (one[0] * other[2] - other[0] * one[2]) % _P
    y = (one[1] * other[2] - other[1] * one[2]) % _P
    return x == y == 0


def _decompressed(raw: bytes) -> _Point | None:
    number = int.from_bytes(raw, "little")
    sign, y = number >> 255, number & ((1 << 255) - 1)
    if len(raw) != 32 or y >= _P:
        return None
    square = (y * y - 1) * pow(_D * y * y + 1, -1, _P) % _P
    x = pow(square, (_P + 3) // 8, _P)
    if (x * x - square) % _P:
        x = x * _I % _P
    if (x * x - square) % _P or (x == 0 and sign):
        return None
    if x & 1 != sign:
        x = _P - x
    return x, y, 1, x * y % _P


_BASE_Y = 4 * pow(5, -1, _P) % _P
_BASE = _decompressed(_BASE_Y.to_bytes(32, "little"))


def signature_holds(public_key: bytes, message: bytes, signature: bytes) -> bool:
    """Return whether an Ed25519 signature is that of a key for a message."""
    if len(signature) != 64:
        return False
    key, point = _decompressed(public_key), _decompressed(signature[:32])
    number = int.from_bytes(signature[32:], "little")
    if key is None or point is None or _BASE is None or number >= _L:
        return False
    if _same(_times(8, key), (0, 1, 1, 0)):  # a key of small order signs every message
        return False
    digest = sha512(signature[:32] + public_key + message).digest()
    challenge = int.from_bytes(digest, "little") % _L
    return _same(_times(number, _BASE), _add(point, _times(challenge, key)))


def key_id(public_key: bytes) -> str:
    """Return the short name of a public key."""
    return sha256(public_key).hexdigest()[:16]


# -- tree heads, RFC 9162 --------------------------------------------------------------------------


def signed_bytes(head: Mapping[str, Any]) -> bytes:
    """Return the bytes that the signature of a tree head covers."""
    return (
        field(HEAD_FORMAT.encode())
        + field(unhex(head["store_id"], 16))
        + field(head["size"].to_bytes(8, "big"))
        + field(unhex(head["root"], 32))
        + field(head["issued_at_us"].to_bytes(8, "big"))
    )


def check_head(head: Mapping[str, Any], public_key: bytes) -> None:
    """Check the signature of a tree head.

    Raises:
        Rejected: it does not hold.
    """
    names = {"format", "store_id", "size", "root", "issued_at_us", "key_id", "signature"}
    if set(head) != names or head["format"] != HEAD_FORMAT:
        raise Rejected("this is no tree head of a known format")
    for name in ("size", "issued_at_us"):
        if type(head[name]) is not int or not 0 <= head[name] < 2**63:
            raise Rejected(f"{name} of the tree head is no number")
    if head["key_id"] != key_id(public_key):
        raise Rejected("the tree head names another key")
    if not signature_holds(public_key, signed_bytes(head), unhex(head["signature"], 64)):
        raise Rejected("the signature of the tree head does not hold")


def leaf_of(tenant: str, stream_id: str, version: int, end: bytes) -> bytes:
    """Return the leaf of a stream: its end, as the tree covers it."""
    named = field(b"eventstore/leaf/1") + field(tenant.encode()) + field(stream_id.encode())
    return named + field(version.to_bytes(8, "big")) + field(end)


def root_from(leaf: bytes, number: int, size: int, path: Sequence[bytes]) -> bytes | None:
    """Return the root that an inclusion proof leads to; None if it has not the right length."""
    if not 0 <= number < size:
        return None
    low, high, made = number, size - 1, sha256(b"\0" + leaf).digest()
    for node in path:
        if high == 0:
            return None
        if low & 1 or low == high:
            made = sha256(b"\1" + node + made).digest()
            while low and not low & 1:
                low, high = low >> 1, high >> 1
        else:
            made = sha256(b"\1" + made + node).digest()
        low, high = low >> 1, high >> 1
    return made if high == 0 else None


# -- MessagePack -----------------------------------------------------------------------------------


def unpacked(raw: bytes) -> Any:  # noqa: ANN401 (whatever was packed)
    """Return the value of MessagePack bytes."""
    value, end = _value(raw, 0)
    if end != len(raw):
        raise Rejected("an event has bytes behind its end")
    return value


_NUMBERS = {
    0xCA: ">f", 0xCB: ">d", 0xCC: ">B", 0xCD: ">H", 0xCE: ">I", 0xCF: ">Q",
    0xD0: ">b", 0xD1: ">h", 0xD2: ">i", 0xD3: ">q",
}  # fmt: skip
_SIZED = {
    0xC4: (">B", "bytes"), 0xC5: (">H", "bytes"), 0xC6: (">I", "bytes"),
    0xD9: (">B", "text"), 0xDA: (">H", "text"), 0xDB: (">I", "text"),
    0xDC: (">H", "list"), 0xDD: (">I", "list"), 0xDE: (">H", "map"), 0xDF: (">I", "map"),
}  # fmt: skip
_CONSTANTS = {0xC0: None, 0xC2: False, 0xC3: True}


_SHORT = ((0x80, 0x90, "map"), (0x90, 0xA0, "list"), (0xA0, 0xC0, "text"))


def _value(raw: bytes, at: int) -> tuple[Any, int]:
    code, at = raw[at], at + 1
    if code < 0x80 or code >= 0xE0:
        return (code if code < 0x80 else code - 0x100), at
    if code in _CONSTANTS:
        return _CONSTANTS[code], at
    if code in _NUMBERS:
        size = struct.calcsize(_NUMBERS[code])
        return struct.unpack_from(_NUMBERS[code], raw, at)[0], at + size
    if code in _SIZED:
        layout, kind = _SIZED[code]
        size = struct.unpack_from(layout, raw, at)[0]
        return _sized(raw, at + struct.calcsize(layout), size, kind)
    for first, end, kind in _SHORT:
        if first <= code < end:
            return _sized(raw, at, code - first, kind)
    raise Rejected("an event holds a value of an unknown type")


def _sized(raw: bytes, at: int, size: int, kind: str) -> tuple[Any, int]:
    if kind in {"bytes", "text"}:
        if at + size > len(raw):
            raise Rejected("an event is cut off")
        part = raw[at : at + size]
        return (part if kind == "bytes" else part.decode()), at + size
    items = []
    for _ in range(size * (2 if kind == "map" else 1)):
        item, at = _value(raw, at)
        items.append(item)
    return (dict(zip(items[::2], items[1::2], strict=True)) if kind == "map" else items), at


# -- events ----------------------------------------------------------------------------------------


_SEALED = b"\xc1"
"""Begins sealed content, and no other."""


class Event:
    """One event of the evidence."""

    _NAMES = frozenset(
        {"version", "event_id", "type", "schema_version", "recorded_at_us", "data", "content"}
        | {"salt", "commitment", "metadata", "hash"}
    )

    def __init__(self, given: Mapping[str, Any]) -> None:
        if set(given) != self._NAMES:
            raise Rejected("an event has other fields than it should")
        self.version: int = given["version"]
        self.type: str = given["type"]
        self.schema_version: int = given["schema_version"]
        self.recorded_at_us: int = given["recorded_at_us"]
        for number in (self.version, self.schema_version, self.recorded_at_us):
            if type(number) is not int:
                raise Rejected("an event has a number that is none")
        self.event_id: bytes = unhex(given["event_id"], 16)
        self.hash: bytes = unhex(given["hash"], 32)
        self._data = unbase64(given["data"]) or b""
        self._content = unbase64(given["content"])
        self._salt = unbase64(given["salt"])
        self._commitment = unbase64(given["commitment"])
        self._metadata = unbase64(given["metadata"])
        if self._metadata == b"" or (self._content is None) != (self._salt is None):
            raise Rejected("an event has content without a salt, or no content and a salt")
        for raw in (self._salt, self._commitment):
            if raw is not None and len(raw) != 32:  # no bytes are not the same as none at all
                raise Rejected("an event has a salt or a commitment of another length")
        if not self._data or self._content == b"":
            raise Rejected("an event has data or content of no bytes")

    @property
    def data(self) -> dict[str, Any]:
        """The structure of the event."""
        found: dict[str, Any] = unpacked(self._data)
        return found

    @property
    def sealed(self) -> bool:
        """True if its words are there, but sealed: only the holder of a key can read them."""
        return self._content is not None and self._content[:1] == _SEALED

    @property
    def content(self) -> dict[str, Any] | None:
        """The words of the event; None if there are none, if they are sealed, or were erased."""
        return None if self._content is None or self.sealed else unpacked(self._content)

    def follows(self, tenant: str, stream_id: str, previous: bytes) -> bool:
        """Return whether its hash is that of this event behind the one before."""
        promise = self._commitment
        if self._content is not None:
            if promise is not None:
                return False
            said = field(self._salt or b"") + field(self._content)
            promise = sha256(b"eventstore/content/1" + said).digest()
        parts = (
            b"eventstore/event/1",
            tenant.encode(),
            stream_id.encode(),
            previous,
            self.version.to_bytes(8, "big"),
            self.event_id,
            self.recorded_at_us.to_bytes(8, "big", signed=True),
            self.schema_version.to_bytes(4, "big"),
            self.type.encode(),
            self._metadata or b"",
            self._data,
            promise or b"",
        )
        return sha256(b"".join(map(field, parts))).digest() == self.hash


def chained(tenant: str, stream: Mapping[str, Any]) -> list[Event]:
    """Return the events of a stream, whose chain holds from the first one on."""
    if set(stream) != {"stream_id", "events"} or not stream["events"]:
        raise Rejected("a stream has other fields than it should, or no events")
    previous, events = b"", []
    for version, given in enumerate(stream["events"], 1):
        event = Event(given)
        if event.version != version:
            raise Rejected(f"event {version} of {stream['stream_id']} is missing")
        if not event.follows(tenant, stream["stream_id"], previous):
            raise Rejected(f"event {version} of {stream['stream_id']} was altered")
        previous = event.hash
        events.append(event)
    return events


# -- the transcript --------------------------------------------------------------------------------


_BORN = {"MessageAdded", "MessageEdited", "MessageRegenerated", "MessageQueued"}
_NOTHING_SAID: Mapping[str, Any] = {"parts": [], "name": None, "metadata": {}}


class Conversation:
    """The message tree of a thread, as far as the active path needs it."""

    def __init__(self) -> None:
        self.messages: dict[bytes, dict[str, Any]] = {}
        self.head: bytes | None = None
        self.parents: dict[bytes, bytes | None] = {}

    def take(self, event: Event) -> None:
        """Take the next event."""
        data = event.data
        if event.type in _BORN:
            self._born(event, data)
        elif event.type == "MessageAmended":
            message = self.messages[data["message_id"]]
            message.update(amended=True, erased=event.content is None and not event.sealed)
            _say(message, event, {"parts": []}, {})
        elif event.type == "MessageUpdated":
            told = {name: _NOTHING_SAID[name] for name in data.get("fields", ())}
            _say(self.messages[data["message_id"]], event, told, {})
        elif event.type in {"MessageRemoved", "MessageRestored"}:
            self.head = data.get("head") if data.get("head_moved") else self.head
        elif event.type == "BranchSelected":
            self.head = data["head"]

    def _born(self, event: Event, data: Mapping[str, Any]) -> None:
        key = data["message_id"]
        message = self.messages.setdefault(key, _message(key, event))
        message["role"] = data["role"]
        message["status"] = data.get("status", "completed")
        _say(message, event, _NOTHING_SAID)
        if event.content is None and not event.sealed and data.get("queued_version") is None:
            message["erased"] = True  # every message begins with content
        if event.type != "MessageQueued":
            self.parents[key] = data.get("parent_id")
            if data.get("select", True):
                self.head = key

    def path(self) -> list[dict[str, Any]]:
        """Return the messages from the root to the head."""
        found, key = [], self.head
        while key is not None:
            found.append(self.messages[key])
            key = self.parents[key]
        return found[::-1]

    def prefix(self, message_id: bytes) -> None:
        """Forget everything that a fork at a message does not see."""
        self.head = message_id
        kept = {unhex(one["id"].partition("_")[2]): one for one in self.path()}
        self.messages = kept
        self.parents = {key: self.parents[key] for key in kept}


def _message(key: bytes, event: Event) -> dict[str, Any]:
    made = {"id": f"msg_{key.hex()}", "created_at_us": event.recorded_at_us, **_NOTHING_SAID}
    return {**made, "amended": False, "erased": False, "sealed": False}


def _say(
    message: dict[str, Any],
    event: Event,
    fields: Mapping[str, Any],
    erased: Mapping[str, Any] | None = None,
) -> None:
    """Give a message what an event says of it; ``erased`` is what one says whose words are gone.

    Where the words are sealed, those from before do not stand in for them.
    """
    content = erased if event.content is None else event.content
    if event.sealed:
        message.update(fields, sealed=True)
    elif content is not None:
        message.update({name: readable(content.get(name, fields[name])) for name in fields})
        message["sealed"] = message["sealed"] and "parts" not in fields


def readable(value: object) -> object:
    """Return a value for JSON: bytes become text that says so."""
    if isinstance(value, bytes):
        return {"base64": base64.b64encode(value).decode()}
    if isinstance(value, list):
        return [readable(one) for one in value]
    return {key: readable(one) for key, one in value.items()} if isinstance(value, dict) else value


def transcript(streams: Sequence[Sequence[Event]]) -> list[dict[str, Any]]:
    """Return the messages of the active path of the first stream.

    The others are the threads that it was forked from, each before its source.
    """
    told = Conversation()
    for events in reversed(streams):
        first = events[0]
        if first.type == "ThreadForked":
            told.prefix(first.data["message_id"])
        for event in events:
            told.take(event)
    return told.path()


# -- the evidence ----------------------------------------------------------------------------------


def verify(raw: bytes, public_key: bytes) -> Mapping[str, Any]:
    """Return the evidence of a file, if it holds.

    Raises:
        Rejected: it does not, or the file is none.
    """
    try:
        evidence = json.loads(raw)
        _check(raw, evidence, public_key)
    except Rejected:
        raise
    except (ValueError, LookupError, TypeError, AttributeError, ArithmeticError) as error:
        raise Rejected(f"the file is damaged ({type(error).__name__})") from None
    except (struct.error, RecursionError) as error:
        raise Rejected(f"the file is damaged ({type(error).__name__})") from None
    return evidence  # type: ignore[no-any-return]


def _check(raw: bytes, evidence: object, public_key: bytes) -> None:
    if not isinstance(evidence, dict) or evidence.get("format") != FORMAT:
        raise Rejected("this is no evidence of a known format")
    if as_bytes(evidence) != raw:
        raise Rejected("the file is not written as evidence is")
    names = {"format", "tenant", "thread_id", "streams", "tree_head", "proof", "transcript"}
    if set(evidence) != names:
        raise Rejected("the file has other fields than it should")
    check_head(evidence["tree_head"], public_key)
    tenant = evidence["tenant"]
    streams = [chained(tenant, stream) for stream in evidence["streams"]]
    stream_ids = [stream["stream_id"] for stream in evidence["streams"]]
    if stream_ids[:1] != [evidence["thread_id"]]:
        raise Rejected("the first stream is not that of the thread")
    _check_proof(evidence, streams[0][-1])
    sources = list(_sources(streams))
    if len(sources) != len(streams) - 1:
        raise Rejected("the threads that it was forked from are not all there, or too many")
    for (source_id, end), stream_id, events in zip(
        sources, stream_ids[1:], streams[1:], strict=True
    ):
        if stream_id != source_id or (events[-1].version, events[-1].hash) != end:
            raise Rejected(f"{stream_id} is not what the fork was made from")
    if _written(transcript(streams)) != _written(evidence["transcript"]):
        raise Rejected("the transcript is not what the events say")


def _written(value: object) -> str:
    """Return a value as JSON writes it; in Python false equals 0, and 1 equals 1.0."""
    return json.dumps(value, sort_keys=True)


def _check_proof(evidence: Mapping[str, Any], last: Event) -> None:
    proof, head = evidence["proof"], evidence["tree_head"]
    if set(proof) != {"leaf", "path"} or type(proof["leaf"]) is not int:
        raise Rejected("the proof has other fields than it should")
    leaf = leaf_of(evidence["tenant"], evidence["thread_id"], last.version, last.hash)
    path = [unhex(node, 32) for node in proof["path"]]
    if root_from(leaf, proof["leaf"], head["size"], path) != unhex(head["root"], 32):
        raise Rejected("the tree head does not cover the end of the thread")


def _sources(streams: Sequence[Sequence[Event]]) -> Iterator[tuple[str, tuple[int, bytes]]]:
    """Yield id and end of each thread that another one was forked from."""
    for events in streams:
        first = events[0]
        if first.type == "ThreadForked":
            data = first.data
            source = f"thread_{data['source_id'].hex()}"
            yield source, (data["source_version"], data["source_hash"])


def public_key_of(text: str) -> bytes:
    """Return a public key of 64 hex digits, or of a file that holds them."""
    given = text.strip()
    if len(given) != 64:
        given = Path(text).read_text(encoding="ascii").strip()
    return unhex(given.lower(), 32)


def main(arguments: Sequence[str] | None = None) -> int:
    """Verify a file and say what it proves; return the status to exit with."""
    parser = argparse.ArgumentParser(description="Verify the evidence of a conversation.")
    parser.add_argument("evidence", type=Path, help="the file")
    parser.add_argument("--public-key", required=True, help="64 hex digits, or a file with them")
    given = parser.parse_args(arguments)
    try:
        evidence = verify(given.evidence.read_bytes(), public_key_of(given.public_key))
    except (Rejected, OSError, ValueError) as error:
        print(f"REJECTED: {error}", file=sys.stderr)
        return 1
    events = sum(len(stream["events"]) for stream in evidence["streams"])
    messages = len(evidence["transcript"])
    print(f"{evidence['thread_id']}: {events} events and {messages} messages hold")
    return 0


if __name__ == "__main__":
    sys.exit(main())
