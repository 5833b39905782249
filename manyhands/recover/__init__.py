"""Reading what a local model really sent: the recovery ladder (pure, no input or output)."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from manyhands.recover.blocks import Block, fenced_blocks
    from manyhands.recover.channel import split_thinking
    from manyhands.recover.jsonish import How, parse_json
    from manyhands.recover.ladder import recover
    from manyhands.recover.structured import Structured, read_structured
    from manyhands.recover.types import Call, JSONSchema, Kind, Outcome, Reason, SentMessage

__all__ = [
    "Block",
    "Call",
    "How",
    "JSONSchema",
    "Kind",
    "Outcome",
    "Reason",
    "SentMessage",
    "Structured",
    "fenced_blocks",
    "parse_json",
    "read_structured",
    "recover",
    "split_thinking",
]

_HOME = {
    "Block": "blocks",
    "fenced_blocks": "blocks",
    "split_thinking": "channel",
    "How": "jsonish",
    "parse_json": "jsonish",
    "recover": "ladder",
    "Structured": "structured",
    "read_structured": "structured",
}


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOME.get(name, 'types')}"), name)
