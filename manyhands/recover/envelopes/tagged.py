"""Calls written as tags: `<function=…>`, `<invoke name=…>`, `<arg_key>` pairs, `<tool><arg>`."""

from __future__ import annotations

import html
import json
import re
from collections.abc import Collection
from dataclasses import dataclass

from manyhands.recover.types import Candidate

__all__ = ["Read", "read_element", "read_function", "read_key_values"]

_BAR = r"(?:[|｜]*DSML[|｜]*)?"
_HEAD = re.compile(
    rf"<{_BAR}(?:function|invoke|tool|tool_call)(?:\s*=\s*|\s+name\s*=\s*)"
    r"(?P<q>[\"']?)(?P<name>[^\"'<>\n]{1,200}?)(?P=q)(?:\s[^<>\n]{0,200})?/?>"
)
_NAME_ELEMENT = re.compile(
    r"<(?:function|tool|tool_use|invoke|function_call|use_mcp_tool)>\s*"
    r"(?:<server_name>[^<>\n]{0,200}</server_name>\s*)?<(?:name|tool_name)>"
    r"\s*(?P<name>[^<>\n]{1,200}?)\s*</[^<>]*>"
)
_PARAMETER = re.compile(
    rf"<{_BAR}(?:parameter|param|arg)(?:\s*=\s*|\s+name\s*=\s*)"
    r"(?P<q>[\"']?)(?P<name>[^\"'<>\n]{1,200}?)(?P=q)(?P<rest>\s[^<>\n]{0,200})?>"
)
_PARAMETER_END = re.compile(rf"</{_BAR}[|｜]*(?:parameter|param|arg)\s*>")
_END = re.compile(
    rf"</{_BAR}[|｜]*(?:function|invoke|tool|tool_call|tool_use|function_call|use_mcp_tool)\b"
    r"[^<>\n]{0,40}>"
)
_KEY = re.compile(r"\s*<arg_key>\s*(?P<key>[^<>]{1,200}?)\s*</arg_key>\s*<arg_value>", re.DOTALL)
_KEY_NAME = re.compile(r"\s*(?P<name>[\w.:-]{1,200})\s*(?=<arg_key>|</tool_call>|</user>)")
_ELEMENT = re.compile(r"<(?P<name>[A-Za-z_][\w.-]{0,100})\s*(?P<self>/?)>")


@dataclass(frozen=True)
class Read:
    """A candidate and the offset after it."""

    candidate: Candidate
    end: int


def read_function(text: str, start: int) -> Read | None:
    """`<function=NAME>` with `<parameter=KEY>` children, or a JSON object as its body."""
    head = _HEAD.match(text, start) or _NAME_ELEMENT.match(text, start)
    if head is None:
        return None
    at = head.end()
    name = head["name"].strip()
    if head.group().endswith("/>"):
        return Read(Candidate(name.rstrip("/ "), {}), at)
    body = re.compile(r"\s*(?:<(?:arguments|parameters|args|input)>\s*)?(?=\{)").match(text, at)
    if body:
        return _json_body(text, body.end(), name)
    arguments: dict[str, str] = {}
    cut = False
    lost = False
    while True:
        key = _PARAMETER.search(text, at)
        stop = _END.search(text, at)
        if key is None or (stop and stop.start() < key.start()):
            break
        lost = lost or bool(text[at : key.start()].strip())
        at = key.end()
        value_end, next_at = _value_end(text, at)
        if value_end is None:
            cut = True
            at = len(text)
            break
        arguments[key["name"].strip()] = _trim(text[at:value_end])
        lost = lost or value_end == next_at
        at = next_at
    if not arguments and not cut:
        arguments, at = _children(text, at)
    stop = _END.search(text, at)
    between = text[at : stop.start()] if stop else text[at:]
    closed = stop is not None and not between.strip()
    if not closed and between.strip().startswith("<") and "</" not in between:
        cut = True
    end = stop.end() if closed and stop else at
    return Read(Candidate(name, arguments, repaired=lost or not closed, cut=cut), end)


def _children(text: str, start: int) -> tuple[dict[str, str], int]:
    """`<path>x</path>` elements, also inside `<parameters>`: the arguments of a named call."""
    wrapper = re.compile(r"\s*<(parameters|arguments|args|input)>(?=\s*<)").match(text, start)
    at = wrapper.end() if wrapper else start
    arguments: dict[str, str] = {}
    while child := re.compile(r"\s*<(?P<name>[A-Za-z_]\w{0,60})>").match(text, at):
        closing = f"</{child['name']}>"
        end = text.find(closing, child.end())
        if end == -1:
            return {}, start
        arguments[child["name"]] = _trim(text[child.end() : end])
        at = end + len(closing)
    if wrapper and (end_mark := re.compile(rf"\s*</{wrapper[1]}>").match(text, at)):
        at = end_mark.end()
    return arguments, at


