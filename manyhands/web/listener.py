"""A small HTTP/1.1 server on asyncio streams: enough for JSON and streams of lines, and breakable.

It is our own because the rehearsal server must play faults (half a chunk, a reset, bytes that drip)
that a well-kept server library prevents, and because the core has no server library.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Any

__all__ = ["NDJSON", "Connection", "Handler", "HttpRequest", "Listener", "dumped"]

NDJSON = "application/x-ndjson"

_REASONS = {
    200: "OK",
    201: "Created",
    400: "Bad Request",
    401: "Unauthorized",
    403: "Forbidden",
    404: "Not Found",
    405: "Method Not Allowed",
    409: "Conflict",
    413: "Content Too Large",
    415: "Unsupported Media Type",
    421: "Misdirected Request",
    429: "Too Many Requests",
    499: "Client Closed Request",
    500: "Internal Server Error",
    501: "Not Implemented",
    503: "Service Unavailable",
}
_LOOK_S = 0.02
_BODY_LIMIT = 256 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class HttpRequest:
    method: str
    path: str
    headers: Mapping[str, str]
    body: bytes


Admit = Callable[[HttpRequest], tuple[int, str]]


class Connection:
    """One client's connection, as a handler writes to it; `number` counts them from 1."""

    def __init__(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, number: int
    ) -> None:
        self._reader = reader
        self._writer = writer
        self.number = number
        self.open = True

    async def request(
        self, admit: Admit | None = None, most_body: int = _BODY_LIMIT, read_s: float | None = None
    ) -> HttpRequest | None:
        """The next request; None when the client has left, is too slow, or was refused.

        Args:
            admit: see `Listener`.
        """
        try:
            async with asyncio.timeout(read_s):
                head = await _head(self._reader)
                if head is None:
                    return None
                status, fault = admit(head) if admit is not None else (200, "")
                if not fault and _length(head) > most_body:
                    status, fault = 413, f"A request has at most {most_body:,} bytes."
                if not fault:
                    return await _with_body(self._reader, head, most_body)
        except TimeoutError:
            return None
        await self.json({"error": {"type": "InputError", "message": fault}}, status)
        return None  # the rest of it is not read

    async def whole(self, status: int, kind: str, body: bytes, *, head_only: bool = False) -> None:
        """A response with a length."""
        head = self._head(status, kind, f"Content-Length: {len(body)}")
        self._writer.write(head if head_only else head + body)
        await self._writer.drain()

    async def json(
        self, value: Any, status: int = 200, kind: str = "application/json; charset=utf-8"
    ) -> None:
        await self.whole(status, kind, json.dumps(value, ensure_ascii=False).encode())

    async def begin(self, kind: str = NDJSON, *, chunked: bool = True) -> None:
        """Begin a stream; without `chunked` its end is the end of the connection."""
        how = "Transfer-Encoding: chunked" if chunked else "Connection: close"
        self._writer.write(self._head(200, kind, how))
        await self._writer.drain()

    async def chunk(self, data: bytes) -> None:
        self._writer.write(b"%x\r\n%s\r\n" % (len(data), data))
        await self._writer.drain()

    async def raw(self, data: bytes) -> None:
        """Bytes as they are, whatever the protocol says."""
        self._writer.write(data)
        await self._writer.drain()

    async def end(self) -> None:
        self._writer.write(b"0\r\n\r\n")
        await self._writer.drain()

    def close(self) -> None:
        self.open = False
        self._writer.close()

    def reset(self) -> None:
        """Drop the connection without a goodbye."""
        self.open = False
        transport = self._writer.transport
        transport.abort()

    async def left(self) -> None:
        """Wait until the client closes its side.

        Looked at now and then: reading would take the first byte of a client's next request.
        """
        while not self._reader.at_eof() and self._reader.exception() is None:  # noqa: ASYNC110
            await asyncio.sleep(_LOOK_S)

    async def gone(self) -> None:
        """Wait until the client has left, at once; only for one that sends nothing more."""
        try:
            while await self._reader.read(1 << 16):
                pass
        except ConnectionError:
            return

    def _head(self, status: int, kind: str, how: str) -> bytes:
        content = f"Content-Type: {kind}\r\n" if kind else ""
        reason = _REASONS.get(status, "Unknown")
        return f"HTTP/1.1 {status} {reason}\r\n{content}{how}\r\n\r\n".encode("ascii")


Handler = Callable[[HttpRequest, Connection], Awaitable[None]]


