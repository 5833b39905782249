"""JSON schemas that every consumer can read: no `$ref`, no `null` alternatives.

Ollama drops `$ref`, `default`, `pattern` and most bounds from tool schemas, and several MCP
clients refuse `$defs`, so references are inlined and optional fields are simply not required.
"""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel

__all__ = ["flat_schema"]

_DROPPED = {"title", "discriminator", "$defs", "default"}


def flat_schema(model: type[BaseModel]) -> dict[str, Any]:
    """The JSON schema of `model` with references inlined and titles and defaults left out."""
    schema = model.model_json_schema()
    definitions = schema.get("$defs", {})
    flat = _inline(schema, definitions)
    assert isinstance(flat, dict)
    return flat


def _inline(node: Any, definitions: dict[str, Any]) -> Any:
    if isinstance(node, list):
        return [_inline(item, definitions) for item in node]
    if not isinstance(node, dict):
        return node
    if "$ref" in node:
        name = str(node["$ref"]).rsplit("/", 1)[-1]
        extra = {key: value for key, value in node.items() if key != "$ref"}
        return _inline({**definitions[name], **extra}, definitions)
    alternatives = node.get("anyOf")
    if isinstance(alternatives, list):
        real = [item for item in alternatives if item != {"type": "null"}]
        if len(real) == 1 and len(real) < len(alternatives):
            rest = {key: value for key, value in node.items() if key != "anyOf"}
            return _inline({**real[0], **rest}, definitions)
    if "properties" in node:
        # Names under `properties` are the user's fields, not schema keywords.
        inlined = {
            key: _inline(value, definitions)
            for key, value in node.items()
            if key not in _DROPPED and key != "properties"
        }
        inlined["properties"] = {
            name: _inline(value, definitions) for name, value in node["properties"].items()
        }
        return inlined
    return {key: _inline(value, definitions) for key, value in node.items() if key not in _DROPPED}
