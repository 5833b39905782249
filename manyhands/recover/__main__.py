"""`python -m manyhands.recover < cases.jsonl`: one line of outcome for each line of message."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from typing import Any

from manyhands.recover.ladder import recover
from manyhands.recover.types import Reason, SentMessage

__all__ = ["main"]


def _answer(line: str) -> dict[str, Any]:
    case_id: Any = None
    try:
        case = json.loads(line)
        if not isinstance(case, Mapping):
            raise ValueError("a case is an object")
        case_id = case.get("id")
        tools = case.get("tools") or {}
        message = case.get("message")
        if not isinstance(message, Mapping) or not isinstance(tools, Mapping):
            raise ValueError("message and tools are objects")
        if not all(isinstance(schema, Mapping) for schema in tools.values()):
            raise ValueError("a tool is a schema")
    except (ValueError, RecursionError):
        return {"id": case_id, "outcome": "retry", "calls": [], "reason": Reason.BAD_INPUT.value}
    outcome = recover(SentMessage.from_mapping(message), tools)
    return {
        "id": case_id,
        "outcome": outcome.kind.value,
        "calls": [{"name": call.name, "arguments": call.arguments} for call in outcome.calls],
        "reason": outcome.reason.value if outcome.reason else None,
    }


def main() -> int:
    """Reads lines until the input ends; a line that is no case is answered with `bad_input`."""
    for raw in sys.stdin.buffer:
        line = raw.decode("utf-8", "replace")
        if line.strip():
            sys.stdout.write(json.dumps(_answer(line)) + "\n")
            sys.stdout.flush()
    return 0


if __name__ == "__main__":
    sys.exit(main())