class Listener:
    """A listening server and the connections that it has taken.

    Args:
        watch: cancel a handler as soon as its client has left; a handler that watches itself
            (`Connection.gone`) needs none of it.
        admit: looks at a request's head, before any of its body is read; gives a status and why
            the request is refused, or "".
        most_body: bytes of a body.
        read_s: how long a client may take to send a request; None for ever.
        most: connections at the same time; a further one is closed at once.
    """

    def __init__(
        self,
        handler: Handler,
        *,
        watch: bool = True,
        admit: Admit | None = None,
        most_body: int = _BODY_LIMIT,
        read_s: float | None = None,
        most: int | None = None,
    ) -> None:
        self._admit = admit
        self._most_body = most_body
        self._read_s = read_s
        self._most = most
        self._handler = handler
        self._watch = watch
        self._clients: dict[asyncio.Task[None], Connection] = {}
        self._server: asyncio.Server | None = None
        self._taken = 0

    async def open(self, host: str, port: int) -> tuple[str, int]:
        """Listen; the address, with the port that the system chose for 0."""
        self._server = await asyncio.start_server(self._take, host, port, limit=1 << 20)
        address = self._server.sockets[0].getsockname()
        return str(address[0]), int(address[1])

    async def aclose(self) -> None:
        """Stop listening and drop every connection."""
        assert self._server is not None
        # A connection that asyncio has accepted, and makes a transport for once the server is
        # closed, stays open (`Server._attach` fails in Python 3.11): none may be under way.
        for listening in self._server.sockets:
            with suppress(NotImplementedError):  # another kind of loop
                asyncio.get_running_loop().remove_reader(listening.fileno())
        await _turns()
        self._server.close()
        taken = dict(self._clients)
        for client in taken:
            client.cancel()
        await asyncio.gather(*taken, return_exceptions=True)
        for connection in taken.values():
            connection.reset()  # a task that was cancelled before its first step has not
        await _turns()

    def _take(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self._most is not None and len(self._clients) >= self._most:
            writer.close()
            return
        self._taken += 1
        connection = Connection(reader, writer, self._taken)
        client = asyncio.ensure_future(self._client(connection))
        self._clients[client] = connection
        client.add_done_callback(self._clients.pop)

    async def _client(self, connection: Connection) -> None:
        """Serve one connection; each request ends when its client leaves."""
        try:
            while connection.open:
                request = await connection.request(self._admit, self._most_body, self._read_s)
                if request is None:
                    return
                work = self._handler(request, connection)
                await (_until_left(work, connection) if self._watch else work)
        except (
            ConnectionError,
            asyncio.IncompleteReadError,
            asyncio.LimitOverrunError,
            ValueError,
        ):
            pass  # a client that broke off or never spoke HTTP
        finally:
            connection.close()


async def _turns() -> None:
    """Let what asyncio has begun with connections be done: it takes at most three turns."""
    for _ in range(3):
        await asyncio.sleep(0)


async def _until_left(work: Awaitable[None], connection: Connection) -> None:
    """Run a handler, and cancel it as soon as the client has closed the connection."""
    job = asyncio.ensure_future(work)
    left = asyncio.ensure_future(connection.left())
    try:
        await asyncio.wait({job, left}, return_when=asyncio.FIRST_COMPLETED)
        if not job.done():
            connection.open = False
    finally:  # also when the server itself ends
        left.cancel()
        job.cancel()
        _, *results = await asyncio.gather(left, job, return_exceptions=True)
    for result in results:
        if isinstance(result, Exception) and not isinstance(result, ConnectionError):
            raise result


async def _head(reader: asyncio.StreamReader) -> HttpRequest | None:
    """A request without its body; None when the client has left."""
    try:
        head = await reader.readuntil(b"\r\n\r\n")
    except asyncio.IncompleteReadError:
        return None
    first, *lines = head.decode("latin-1").split("\r\n")
    method, path, _ = first.split(" ", 2)
    headers = {
        name.strip().lower(): value.strip()
        for name, _, value in (line.partition(":") for line in lines if line)
    }
    return HttpRequest(method, path.partition("?")[0], headers, b"")


def _length(head: HttpRequest) -> int:
    return int(head.headers.get("content-length", "0"))


async def _with_body(reader: asyncio.StreamReader, head: HttpRequest, most: int) -> HttpRequest:
    if head.headers.get("transfer-encoding", "").lower() == "chunked":
        return replace(head, body=await _chunked_body(reader, most))
    length = _length(head)
    return replace(head, body=await reader.readexactly(length)) if length else head


async def _chunked_body(reader: asyncio.StreamReader, most: int) -> bytes:
    body = bytearray()
    while True:
        length = int((await reader.readuntil(b"\r\n")).partition(b";")[0], 16)
        if len(body) + length > most:
            raise ValueError("body too large")
        if not length:
            while await reader.readuntil(b"\r\n") != b"\r\n":
                pass  # trailers
            return bytes(body)
        body += (await reader.readexactly(length + 2))[:-2]


def dumped(line: dict[str, Any]) -> bytes:
    """One line of a stream."""
    return json.dumps(line, ensure_ascii=False, separators=(",", ":")).encode() + b"\n"
