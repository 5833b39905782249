"""A server that answers with what a test writes, for what no well-kept server does."""

from __future__ import annotations

import asyncio
import json
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from typing import Any

import pytest


@dataclass(frozen=True)
class RawRequest:
    """A request, and both ends of its connection."""

    path: str
    body: Any
    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter

    async def send(self, data: bytes) -> None:
        self.writer.write(data)
        await self.writer.drain()

    async def json(self, value: Any, status: int = 200) -> None:
        """A whole answer."""
        body = json.dumps(value).encode()
        await self.begin(status, f"Content-Length: {len(body)}\r\n")
        await self.send(body)

    async def begin(self, status: int = 200, headers: str = "") -> None:
        """The head of an answer that ends with the connection."""
        head = f"HTTP/1.1 {status} Told\r\n{headers}Connection: close\r\n\r\n"
        await self.send(head.encode())

    async def left(self) -> None:
        """Until the client has closed its side."""
        try:
            while await self.reader.read(1 << 16):
                pass
        except ConnectionError:
            return


RawAnswer = Callable[[RawRequest], Awaitable[None]]
RawServer = Callable[[RawAnswer], AbstractAsyncContextManager[str]]


@pytest.fixture
def raw_server() -> RawServer:
    """`async with raw_server(answer) as url`: each connection gets one request and one answer."""

    @asynccontextmanager
    async def serve(answer: RawAnswer) -> AsyncIterator[str]:
        tasks: set[asyncio.Task[None]] = set()

        async def client(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            try:
                head = (await reader.readuntil(b"\r\n\r\n")).decode()
                length = 0
                for line in head.lower().split("\r\n"):
                    if line.startswith("content-length:"):
                        length = int(line.partition(":")[2])
                body = await reader.readexactly(length)
                path = head.split(" ")[1]
                await answer(RawRequest(path, json.loads(body or b"null"), reader, writer))
            except ConnectionError:
                pass  # the client left while it was written to
            finally:
                writer.close()

        def take(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            tasks.add(asyncio.ensure_future(client(reader, writer)))

        server = await asyncio.start_server(take, "127.0.0.1", 0)
        try:
            yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        finally:
            server.close()
            for task in tasks:
                task.cancel()
            ended = await asyncio.gather(*tasks, return_exceptions=True)
        assert not [one for one in ended if isinstance(one, Exception)]

    return serve


@pytest.fixture
def unused_tcp() -> int:
    """A loopback port that nobody listens at."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return int(taken.getsockname()[1])
