"""Bringing an adapter's file to a server, once."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import anyio

from manyhands.errors import RequestRefused, RoleError, Unreachable

__all__ = ["upload"]

_PIECE = 1024 * 1024


async def upload(url: str, file: Path, digest: str) -> str:
    """Send a file to /api/blobs unless the server has it; the digest, for /api/create.

    Args:
        digest: `sha256:` and 64 hex digits, the file's own.

    Raises:
        Unreachable: the connection broke; nothing half-sent is kept by the server.
        RequestRefused: the server took the file for another than `digest` says.
        RoleError: the file cannot be read.
    """
    import httpx

    async def pieces() -> AsyncIterator[bytes]:
        async with await anyio.open_file(file, "rb") as content:
            while piece := await content.read(_PIECE):
                yield piece

    try:
        async with httpx.AsyncClient(base_url=url, timeout=httpx.Timeout(60.0)) as client:
            place = f"/api/blobs/{digest}"
            if (await client.head(place)).is_success:
                return digest
            size = (await anyio.Path(file).stat()).st_size
            answer = await client.post(
                place, content=pieces(), headers={"Content-Length": str(size)}
            )
    except httpx.HTTPError as error:
        raise Unreachable(
            f"The adapter {file} did not reach {url}: {type(error).__name__}.",
            hint="Look whether the server runs, then build again.",
            host=url,
        ) from None
    except OSError as error:
        raise RoleError(f"The adapter {file} cannot be read: {error.strerror}.") from None
    if not answer.is_success:
        raise RequestRefused(
            f"{url} refused the adapter {file}: HTTP {answer.status_code}, {answer.text[:200]}",
            hint="Look whether the file changed while it was sent, then build again.",
            host=url,
        )
    return digest
