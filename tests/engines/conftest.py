"""A server of raw bytes, for what no well-kept server does."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager

import pytest

#: Gets the request's head and body, and the connection's two ends.
RawAnswer = Callable[[bytes, bytes, asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]
RawServer = Callable[[RawAnswer], AbstractAsyncContextManager[str]]


@pytest.fixture
def raw_server() -> RawServer:
    """`async with raw_server(answer) as url`: each connection gets one request and one answer."""

    @asynccontextmanager
    async def serve(answer: RawAnswer) -> AsyncIterator[str]:
        async def client(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            try:
                head = await reader.readuntil(b"\r\n\r\n")
                length = next(
                    int(line.partition(b":")[2])
                    for line in [*head.lower().split(b"\r\n"), b"content-length: 0"]
                    if line.startswith(b"content-length")
                )
                await answer(head, await reader.readexactly(length), reader, writer)
            except ConnectionError:
                pass  # the client left while it was written to
            finally:
                writer.close()

        server = await asyncio.start_server(client, "127.0.0.1", 0)
        port = server.sockets[0].getsockname()[1]
        try:
            yield f"http://127.0.0.1:{port}"
        finally:
            server.close()

    return serve
