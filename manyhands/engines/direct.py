"""A plain HTTP/1.1 transport for `httpx`: one layer over a socket, which closes at once.

Measured with `benchmarks/overhead.py`, the default transport takes most of a call's time in this
process, and its generators within generators outlive the call that was cancelled. A model server
needs little of HTTP: no proxies, no HTTP/2, no compression.
"""

from __future__ import annotations

import re
import select
import ssl
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import anyio
import httpx
from anyio.abc import ByteStream, SocketAttribute

__all__ = ["DirectTransport"]

_HEAD_LIMIT = 64 * 1024
_LINE_LIMIT = 8 * 1024
_READ = 64 * 1024
#: Idle connections are kept this many seconds, and this many of them.
_IDLE_S = 30.0
_IDLE = 32
_STATUS = re.compile(rb"HTTP/1\.([01]) (\d{3})(?: .*)?")
_SIZE = re.compile(rb"([0-9A-Fa-f]{1,15})[ \t]*(?:;.*)?")
_TOKEN = re.compile(rb"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")

_Headers = list[tuple[bytes, bytes]]


class DirectTransport(httpx.AsyncBaseTransport):
    """Connections to one server or several, kept while they are whole."""

    def __init__(self) -> None:
        self._idle: dict[tuple[str, str, int], list[_Connection]] = {}
        self._tls: ssl.SSLContext | None = None
        self._closed = False

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Send a request; the response's body is read while it comes in.

        Raises:
            httpx.ConnectError, httpx.ConnectTimeout: the server was not reached.
            httpx.TransportError: the connection broke, or the answer is no HTTP.
        """
        connection = await self._kept(request.url) or await self._connected(request)
        try:
            await connection.send(request)
            answer = await connection.head()
        except BaseException:
            await connection.aclose()
            raise
        body = _Body(self, connection, answer, request.method)
        return httpx.Response(answer.status, headers=answer.headers, stream=body)

    async def aclose(self) -> None:
        """Close the idle connections; those in use close with their responses."""
        self._closed = True
        idle = [one for several in self._idle.values() for one in several]
        self._idle.clear()
        for one in idle:
            await one.aclose()

    def keep(self, connection: _Connection) -> bool:
        """Keep a connection for the next request; False when there are enough."""
        idle = self._idle.setdefault(connection.origin, [])
        if self._closed or len(idle) >= _IDLE:
            return False
        connection.idle_since = time.monotonic()
        idle.append(connection)
        return True

    async def _kept(self, url: httpx.URL) -> _Connection | None:
        idle = self._idle.get(_origin(url), [])
        while idle:
            connection = idle.pop()
            if connection.is_whole():
                return connection
            await connection.aclose()
        return None

    async def _connected(self, request: httpx.Request) -> _Connection:
        origin = scheme, host, port = _origin(request.url)
        limit = request.extensions.get("timeout", {}).get("connect")
        try:
            with anyio.fail_after(limit):
                stream: ByteStream
                if scheme == "https":
                    self._tls = self._tls or httpx.create_ssl_context()
                    stream = await anyio.connect_tcp(
                        host,
                        port,
                        ssl_context=self._tls,
                        tls_hostname=host,
                        tls_standard_compatible=False,
                    )
                else:
                    stream = await anyio.connect_tcp(host, port)
        except TimeoutError as error:
            raise httpx.ConnectTimeout(f"no connection to {host} within {limit} s") from error
        except OSError as error:
            raise httpx.ConnectError(str(error)) from error
        return _Connection(stream, origin)


def _origin(url: httpx.URL) -> tuple[str, str, int]:
    usual = 443 if url.scheme == "https" else 80
    return url.scheme, url.raw_host.decode("ascii").strip("[]"), url.port or usual


def _readable(fd: int) -> bool:
    if hasattr(select, "poll"):
        poll = select.poll()
        poll.register(fd, select.POLLIN)
        return bool(poll.poll(0))
    return bool(select.select([fd], [], [], 0)[0])


class _Connection:
    """One connection: requests go out, the bytes of answers come in."""

    def __init__(self, stream: ByteStream, origin: tuple[str, str, int]) -> None:
        self.origin = origin
        self.idle_since = 0.0
        self._stream = stream
        self._buffer = bytearray()

    def is_whole(self) -> bool:
        """Whether an idle connection can be used: one that has news to tell has ended."""
        if self._buffer or time.monotonic() - self.idle_since > _IDLE_S:
            return False
        try:
            raw_socket = self._stream.extra(SocketAttribute.raw_socket)  # noqa: S610 - anyio's
            return not _readable(raw_socket.fileno())
        except (OSError, ValueError):
            return False  # it is closed already

    async def aclose(self) -> None:
        """Close at once: what was not sent yet is not waited for."""
        with anyio.CancelScope(shield=True):
            await self._stream.aclose()

    async def send(self, request: httpx.Request) -> None:
        lines = [b"%s %s HTTP/1.1" % (request.method.encode("ascii"), request.url.raw_path)]
        lines += [b"%s: %s" % pair for pair in request.headers.raw]
        head = b"\r\n".join(lines) + b"\r\n\r\n"
        assert isinstance(request.stream, httpx.AsyncByteStream)
        chunked = "transfer-encoding" in request.headers
        with _faults(httpx.WriteError):
            async for part in request.stream:
                await self._stream.send(head + (_chunk(part) if chunked else part))
                head = b""
            if head or chunked:
                await self._stream.send(head + (b"0\r\n\r\n" if chunked else b""))

    async def head(self) -> _Answer:
        """Status and headers; interim answers are passed over."""
        while True:
            answer = _parsed(await self._until(b"\r\n\r\n", _HEAD_LIMIT))
            if answer.status >= 200:
                return answer

    async def piece(self, limit: int) -> bytes:
        """At least one byte, and as many as are there."""
        if not self._buffer:
            await self._fill()
        part = bytes(self._buffer[:limit])
        del self._buffer[:limit]
        return part

    async def rest(self) -> bytes:
        """What is there, and an empty text once the server has ended the connection."""
        if not self._buffer:
            await self._fill(or_end=True)
        part = bytes(self._buffer)
        self._buffer.clear()
        return part

    async def chunk_size(self, *, first: bool) -> int:
        """The size of the next chunk; at the last, of size 0, its trailers are read too."""
        if not first and await self._until(b"\r\n", _LINE_LIMIT):
            raise httpx.RemoteProtocolError("a chunk is longer than it says")
        size = _SIZE.fullmatch(await self._until(b"\r\n", _LINE_LIMIT))
        if size is None:
            raise httpx.RemoteProtocolError("a chunk has no size")
        if not int(size[1], 16):
            while await self._until(b"\r\n", _LINE_LIMIT):
                pass
        return int(size[1], 16)

    async def _until(self, end: bytes, limit: int) -> bytes:
        """The bytes before `end`, which is taken too."""
        seen = 0
        while (at := self._buffer.find(end, max(0, seen - len(end)))) < 0:
            seen = len(self._buffer)
            if seen > limit:
                break
            await self._fill()
        if not 0 <= at <= limit:
            raise httpx.RemoteProtocolError(f"a line is longer than {limit} bytes")
        taken = bytes(self._buffer[:at])
        del self._buffer[: at + len(end)]
        return taken

    async def _fill(self, *, or_end: bool = False) -> None:
        with _faults(httpx.ReadError):
            try:
                self._buffer += await self._stream.receive(_READ)
            except anyio.EndOfStream:
                if not or_end:
                    raise httpx.RemoteProtocolError("the server closed the connection") from None


class _Body(httpx.AsyncByteStream):
    """A response's body as it comes in. Closed before its end it closes the connection.

    It is an iterator, not a generator: nothing of it is left behind by who stops reading.
    """

    def __init__(
        self, transport: DirectTransport, connection: _Connection, answer: _Answer, method: str
    ) -> None:
        self._transport = transport
        self._connection = connection
        self._keep = answer.keep
        self._chunked = False
        self._first = True
        self._left: int | None = 0
        if method != "HEAD" and answer.status not in (204, 304):
            self._chunked = answer.chunked
            self._left = 0 if answer.chunked else answer.length
        self._whole = self._left == 0 and not self._chunked
        self._closed = False

    def __aiter__(self) -> AsyncIterator[bytes]:
        return self

    async def __anext__(self) -> bytes:
        if self._whole:
            raise StopAsyncIteration
        if self._left is None:
            piece = await self._connection.rest()
            self._whole, self._keep = not piece, False
        else:
            piece = await self._next_piece(self._left)
        if not piece:
            raise StopAsyncIteration
        return piece

    async def _next_piece(self, left: int) -> bytes:
        if self._chunked and not left:
            left = await self._connection.chunk_size(first=self._first)
            self._first = False
            if not left:
                self._whole = True
                return b""
        piece = await self._connection.piece(left)
        self._left = left - len(piece)
        self._whole = not self._left and not self._chunked
        return piece

    async def aclose(self) -> None:
        if self._closed:
            return
        self._closed = True
        if not (self._whole and self._keep and self._transport.keep(self._connection)):
            await self._connection.aclose()


@dataclass(frozen=True, slots=True)
class _Answer:
    """The head of an answer; `length` is None where only the connection's end tells it."""

    status: int
    headers: _Headers
    keep: bool
    chunked: bool
    length: int | None


