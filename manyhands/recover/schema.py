"""Fitting what a model wrote to a tool: unique names, aliases, coercion, checks."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from manyhands.recover.jsonish import How, parse_json
from manyhands.recover.types import JSONSchema, Reason

__all__ = ["Fitted", "acts", "fit", "match_name"]

_PREFIXES = re.compile(
    r"^(?:functions?|tools?|default_api|default|api|mcp|multi_tool_use|client|local|assistant)"
    r"(?:\.|::|:|/|__|\s+)",
    re.I,
)
_GROUPS: tuple[frozenset[str], ...] = tuple(
    frozenset(words.split())
    for words in (
        "path file filename filepath file_path_name pathname targetfile targetpath absolutepath relativepath",  # noqa: E501
        "code source script program snippet pythoncode sourcecode codestring pycode",
        "expression expr formula equation math mathexpression",
        "content contents text body data filecontent filecontents filetext",
        "timeouts timeout timeoutseconds timeoutsec timeoutsecs seconds",
        "spec specification chart plotspec figurespec chartspec",
        "query q search searchquery question",
        "url uri link href",
        "command cmd shellcommand",
        "precision tolerance tol",
        "bounds limits interval range",
        "title heading caption",
        "offset startline start",
    )
)
_GENERIC = frozenset(
    {"input", "value", "arg", "argument", "param", "arg0", "arg1", "__arg1", "parameter"}
)
_COMMENTS = frozenset(
    {"thought", "thoughts", "reasoning", "explanation", "description", "reason", "purpose", "intent",  # noqa: E501
     "note", "comment", "id", "type", "callid", "toolcallid", "random", "name", "tool", "function"}
)  # fmt: skip
_TRUE, _FALSE = ("true", "yes", "1", "on"), ("false", "no", "0", "off")
_LEAK = re.compile(r"</?arg_(?:key|value)>?|<\|[a-z_]{2,40}\|>|</?parameter[=>]|<｜")


@dataclass(frozen=True)
class Fitted:
    """Arguments that fit, or the reason why not; `lossy` when fitting guessed."""

    arguments: dict[str, Any]
    reason: Reason | None = None
    lossy: bool = False
    notes: tuple[str, ...] = ()
    detail: str = ""


def acts(schema: JSONSchema) -> bool:
    """Whether the tool changes something outside (`x-side-effect`)."""
    return bool(schema.get("x-side-effect"))


def _fold(word: str) -> str:
    return re.sub(r"[^0-9a-z]", "", word.lower())


def match_name(spelled: str, names: Iterable[str]) -> str | None:
    """The one tool meant by a spelling: exact, without leaked marks and prefixes, or folded.

    More than one match is no match.
    """
    known = list(names)
    plain = re.split(r"<\||<｜|\x00|[\[({\n]", spelled.strip())[0].strip().strip("\"'`*:,")
    for form in (spelled, plain):
        if form in known:
            return form
    shorter = re.sub(r":\d+$", "", plain)
    forms = [shorter]
    while (cut := _PREFIXES.sub("", shorter)) != shorter:
        shorter = cut
        forms.append(cut)
    server = re.match(r"^[\w-]+__(.+)$", shorter)
    while server:
        forms.append(server[1])
        server = re.match(r"^[\w-]+?__(.+)$", server[1])
    if re.search(r"_(?:tool|function)$", shorter, re.I):
        forms.append(re.sub(r"_(?:tool|function)$", "", shorter, flags=re.I))
    if re.search(r":\d+$", shorter) is None and ":" in shorter and " " not in shorter:
        forms.append(shorter.rsplit(":", 1)[1])
    for form in forms:
        if form in known:
            return form
        folded = [name for name in known if _fold(name) == _fold(form) and _fold(form)]
        if len(folded) == 1:
            return folded[0]
    return None


def fit(raw: Any, name: str, schema: JSONSchema) -> Fitted:
    """Makes arguments out of what was written: unwrapped, aliased, coerced, validated."""
    notes: list[str] = []
    lossy = False
    properties: Mapping[str, Any] = schema.get("properties") or {}
    required: list[str] = list(schema.get("required") or [])
    for _ in range(4):
        if raw is None or raw == "":
            raw = {}
        if isinstance(raw, str):
            value, how = parse_json(raw)
            if how is How.CUT:
                return Fitted({}, Reason.TRUNCATED, detail="the arguments end inside a value")
            if isinstance(value, (dict, list, str)) and how is not How.FAILED and value != raw:
                lossy = lossy or how.lossy
                notes.append(f"json:{how}")
                raw = value
                continue
            single = _single(properties, required)
            if single is None or raw.lstrip()[:1] in ("{", "["):
                return Fitted({}, Reason.MALFORMED_CALL, lossy, detail="the arguments are not JSON")
            raw, lossy = {single: raw}, True
            notes.append("bare_value")
        if isinstance(raw, list):
            if (
                len(raw) == 1
                and isinstance(raw[0], (dict, str))
                and not (isinstance(raw[0], str) and raw[0].lstrip()[:1] not in "{[")
            ):
                raw = raw[0]
                continue
            if raw and all(isinstance(i, dict) and {"name", "value"} <= set(i) for i in raw):
                raw = {str(item["name"]): item["value"] for item in raw}
            elif 0 < len(raw) <= len(required):
                raw, lossy = dict(zip(required, raw, strict=False)), True
                notes.append("positional")
            elif not raw:
                raw = {}
            else:
                return Fitted({}, Reason.WRONG_TYPE, detail="the arguments are a list")
        inner = _nested(raw, name, properties)
        if inner is None:
            break
        raw = inner
        notes.append("unwrapped")
    if not isinstance(raw, dict):
        return Fitted({}, Reason.WRONG_TYPE, lossy, detail="the arguments are no object")
    if any(_LEAK.search(str(key)) for key in raw):
        return Fitted({}, Reason.MALFORMED_CALL, lossy, detail="markup inside an argument's name")
    given, guessed = _aliases(raw, properties, required, schema, notes)
    lossy = lossy or guessed
    if given is None:
        return Fitted({}, Reason.MISSING_REQUIRED, lossy, detail="two spellings of one argument")
    missing = [key for key in required if given.get(key, _MISSING) is _MISSING]
    missing += [
        k for k in required if k in given and given[k] is None and not _nullable(properties.get(k))
    ]
    if missing:
        return Fitted(given, Reason.MISSING_REQUIRED, lossy, detail=", ".join(map(repr, missing)))
    arguments: dict[str, Any] = {}
    for key, value in given.items():
        part = properties.get(key)
        if part is None:
            if not properties and schema.get("additionalProperties", True) and not _empty(schema):
                arguments[key] = value
                continue
            if acts(schema) and value not in (None, "", [], {}) and _fold(key) not in _COMMENTS:
                return Fitted(given, Reason.UNEXPECTED_ARGUMENT, lossy, detail=repr(key))
            notes.append(f"dropped:{key}")
            continue
        if value is None and not _nullable(part) and key not in required:
            notes.append(f"null_dropped:{key}")
            continue
        ok, fitted, changed = _coerce(value, part)
        if not ok:
            return Fitted(given, Reason.WRONG_TYPE, lossy, detail=repr(key))
        if changed:
            notes.append(f"coerced:{key}")
        lossy = lossy or changed == "lossy"
        arguments[key] = fitted
    return Fitted(arguments, None, lossy, tuple(notes))


_MISSING: Any = object()


def _empty(schema: JSONSchema) -> bool:
    return "properties" in schema


def _single(properties: Mapping[str, Any], required: list[str]) -> str | None:
    if len(required) == 1 and "string" in _types(properties.get(required[0])):
        return required[0]
    return None


def _nested(raw: Any, name: str, properties: Mapping[str, Any]) -> Any:
    """`{"name": …, "arguments": {…}}` or `{"arguments": {…}}` where the arguments should be."""
    if not isinstance(raw, dict):
        return None
    for key in (
        "arguments",
        "parameters",
        "args",
        "params",
        "kwargs",
        "input",
        "tool_input",
        name,
        "properties",
    ):
        if key in raw and key not in properties and isinstance(raw[key], (dict, str)):
            others = set(raw) - {
                key,
                "name",
                "tool",
                "function",
                "type",
                "id",
                "tool_name",
                "action",
            }
            if others or (isinstance(raw[key], str) and raw[key].lstrip()[:1] != "{"):
                continue
            spelled = raw.get("name", raw.get("tool", raw.get("function", name)))
            if (isinstance(spelled, str) and match_name(spelled, [name])) or key == "properties":
                return raw[key]
    return None


def _aliases(
    raw: dict[Any, Any],
    properties: Mapping[str, Any],
    required: list[str],
    schema: JSONSchema,
    notes: list[str],
) -> tuple[dict[str, Any] | None, bool]:
    """Renames keys where exactly one property can be meant; a value given by its own name wins."""
    given = {
        str(key): value for key, value in raw.items() if str(key) in properties or not properties
    }
    declared: Mapping[str, str] = schema.get("x-aliases") or {}
    strangers = {str(k): v for k, v in raw.items() if str(k) not in given}
    guessed = False
    claims: dict[str, list[str]] = {}
    for key in strangers:
        targets = {t for t in [declared.get(key)] if t}
        targets = targets or {p for p in properties if _fold(p) == _fold(key)}
        targets = targets or {p for p in properties for g in _GROUPS if _same(key, p, g)}
        if len(targets) == 1:
            claims.setdefault(targets.pop(), []).append(key)
    for target, keys in claims.items():
        if target in given and given[target] is not None:
            for key in keys:
                notes.append(f"dropped:{key}")
                strangers.pop(key)
            continue
        if len({json.dumps(strangers[key], default=str) for key in keys}) > 1:
            return None, False
        given[target] = strangers[keys[0]]
        notes.append(f"alias:{keys[0]}")
        for key in keys:
            strangers.pop(key)
    open_ones = [key for key in required if key not in given]
    if len(strangers) == 1 and len(open_ones) == 1 and len(required) == 1:
        key = next(iter(strangers))
        if _fold(key) in _GENERIC:
            given[open_ones[0]] = strangers.pop(key)
            notes.append(f"alias:{key}")
            guessed = True
    return {**given, **strangers}, guessed


def _same(key: str, target: str, group: frozenset[str]) -> bool:
    return _fold(target) in group and _fold(key) in group


def _types(part: Any) -> list[str]:
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
            found += _types(option)
    return found


def _nullable(part: Any) -> bool:
    kinds = _types(part)
    return not kinds or "null" in kinds


def _coerce(value: Any, part: Any) -> tuple[bool, Any, str]:
    """(fits, value, how it changed: '', 'same' or 'lossy')."""
    if not isinstance(part, Mapping):
        return True, value, ""
    kinds = _types(part)
    ok, fitted, changed = _to_type(value, kinds, part)
    if not ok:
        return False, value, ""
    choices = part.get("enum")
    if isinstance(choices, list) and fitted not in choices:
        same = [c for c in choices if isinstance(c, str) and _fold(c) == _fold(str(fitted))]
        if len(same) != 1:
            return False, value, ""
        return True, same[0], "same"
    if isinstance(fitted, dict) and isinstance(part.get("properties"), Mapping):
        inner = dict(fitted)
        for key, sub in part["properties"].items():
            if key in inner:
                fits, inner[key], how = _coerce(inner[key], sub)
                changed = how or changed
                if not fits:
                    return False, value, ""
        if any(key not in inner for key in part.get("required") or []):
            return False, value, ""
        return True, inner, changed
    if isinstance(fitted, list) and isinstance(part.get("items"), Mapping):
        each = [_coerce(item, part["items"]) for item in fitted]
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
        for kind in ("object", "array"):
            if kind in kinds and text[:1] in ("{", "["):
                parsed, how = parse_json(text)
                if how not in (How.FAILED, How.CUT) and _is(parsed, kind):
                    return True, parsed, "lossy" if how.lossy else "same"
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
        ok, item, _ = _coerce(value, items)
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
