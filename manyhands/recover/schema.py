"""Fitting what a model wrote to a tool: unique names, aliases, coercion, checks."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from manyhands.recover.coerce import coerce, fold, nullable, says_nothing, types_of
from manyhands.recover.jsonish import How, parse_json
from manyhands.recover.types import JSONSchema, Reason

__all__ = ["Fitted", "acts", "fit", "guess_name", "match_name"]

_PREFIXES = re.compile(
    r"^(?:functions?|tools?|default_api|default|api|mcp|multi_tool_use|client|local|assistant)"
    r"(?:\.|::|:|/|__|\s+)",
    re.I,
)
_NAME_LEAD = re.compile(
    r"^(?:(?:assistant)?(?:commentary|analysis)?\s*to\s*=\s*|<?function\s*=\s*|<)", re.I
)
_GUESS_LEAD = re.compile(r"^(?:mcp_[a-z0-9]+|tool|call|function|fn|use)_", re.I)
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


def match_name(spelled: str, names: Iterable[str]) -> str | None:
    """The one tool meant by a spelling: exact, without leaked marks and prefixes, or folded.

    More than one match is no match.
    """
    known = list(names)
    bare = _NAME_LEAD.sub("", spelled.strip())
    plain = re.split(r"<\||<｜|</|\x00|[\[({\n]", bare)[0].strip().strip("\"'`*:,")
    plain = re.sub(r"\s+(?:json|code)$", "", plain)
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
        folded = [name for name in known if fold(name) == fold(form) and fold(form)]
        if len(folded) == 1:
            return folded[0]
    return None


def guess_name(spelled: str, names: Iterable[str]) -> str | None:
    """The one tool that a name ends in, behind a namespace or word that nobody declared.

    `hands.read_file`, `mcp_hands_read_file`, `call_read_file`: most likely meant, not certainly,
    so what it calls may not act.
    """
    known = list(names)
    last = re.split(r"\|>|[./:]|__", spelled.strip())[-1]
    ends = [last, _GUESS_LEAD.sub("", last)]
    for end in ends:
        found = match_name(end, known)
        if found:
            return found
    return None


def fit(raw: Any, name: str, schema: JSONSchema) -> Fitted:
    """Makes arguments out of what was written: unwrapped, aliased, coerced, validated."""
    notes: list[str] = []
    lossy = False
    properties: Mapping[str, Any] = schema.get("properties") or {}
    required: list[str] = list(schema.get("required") or [])
    for _ in range(_DEEPEST):
        if raw is None or raw == "":
            raw = {}
        if isinstance(raw, str):
            value, how = parse_json(raw)
            if how is How.CUT:
                return Fitted({}, Reason.TRUNCATED, detail="the arguments end inside a value")
            if how is How.GLUED and isinstance(value, list):
                full = [one for one in value if one] or [{}]
                same = all(one == full[0] for one in full)
                value, how = (full[0], How.FIRST) if same else (value, how)
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
            if raw and all(isinstance(i, dict) and set(i) in _PAIRS for i in raw):
                raw = {str(i.get("name", i.get("key"))): i["value"] for i in raw}
                continue
            if (
                len(raw) == 1
                and isinstance(raw[0], (dict, str))
                and not (isinstance(raw[0], str) and raw[0].lstrip()[:1] not in "{[")
            ):
                raw = raw[0]
                continue
            if 0 < len(raw) <= len(required):
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
        k for k in required if k in given and given[k] is None and not nullable(properties.get(k))
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
            if acts(schema) and value not in (None, "", [], {}) and fold(key) not in _COMMENTS:
                return Fitted(given, Reason.UNEXPECTED_ARGUMENT, lossy, detail=repr(key))
            notes.append(f"dropped:{key}")
            continue
        if value is None and not nullable(part) and key not in required:
            notes.append(f"null_dropped:{key}")
            continue
        if key not in required and not nullable(part) and says_nothing(value, part):
            notes.append(f"null_dropped:{key}")
            continue
        ok, fitted, changed = coerce(value, part)
        if not ok:
            reason = Reason.TRUNCATED if changed == "cut" else Reason.WRONG_TYPE
            return Fitted(given, reason, lossy, detail=repr(key))
        if changed:
            notes.append(f"coerced:{key}")
        lossy = lossy or changed == "lossy"
        arguments[key] = fitted
    return Fitted(arguments, None, lossy, tuple(notes))


#: Arguments as a list of pairs.
_PAIRS: tuple[set[str], ...] = ({"name", "value"}, {"key", "value"})
_MISSING: Any = object()
#: Wrappers around arguments that are taken off: models that see their own mistake nest deeper.
_DEEPEST = 16


def _empty(schema: JSONSchema) -> bool:
    return "properties" in schema


def _single(properties: Mapping[str, Any], required: list[str]) -> str | None:
    if len(required) == 1 and "string" in types_of(properties.get(required[0])):
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
        targets = targets or {p for p in properties if fold(p) == fold(key)}
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
        if fold(key) in _GENERIC:
            given[open_ones[0]] = strangers.pop(key)
            notes.append(f"alias:{key}")
            guessed = True
    return {**given, **strangers}, guessed


def _same(key: str, target: str, group: frozenset[str]) -> bool:
    return fold(target) in group and fold(key) in group