def _chunk(part: bytes) -> bytes:
    return b"%x\r\n%s\r\n" % (len(part), part) if part else b""


def _parsed(head: bytes) -> _Answer:
    first, *lines = head.split(b"\r\n")
    status = _STATUS.fullmatch(first)
    if status is None:
        raise httpx.RemoteProtocolError(f"this is no HTTP: {first[:40]!r}")
    headers: _Headers = []
    told: dict[bytes, set[bytes]] = {}
    for line in lines:
        name, colon, value = line.partition(b":")
        value = value.strip(b" \t")
        if not colon or not _TOKEN.fullmatch(name):
            raise httpx.RemoteProtocolError(f"this is no header: {line[:40]!r}")
        headers.append((name, value))
        told.setdefault(name.lower(), set()).add(value)
    coding = {value.lower() for value in told.get(b"transfer-encoding", ())}
    lengths = told.get(b"content-length", set())
    if coding - {b"chunked"} or len(lengths) > 1 or not all(one.isdigit() for one in lengths):
        raise httpx.RemoteProtocolError("the length of the answer cannot be told")
    ends = any(b"close" in value.lower() for value in told.get(b"connection", ()))
    return _Answer(
        status=int(status[2]),
        headers=headers,
        keep=status[1] == b"1" and not ends,
        chunked=bool(coding),
        length=int(lengths.pop()) if lengths else None,
    )


@contextmanager
def _faults(kind: type[httpx.TransportError]) -> Iterator[None]:
    try:
        yield
    except (anyio.BrokenResourceError, anyio.ClosedResourceError, OSError) as error:
        raise kind(str(error) or "the connection broke") from error
