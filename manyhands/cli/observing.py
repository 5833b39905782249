"""Spans for commands, only where the standard variables ask for them."""

from __future__ import annotations

import os
from collections.abc import Callable

from manyhands.journal.events import Event

__all__ = ["writer_from_environment"]


def writer_from_environment() -> Callable[[Event], None] | None:
    """Like `trace.spans.writer_from_environment`, without importing OpenTelemetry in vain."""
    if not any(name.startswith("OTEL_") for name in os.environ):
        return None
    from manyhands.trace import spans

    return spans.writer_from_environment()
