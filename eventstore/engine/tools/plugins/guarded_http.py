"""HTTP to addresses that were checked: a request cannot be led to the machine's own network.

A name is resolved once, every address is checked, and the connection goes to a checked address; so
a name that resolves differently the next time gains nothing. Redirects are not followed, proxies of
the environment are not used, answers are read up to a limit and never decompressed.
"""

from __future__ import annotations

import asyncio
import ipaddress
import re
import socket
import ssl
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Final, TypeAlias

import httpcore2 as httpcore

from eventstore.engine.tools.quiet import silence, silenced

__all__ = ["Answer", "Gate", "HttpFailed", "is_public"]

Address: TypeAlias = ipaddress.IPv4Address | ipaddress.IPv6Address

_TRANSLATED: Final = ipaddress.ip_network("64:ff9b::/96")
"""Addresses of IPv4 behind a translator."""


silence("httpcore2.connection", "httpcore2.http11", "httpcore2.http2")


class HttpFailed(Exception):
    """A request failed; the text is for the model, and holds no address and no credentials."""

    def __init__(self, words: str, *, may_pass: bool = False) -> None:
        """``may_pass``: the same request may succeed later."""
        super().__init__(words)
        self.may_pass = may_pass


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer, read to its end."""

    status: int
    media_type: str
    body: bytes = field(repr=False)


def is_public(address: Address) -> bool:
    """Check for an address of the public internet, whatever it is wrapped in."""
    if isinstance(address, ipaddress.IPv6Address):
        inner = address.ipv4_mapped or address.sixtofour
        if address.teredo is not None:
            return False
        if inner is None and address in _TRANSLATED:
            inner = ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
        if inner is not None:
            return is_public(inner)
    return address.is_global and not address.is_multicast


class Gate:
    """Sends requests, to public addresses alone unless a host is named."""

    def __init__(
        self, allow_private: Iterable[str], *, timeout_seconds: float, bytes_max: int
    ) -> None:
        self._timeout = timeout_seconds
        self._bytes_max = bytes_max
        self._tls = ssl.create_default_context()
        self._backend = _CheckedBackend(
            frozenset(re.sub(r"[\[\]]", "", host.lower()) for host in allow_private)
        )

    async def request(
        self, method: str, url: str, headers: Mapping[str, str], body: bytes | None
    ) -> Answer:
        """Send a request, and return its answer.

        Raises:
            HttpFailed: there is none, or none that is taken.
        """
        try:
            with silenced():
                async with asyncio.timeout(self._timeout):
                    return await self._request(method, url, headers, body)
        except TimeoutError:
            raise HttpFailed("The service did not answer in time.", may_pass=True) from None
        except httpcore.ConnectError:
            raise HttpFailed("The service cannot be reached.", may_pass=True) from None
        except (httpcore.NetworkError, httpcore.ProtocolError, httpcore.TimeoutException):
            raise HttpFailed("The service broke the connection.", may_pass=True) from None

    async def _request(
        self, method: str, url: str, headers: Mapping[str, str], body: bytes | None
    ) -> Answer:
        pool = httpcore.AsyncConnectionPool(ssl_context=self._tls, network_backend=self._backend)
        sent = [(name.encode("ascii"), value.encode("latin-1")) for name, value in headers.items()]
        async with pool, pool.stream(method, url, headers=sent, content=body) as response:
            if 300 <= response.status < 400:  # noqa: PLR2004 (redirects)
                raise HttpFailed(f"The service redirects ({response.status}), which is refused.")
            content = bytearray()
            async for piece in response.aiter_stream():
                content += piece
                if len(content) > self._bytes_max:
                    most = f"{self._bytes_max:,}"
                    raise HttpFailed(f"The answer has more than {most} bytes, which is refused.")
        named = {name.lower(): value for name, value in response.headers}
        if named.get(b"content-encoding", b"identity") != b"identity":
            raise HttpFailed("The answer is compressed, which was not asked for.")
        media_type = named.get(b"content-type", b"").decode("latin-1").partition(";")[0]
        return Answer(response.status, media_type.strip().lower(), bytes(content))


class _CheckedBackend(httpcore.AsyncNetworkBackend):
    """Connects to an address that it has checked itself."""

    def __init__(self, allowed: frozenset[str]) -> None:
        self._allowed = allowed
        self._inner = httpcore.AnyIOBackend()

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,  # noqa: ASYNC109 (the protocol of the library)
        local_address: str | None = None,
        socket_options: Iterable[httpcore.SOCKET_OPTION] | None = None,
    ) -> httpcore.AsyncNetworkStream:
        addresses = await _resolved(host, port)
        if not self._allowed & {host.lower(), f"{host.lower()}:{port}"}:
            addresses = [each for each in addresses if is_public(each)]
            if not addresses:
                raise HttpFailed("The service has a private address, which is refused.")
        failure: httpcore.ConnectError | None = None
        for address in addresses:
            try:
                return await self._inner.connect_tcp(
                    str(address), port, timeout, local_address, socket_options
                )
            except httpcore.ConnectError as error:
                failure = error
        raise failure or httpcore.ConnectError

    async def connect_unix_socket(self, *_: object, **__: object) -> httpcore.AsyncNetworkStream:
        raise HttpFailed("The service is no address on the internet.")

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)


async def _resolved(host: str, port: int) -> list[Address]:
    loop = asyncio.get_running_loop()
    try:
        found = await loop.getaddrinfo(host.strip("[]"), port, type=socket.SOCK_STREAM)
    except OSError:
        raise HttpFailed("The name of the service does not resolve.", may_pass=True) from None
    return list(
        dict.fromkeys(ipaddress.ip_address(str(each[4][0]).partition("%")[0]) for each in found)
    )
