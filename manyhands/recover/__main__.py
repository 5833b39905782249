"""`python -m manyhands.recover < cases.jsonl`: one line of outcome for each line of message."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from typing import Any

from manyhands.recover.ladder import recover
from manyhands.recover.schema_faults import schema_fault
from manyhands.recover.types import Reason, SentMessage

__all__ = ["main"]


def _case(line: str) -> tuple[Any, Mapping[str, Any], Mapping[str, Any]]:
    """Id, tools and message of a line.

    Raises:
        BadCase: it is no case; with the id as far as there is one.
    """
    try:
        case = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise BadCase(None, f"no JSON: {error}") from error
    if not isinstance(case, Mapping):
        raise BadCase(None, f"a case is an object, not {type(case).__name__}")
    case_id, tools, message = case.get("id"), case.get("tools") or {}, case.get("message")
    if not isinstance(message, Mapping):
        raise BadCase(case_id, f"`message` is an object, not {type(message).__name__}")
    if not isinstance(tools, Mapping):
        raise BadCase(case_id, f"`tools` is an object, not {type(tools).__name__}")
    for name, schema in tools.items():
        fault = schema_fault(schema)
        if fault:
            raise BadCase(case_id, f"the schema of tool {name!r}: {fault}")
    return case_id, tools, message


class BadCase(Exception):
    """A line that is no case; `case_id` is its id as far as it has one."""

    def __init__(self, case_id: Any, detail: str) -> None:
        super().__init__(detail)
        self.case_id = case_id


def _answer(number: int, line: str) -> dict[str, Any]:
    try:
        case_id, tools, message = _case(line)
    except BadCase as error:
        return {
            "id": error.case_id,
            "outcome": "retry",
            "calls": [],
            "reason": Reason.BAD_INPUT.value,
            "detail": f"line {number}: {error}",
        }
    outcome = recover(SentMessage.from_mapping(message), tools)
    return {
        "id": case_id,
        "outcome": outcome.kind.value,
        "calls": [{"name": call.name, "arguments": call.arguments} for call in outcome.calls],
        "reason": outcome.reason.value if outcome.reason else None,
    }


def main() -> int:
    """Reads lines until the input ends; a line that is no case is answered with `bad_input`, and
    its `detail` says what is wrong with which line."""
    for number, raw in enumerate(sys.stdin.buffer, start=1):
        line = raw.decode("utf-8", "replace")
        if line.strip():
            sys.stdout.write(json.dumps(_answer(number, line)) + "\n")
            sys.stdout.flush()
    return 0


if __name__ == "__main__":
    sys.exit(main())
