"""One checker, with one warm worker, for all tests of the checks."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

import pytest
from anyio.from_thread import start_blocking_portal

from manyhands.checks.kinds import Checker
from manyhands.checks.outcome import CheckOutcome

Ask = Callable[[Mapping[str, Any]], CheckOutcome]


@pytest.fixture(scope="session")
def ask() -> Iterator[Ask]:
    """Judges one case."""
    with (
        start_blocking_portal() as portal,
        portal.wrap_async_context_manager(Checker()) as checker,
    ):
        yield lambda case: portal.call(checker.check, case)
