"""One fork server for the tests of each file: libraries are loaded once.

Not one for the session: its event loop would stay open under all tests that come later.
"""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from manyhands.checks.programs.battery import battery


@pytest.fixture(scope="module")
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(scope="module", autouse=True)
async def one_battery(anyio_backend: str) -> AsyncIterator[None]:
    async with battery():
        yield
