"""Calls without marks: a message that is a call, ReAct lines, and JSON that ends a message."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace

from manyhands.recover.blocks import fence_at
from manyhands.recover.envelopes.marked import Found, read_item
from manyhands.recover.envelopes.objects import calls_in
from manyhands.recover.envelopes.pythonic import read_pythonic
from manyhands.recover.jsonish import How, parse_at, parse_json
from manyhands.recover.types import Candidate, JSONSchema

__all__ = ["find_react", "read_last_object", "read_whole"]

_ACTION = re.compile(r"^[ \t>*]*\**Action\**[ \t]*:\**[ \t]*(?P<name>[^\n]*)$", re.MULTILINE | re.I)
_INPUT = re.compile(
    r"\s*\**Action[ _]?(?:Input|Arguments|Parameters)\**[ \t]*:\**[ \t]*(?:```+\w*\s*)?", re.I
)
_AFTER = re.compile(
    r"^[ \t*]*(?:Observation|Thought|Final Answer|Action|Result)\b", re.MULTILINE | re.I
)
_DROPPED = re.compile(
    r"\s*(?:</?[\w|｜:]+>\s*|```\s*)*(?:(?:Observation|Tool (?:result|response|output)|Result)\s*:"
    r"|<tool_response>|<function_results?>|<\|im_start\|>|<\|im_end\|>|<\|eot_id\|>|<\|eom_id\|>"
    r"|<\|start_header_id\|>|\Z)",
    re.I,
)
_RECIPIENT = re.compile(r"\s*(?:>>>\s*|<\|recipient\|>\s*)", re.I)


def find_react(text: str, tools: Mapping[str, JSONSchema]) -> Found | None:
    """`Action: NAME` with `Action Input: {…}`, or Command-R's `Action:` with a JSON list."""
    for found in _ACTION.finditer(text):
        if fence_at(text, found.start("name")):
            continue
        name = found["name"].strip().strip("`*\"'").strip()
        if name in ("", "```json", "```") or name[:1] in "[{":
            start = re.compile(r"\s*(?:```+\w*)?\s*(?=[\[{])").match(
                text, found.end() - len(found["name"])
            )
            if start is None:
                continue
            parsed = parse_at(text, start.end())
            if parsed.how is How.CUT:
                return Found((Candidate(None, None, cut=True),), found.start(), len(text))
            calls = calls_in(parsed.value, tools, marked=True)
            if calls:
                each = tuple(replace(c, repaired=c.repaired or parsed.how.lossy) for c in calls)
                return Found(each, found.start(), parsed.end)
            continue
        if name.lower().rstrip(".") in (
            "none",
            "n/a",
            "finish",
            "final answer",
            "no action",
            "null",
        ):
            continue
        given = _INPUT.match(text, found.end())
        if given is None:
            called = re.match(r"(?P<n>[\w.-]+)[ \t]*[\[(]", name)
            if called and called["n"] in tools:
                item = read_item(text, text.index(name, found.start("name")), tools, marked=True)
                if item:
                    return Found(tuple(item[0]), found.start(), item[1])
            if name in tools and not text[found.end() :].strip():
                return Found((Candidate(name, {}),), found.start(), len(text))
            continue
        if not re.fullmatch(r"[\w.:/ -]{1,100}", name):
            continue
        if text[given.end() : given.end() + 1] in ("{", "["):
            stop = _AFTER.search(text, given.end())
            parsed = parse_at(text, given.end(), stop=stop.start() if stop else None)
            whole = Candidate(name, parsed.value, parsed.how.lossy, parsed.how is How.CUT)
            if parsed.how is How.FAILED:
                whole = replace(whole, repaired=True)
            return Found((whole,), found.start(), parsed.end)
        stop = _AFTER.search(text, given.end())
        plain = text[given.end() : stop.start() if stop else len(text)].strip().strip("`").strip()
        return Found((Candidate(name, plain, repaired=True),), found.start(), len(text))
    return None


def read_whole(text: str, tools: Mapping[str, JSONSchema]) -> Found | None:
    """A message that is nothing but calls (invented observations after them are dropped)."""
    if text.startswith('"{'):
        inner, how = parse_json(text)
        if how is How.STRICT and isinstance(inner, str):
            return read_whole(inner, tools)
    lead = _RECIPIENT.match(text)
    at = lead.end() if lead else 0
    calls: list[Candidate] = []
    while at < len(text):
        gap = re.compile(r"[\s,;]*(?:>>>)?").match(text, at)
        at = gap.end() if gap else at
        if at >= len(text):
            break
        if calls and _DROPPED.match(text, at):
            break
        item = read_item(text, at, tools, marked=False)
        if item is None:
            if calls and re.fullmatch(r"[\s\]})`>]*|</[\w:|｜]+>", text[at:].strip()):
                break
            return _loose(text, tools) if not calls else None
        calls.extend(item[0])
        at = item[1]
    if not calls:
        return None
    named = [c for c in calls if c.name is not None]
    return Found(tuple(named), 0, at) if named else None


def _loose(text: str, tools: Mapping[str, JSONSchema]) -> Found | None:
    """JSON that only the last rungs can read, when the whole message is that JSON."""
    value, how = parse_json(text)
    if how in (How.FAILED, How.CUT, How.FIRST):
        return None
    calls = calls_in(value, tools, marked=False)
    return (
        Found(tuple(replace(c, repaired=c.repaired or how.lossy) for c in calls), 0, len(text))
        if calls
        else None
    )


def read_last_object(text: str, tools: Mapping[str, JSONSchema]) -> Found | None:
    """Calls as bare JSON at the start of a line after prose, with nothing but junk after them."""
    for count, start in enumerate(re.compile(r"^[ \t]*(?=[\[{])", re.MULTILINE).finditer(text)):
        if count > 64:
            return None
        if fence_at(text, start.end()):
            continue
        item = read_item(text, start.end(), tools, marked=False)
        if item is None:
            continue
        calls, at = list(item[0]), item[1]
        while True:
            gap = re.compile(r"[\s,;]*").match(text, at)
            at = gap.end() if gap else at
            more = (
                read_item(text, at, tools, marked=False)
                if text[at : at + 1] in ("{", "[")
                else None
            )
            if more is None:
                break
            calls += more[0]
            at = more[1]
        if _DROPPED.match(text, at):
            return Found(tuple(c for c in calls if c.name), start.end(), at)
        return None
    return _last_line(text, tools)


def _last_line(text: str, tools: Mapping[str, JSONSchema]) -> Found | None:
    """`read_file(path="x")` alone on the last line, after prose."""
    body = text.rstrip()
    start = body.rfind("\n") + 1
    name = re.match(r"[A-Za-z_]\w*(?=\()", body[start:])
    if name is None or name[0] not in tools or fence_at(text, start):
        return None
    called = read_pythonic(body, start, tools)
    if called is None or called[1] != len(body):
        return None
    return Found(tuple(called[0]), start, len(text))
