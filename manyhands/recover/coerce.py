"""Making one value fit its schema: types that servers turned into text, lists, wrapped values."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

from manyhands.recover.jsonish import How, parse_json

__all__ = ["coerce", "fold", "nullable", "says_nothing", "types_of"]

_TYPED_VALUE: tuple[set[str], ...] = ({"value"}, {"type", "value"})
_TRUE, _FALSE = ("true", "yes", "1", "on"), ("false", "no", "0", "off")


def fold(word: str) -> str:
    return re.sub(r"[^0-9a-z]", "", word.lower())


def types_of(part: Any) -> list[str]:
    if not isinstance(part, Mapping):
        return []
    kinds = part.get("type")
    if isinstance(kinds, str):
        return [kinds]
    if isinstance(kinds, list):
        return [k for k in kinds if isinstance(k, str)]
    found: list[str] = []
    for key in ("anyOf", "oneOf"):
        for option in part.get(key) or []:
            found += types_of(option)
    return found


def nullable(part: Any) -> bool:
    kinds = types_of(part)
    return not kinds or "null" in kinds


def says_nothing(value: Any, part: Any) -> bool:
    """ "None", "null" or nothing, written as text where no text is wanted."""
    if not isinstance(value, str) or "string" in types_of(part):
        return False
    return value.strip().lower() in ("", "none", "null", "undefined")


def coerce(value: Any, part: Any) -> tuple[bool, Any, str]:
    """(fits, value, how it changed: '', 'same', 'lossy', or 'cut' where the text ends early)."""
    if not isinstance(part, Mapping):
        return True, value, ""
    kinds = types_of(part)
    if isinstance(value, dict) and "object" not in kinds and set(value) in _TYPED_VALUE:
        fits, inner_value, how = coerce(value["value"], part)
        return fits, inner_value, "lossy" if fits else how
    ok, fitted, changed = _to_type(value, kinds, part)
    if not ok:
        return False, value, changed
    choices = part.get("enum")
    if isinstance(choices, list) and fitted not in choices:
        same = [c for c in choices if isinstance(c, str) and fold(c) == fold(str(fitted))]
        if len(same) != 1:
            return False, value, ""
        return True, same[0], "same"
    if isinstance(fitted, dict) and isinstance(part.get("properties"), Mapping):
        inner = dict(fitted)
        for key, sub in part["properties"].items():
            if key in inner:
                fits, inner[key], how = coerce(inner[key], sub)
                changed = how or changed
                if not fits:
                    return False, value, ""
        if any(key not in inner for key in part.get("required") or []):
            return False, value, ""
        return True, inner, changed
    if isinstance(fitted, list) and isinstance(part.get("items"), Mapping):
        each = [coerce(item, part["items"]) for item in fitted]
        if not all(fits for fits, _, _ in each):
            return False, value, ""
        return (
            True,
            [item for _, item, _ in each],
            next((how for _, _, how in each if how), changed),
        )
    return True, fitted, changed


def _to_type(value: Any, kinds: list[str], part: Mapping[str, Any]) -> tuple[bool, Any, str]:
    if not kinds or any(_is(value, kind) for kind in kinds):
        return True, value, ""
    if "integer" in kinds and isinstance(value, float) and value.is_integer():
        return True, int(value), "same"
    text = value.strip() if isinstance(value, str) else None
    if text is not None:
        if "null" in kinds and text.lower() in ("null", "none", ""):
            return True, None, "same"
        if "boolean" in kinds and text.lower() in _TRUE + _FALSE:
            return True, text.lower() in _TRUE, "same"
        if "integer" in kinds and re.fullmatch(r"[+-]?\d{1,300}(?:\.0*)?", text):
            return True, int(text.split(".")[0]), "same"
        if "number" in kinds and re.fullmatch(
            r"[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d{1,3})?", text
        ):
            number = float(text)
            return True, int(text) if re.fullmatch(r"[+-]?\d{1,300}", text) else number, "same"
        if text[:1] in '{["(' and not {"object", "array"}.isdisjoint(kinds):
            parsed, how = parse_json(f"[{text[1:-1]}]" if text[:1] == "(" else text)
            if how is How.CUT:
                return False, value, "cut"
            if isinstance(parsed, str) and parsed != text:
                return _to_type(parsed, kinds, part)
            if how is not How.FAILED and any(
                _is(parsed, k) for k in ("object", "array") if k in kinds
            ):
                return True, parsed, "lossy" if how.lossy else "same"
        if "array" in kinds and re.fullmatch(r"[-+\d.eE\s]+(?:,[-+\d.eE\s]+)+", text):
            return _to_type(f"[{text}]", kinds, part)
    if "array" in kinds and isinstance(value, dict) and value:
        if list(value) == [str(i) for i in range(len(value))]:
            return True, list(value.values()), "lossy"
        if set(value) in ({"item"}, {"items"}):  # XML's way to write a list
            inner = next(iter(value.values()))
            return True, inner if isinstance(inner, list) else [inner], "lossy"
    if "boolean" in kinds and value in (0, 1):
        return True, bool(value), "same"
    if "string" in kinds and isinstance(value, (int, float)) and not isinstance(value, bool):
        return True, json.dumps(value), "same"
    if "string" in kinds and isinstance(value, bool):
        return True, json.dumps(value), "lossy"
    if "string" in kinds and isinstance(value, (dict, list)):
        if isinstance(value, list) and value and all(isinstance(v, str) for v in value):
            return True, "\n".join(value), "lossy"
        return True, json.dumps(value, ensure_ascii=False), "lossy"
    if "array" in kinds and not isinstance(value, (dict, list)) and text != "":
        items = part.get("items")
        ok, item, _ = coerce(value, items)
        if ok:
            return True, [item], "lossy"
    return False, value, ""


def _is(value: Any, kind: str) -> bool:
    match kind:
        case "string":
            return isinstance(value, str)
        case "integer":
            return isinstance(value, int) and not isinstance(value, bool)
        case "number":
            return isinstance(value, (int, float)) and not isinstance(value, bool)
        case "boolean":
            return isinstance(value, bool)
        case "object":
            return isinstance(value, dict)
        case "array":
            return isinstance(value, list)
        case "null":
            return value is None
    return False
