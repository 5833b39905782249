"""One fork server for all tests of this folder: libraries are loaded once."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from manyhands.checks.programs.battery import battery


@pytest.fixture(scope="session")
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(scope="session", autouse=True)
async def one_battery(anyio_backend: str) -> AsyncIterator[None]:
    async with battery():
        yield
