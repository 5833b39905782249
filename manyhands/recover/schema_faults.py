"""What is wrong with a tool's JSON schema, as far as the ladder reads one."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

__all__ = ["schema_fault"]

_DEEPEST = 32


def schema_fault(schema: Any, depth: int = 0) -> str:
    """The first fault in words; empty for a schema that can be read. Absent parts may be null."""
    if isinstance(schema, bool) and depth:
        return ""
    if not isinstance(schema, Mapping):
        return f"a schema is an object, not {type(schema).__name__}"
    if depth > _DEEPEST:
        return f"it is nested deeper than {_DEEPEST} times"
    kinds = schema.get("type")
    if not (kinds is None or isinstance(kinds, str) or _strings(kinds)):
        return f"`type` is a text or a list of texts, not {kinds!r}"
    for key in ("required", "enum"):
        value = schema.get(key)
        if not (value is None or isinstance(value, list)):
            return f"`{key}` is a list, not {type(value).__name__}"
    if not _strings(schema.get("required") or []):
        return "`required` names properties by texts"
    aliases = schema.get("x-aliases") or {}
    if not isinstance(aliases, Mapping) or not _strings(list(aliases.values())):
        return "`x-aliases` is an object of texts"
    parts = schema.get("properties") or {}
    if not isinstance(parts, Mapping):
        return f"`properties` is an object, not {type(parts).__name__}"
    inner = [(f"property {name!r}", part) for name, part in parts.items()]
    if schema.get("items") is not None:
        inner.append(("`items`", schema["items"]))
    for key in ("anyOf", "oneOf", "allOf"):
        options = schema.get(key)
        if not (options is None or isinstance(options, list)):
            return f"`{key}` is a list, not {type(options).__name__}"
        inner += [(f"`{key}`", option) for option in options or []]
    for name, part in inner:
        fault = schema_fault(part, depth + 1)
        if fault:
            return f"{name}: {fault}"
    return ""


def _strings(value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(one, str) for one in value)
