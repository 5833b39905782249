"""Calls written as JSON objects: every spelling of "name and arguments" seen so far."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from manyhands.recover.types import Candidate

__all__ = ["NAME_KEYS", "calls_in"]

NAME_KEYS = (
    "name", "tool", "tool_name", "toolName", "function_name", "function", "recipient_name",
    "action", "tool_code", "Name", "method",
)  # fmt: skip
_ARGUMENT_KEYS = (
    "arguments", "parameters", "args", "kwargs", "params", "input", "tool_input", "action_input",
    "tool_arguments", "tool_parameters", "tool_args", "toolInput", "Arguments", "inputs",
    "parameter", "argument", "function_arguments", "arguments_json",
)  # fmt: skip
_LISTS = (
    "tool_calls",
    "tool_uses",
    "function_calls",
    "calls",
    "toolCalls",
    "actions",
    "tools",
    "functions",
)
_WRAPPERS = (
    "function", "function_call", "functionCall", "tool_call", "toolCall", "tool_use", "call", "tool",  # noqa: E501
    "action",
)  # fmt: skip
_COMMENT_KEYS = frozenset(
    {"id", "type", "index", "thought", "thoughts", "reasoning", "call_id", "tool_call_id", "thinking",  # noqa: E501
     "explanation", "status", "role", "content", "plan"}
)  # fmt: skip
_DEPTH = 4


def calls_in(
    value: Any, tools: Collection[str], *, marked: bool, depth: int = 0
) -> list[Candidate]:
    """The calls that a parsed value spells; empty when it is data.

    `marked`: an envelope already said "this is a call", so a name alone is enough. Without a
    mark both a name and arguments must be spelled, or the name must be a tool's.
    """
    if depth > _DEPTH:
        return []
    if isinstance(value, list):
        each = [calls_in(item, tools, marked=marked, depth=depth + 1) for item in value]
        if each and all(each):
            return [call for calls in each for call in calls]
        return []
    if not isinstance(value, Mapping) or _is_definition(value):
        return []
    for key in _LISTS:
        if isinstance(value.get(key), list) and value[key]:
            inner = calls_in(value[key], tools, marked=marked, depth=depth + 1)
            if inner:
                return inner
    for key in _WRAPPERS:
        inner_value = value.get(key)
        if isinstance(inner_value, Mapping):
            inner = calls_in(inner_value, tools, marked=marked, depth=depth + 1)
            if inner:
                return inner
    name = _name(value, tools)
    if name is None:
        return _named_by_key(value, tools)
    key, spelled = name
    if key == "method" and spelled == "tools/call" and isinstance(value.get("params"), Mapping):
        return calls_in(value["params"], tools, marked=marked, depth=depth + 1)
    for argument_key in _ARGUMENT_KEYS:
        if argument_key in value and argument_key != key:
            arguments = value[argument_key]
            if isinstance(arguments, Mapping) and _is_definition({"parameters": arguments}):
                return []
            known = _fold(spelled) in {_fold(tool) for tool in tools}
            if not known and not marked and not _strong(value, key, argument_key):
                return []
            return [Candidate(spelled, arguments)]
    rest = {k: v for k, v in value.items() if k != key and k not in _COMMENT_KEYS}
    if key in ("name", "tool", "tool_name", "function", "action", "function_name"):
        known = _fold(spelled) in {_fold(tool) for tool in tools}
        if known and (rest or marked or len(value) == 1):
            full = {k: v for k, v in value.items() if k != key and k not in ("id", "type", "index")}
            return [Candidate(spelled, full)]
        if marked:
            return [Candidate(spelled, rest)]
    return []


def _strong(value: Mapping[str, Any], key: str, argument_key: str) -> bool:
    """An unknown name counts as a call only in the usual spelling, with nothing else beside it."""
    if key in ("action", "method", "Name") or argument_key in ("input", "inputs", "params"):
        return value.get("type") in ("function", "tool_use", "tool_call") or key == "tool"
    return isinstance(value[argument_key], (Mapping, str)) and len(value) <= 4


def _name(value: Mapping[str, Any], tools: Collection[str]) -> tuple[str, str] | None:
    folded = {_fold(tool) for tool in tools}
    found: tuple[str, str] | None = None
    for key in NAME_KEYS:
        spelled = value.get(key)
        if isinstance(spelled, str) and spelled.strip():
            if _fold(spelled) in folded:
                return key, spelled
            found = found or (key, spelled)
    return found


def _named_by_key(value: Mapping[str, Any], tools: Collection[str]) -> list[Candidate]:
    """`{"read_file": {"path": "x"}}`: the tool's name is the key."""
    spelled = [key for key in value if key in tools]
    others = [key for key in value if key not in tools and key not in _COMMENT_KEYS]
    if not spelled or others:
        return []
    if not all(isinstance(value[key], (Mapping, str)) for key in spelled):
        return []
    if any(
        isinstance(value[key], str) and not value[key].lstrip().startswith("{") for key in spelled
    ):
        return []
    if any(
        isinstance(value[k], Mapping) and _is_definition({"parameters": value[k]}) for k in spelled
    ):
        return []
    return [Candidate(key, value[key]) for key in spelled]


def _is_definition(value: Mapping[str, Any]) -> bool:
    """A tool's own definition, echoed: its `parameters` are a schema, not arguments."""
    for key in ("parameters", "input_schema", "inputSchema"):
        inner = value.get(key)
        if isinstance(inner, Mapping) and isinstance(inner.get("properties"), Mapping):  # noqa: SIM102
            if inner.get("type") == "object" or "required" in inner:
                return True
    return False


def _fold(name: str) -> str:
    return name.split(".")[-1].split(":")[-1].replace("-", "").replace("_", "").lower().strip()