def _value_end(text: str, at: int) -> tuple[int | None, int]:
    """Where a parameter's text ends and where to read on.

    The closing tag that counts is one followed by another parameter or by the call's end:
    a value may itself hold `</parameter>`.
    """
    follow = re.compile(rf"\s*(?:<{_BAR}(?:parameter|param|arg)[\s=]|</|<tool_call|<function|\Z)")
    first: re.Match[str] | None = None
    for closer in _PARAMETER_END.finditer(text, at):
        first = first or closer
        if follow.match(text, closer.end()):
            return closer.start(), closer.end()
    if first is not None:
        return first.start(), first.end()
    key, stop = _PARAMETER.search(text, at), _END.search(text, at)
    ends = [found.start() for found in (key, stop) if found]
    return (min(ends), min(ends)) if ends else (None, at)


def _json_body(text: str, start: int, name: str) -> Read:
    from manyhands.recover.jsonish import How, parse_at

    stop = _END.search(text, start)
    parsed = parse_at(text, start, stop=stop.start() if stop else None)
    after = re.compile(r"\s*(?:</[^<>\n]{1,60}>\s*)*").match(text, parsed.end)
    return Read(
        Candidate(
            name,
            parsed.value,
            repaired=parsed.how.lossy or parsed.how is How.FAILED,
            cut=parsed.how is How.CUT,
        ),
        after.end() if after else parsed.end,
    )


def read_key_values(text: str, start: int) -> Read | None:
    """`NAME` then `<arg_key>k</arg_key><arg_value>v</arg_value>` pairs (GLM)."""
    head = _KEY_NAME.match(text, start)
    if head is None:
        return None
    at = head.end()
    arguments: dict[str, str] = {}
    cut = repaired = False
    while key := _KEY.match(text, at):
        at = key.end()
        end = text.find("</arg_value>", at)
        following = re.compile(r"<arg_key>|</tool_call>").search(text, at)
        if end == -1 or (following and following.start() < end and "<arg_value>" in text[at:end]):
            if following is None:
                cut, at = True, len(text)
                break
            repaired = True
            arguments[key["key"]] = _trim(text[at : following.start()])
            at = following.start()
            continue
        arguments[key["key"]] = _trim(text[at:end])
        at = end + len("</arg_value>")
    unquoted = _all_json(arguments)
    if unquoted is not None:
        arguments, repaired = unquoted, repaired or len(unquoted) == 1
    tail = re.compile(r"\s*</(?:tool_call|user)>").match(text, at)
    rest = text[at:].strip()
    cut = cut or (tail is None and rest.startswith("<arg"))
    return Read(
        Candidate(head["name"], arguments, repaired=repaired or tail is None, cut=cut),
        tail.end() if tail else at,
    )


def _all_json(arguments: dict[str, str]) -> dict[str, str] | None:
    """The values without their quotes, where every one is written as a JSON string (HyperCLOVAX).

    One value alone may as well be a text that stands in quotes.
    """
    values: dict[str, str] = {}
    for key, text in arguments.items():
        try:
            value = json.loads(text)
        except ValueError:
            return None
        if not isinstance(value, str):
            return None
        values[key] = value
    return values or None


def read_element(text: str, start: int, tools: Collection[str]) -> Read | None:
    """`<read_file><path>x</path></read_file>`: the tag is the tool's name."""
    head = _ELEMENT.match(text, start)
    if head is None or head["name"] not in tools:
        return None
    if head["self"]:
        return Read(Candidate(head["name"], {}), head.end())
    at = head.end()
    closing = f"</{head['name']}>"
    body = re.compile(r"\s*(?=\{)").match(text, at)
    if body:
        return _json_body(text, body.end(), head["name"])
    arguments: dict[str, str] = {}
    while True:
        gap = re.compile(r"\s*").match(text, at)
        at = gap.end() if gap else at
        if text.startswith(closing, at):
            return Read(Candidate(head["name"], arguments), at + len(closing))
        child = _ELEMENT.match(text, at)
        if child is None:
            if not arguments and text[at:].strip():
                return None
            cut = not text[at:].strip() or text[at:].startswith("<")
            return Read(Candidate(head["name"], arguments, repaired=True, cut=cut), at)
        end_tag = f"</{child['name']}>"
        end = text.find(end_tag, child.end())
        if end == -1:
            return Read(Candidate(head["name"], arguments, cut=True), len(text))
        # the last closing tag before the call's own end: a value may hold its own name as a tag
        stop = text.find(closing, end)
        after = end + len(end_tag)
        rest = text[after:stop].strip() if stop != -1 else ""
        if stop != -1 and rest and not rest.startswith("<"):
            end = text.rfind(end_tag, child.end(), stop)
            after = end + len(end_tag)
        arguments[child["name"]] = _trim(text[child.end() : end])
        at = after


def _trim(value: str) -> str:
    """One newline at each side belongs to the format (Qwen3-Coder's template), the rest does not."""  # noqa: E501
    value = value.removeprefix("\r\n").removeprefix("\n")
    value = value.removesuffix("\n").removesuffix("\r")
    bare = value.strip()
    if bare.startswith("<![CDATA[") and bare.endswith("]]>"):
        return bare[9:-3]
    if "<" not in value and re.search(r"&(?:lt|gt|amp|quot|#39|apos);", value):
        return html.unescape(value)
    return value
