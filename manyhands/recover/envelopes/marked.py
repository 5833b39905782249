"""Calls behind unambiguous marks, of any model family: finds the mark, reads what follows it."""

from __future__ import annotations

import html
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace

from manyhands.recover.blocks import fence_at
from manyhands.recover.envelopes.objects import calls_in
from manyhands.recover.envelopes.pythonic import read_pythonic
from manyhands.recover.envelopes.tagged import read_element, read_function, read_key_values
from manyhands.recover.jsonish import How, parse_at, parse_json
from manyhands.recover.schema import match_name
from manyhands.recover.types import Candidate, JSONSchema

__all__ = ["Found", "find_marked", "has_mark", "read_item", "strange_mark"]

_TAGS = (
    r"(?:tool_calls?|toolcalls?|function_calls?|tool_use|use_mcp_tool|tools|tool_code|action"
    r"|longcat_tool_call)"
)
_OPEN = re.compile(
    rf"<(?:[\w-]+:)?{_TAGS}(?:\s[^<>\n]{{0,200}})?>"
    rf"|<[|｜]+(?:{_TAGS}|tool_call_start|tool_calls?_section_begin|tool_calls?_begin|tool_list_start"
    r"|tool▁calls▁begin|tool▁call▁begin|python_tag|START_ACTION|action_start|FunctionCallBegin"
    r"|plugin|tools_prefix|python_start|content_invoke_tool_json)[|｜]?>"
    r"|<start_function_call>|\[TOOL_CALLS?\]|\[TOOL_REQUEST\]|\[tool_calls?\]|<TOOLCALL>"
    r"|(?<!\w)functools(?=\[\s*\{)"
    r"|<(?:[|｜]*DSML[|｜]*)?(?:function\s*=|invoke\s+name\s*=|function\s+name\s*=|tool\s+name\s*=)"
    r"|<\|channel\|>\s*(?:commentary|analysis)\s+to=|<\|start\|>assistant\s+to="
    r"|(?:^|(?<=>)|(?<=assistant))(?:commentary|analysis)?\s?to=functions\."
    r"|(?:^|(?<=assistant))(?:commentary|analysis)\s?to=[\w.]{1,80}\s*(?:json|code)?\s*(?=\{)"
    r"|<(?:function|tool_use)>\s*<name>|^>>>(?=[A-Za-z_][\w.]*\s*\{)|<user>(?=\s*[\w.]+\s*<arg_key>)",
    re.IGNORECASE | re.MULTILINE,
)
_BARE = re.compile(
    r"<(?:[|｜]*DSML[|｜]*)?(?:function|invoke|tool)(?:\s*=|\s+name)|<(?:function|tool_use|use_mcp_tool)>\s*<(?:name|tool_name|server_name)>"
    r"|(?:commentary|analysis)?\s?to=|<\|channel\|>|<\|start\|>",
    re.I,
)
_CLOSE = re.compile(
    rf"</(?:[\w-]+:)?{_TAGS}>|</(?:function|invoke|arguments)>|<[|｜]*/?(?:end_of_)?{_TAGS}[|｜]+>"
    r"|<[|｜](?:tool_call_end|tool_calls?_section_end|tool▁calls?▁end|END_ACTION|action_end|FunctionCallEnd"
    r"|end|call|eom_id|eot_id|eot|im_end|tool_list_end|tool_call_argument_end|tools_suffix|python_end"
    r"|end_message)[|｜]>|</user>"
    r"|<end_function_call>|\[/TOOL_CALLS?\]|\[END_TOOL_REQUEST\]|\[/tool_calls?\]|</s>"
    r"|</[|｜]*DSML[|｜]*\w+>",
    re.IGNORECASE,
)
_GLUE = (
    r"(?:\s|<[|｜][^<>\s]{1,40}[|｜]>|\[ARGS\]|\[args\]|\[CALL_ID\]\s*[\w-]+|```+\w*|~~~|:\d+"
    r"|\bcommentary\b|\bjson\b|\bcode\b|<args>|<arguments>|<parameters>|</name>|:)*"
)
_NAMED = re.compile(
    r"(?:function\s*<[|｜]tool[▁_]sep[|｜]>\s*|function\s+)?(?:<[|｜][^<>\s]{1,40}[|｜]>\s*)?(?:call\s*:\s*)?(?:<name>\s*)?"
    r"(?:<\|start\|>assistant\s+)?(?:<\|channel\|>\s*)?(?:commentary|analysis)?\s*(?:to=)?"
    rf"(?P<name>[A-Za-z_][\w.\-/]{{0,200}}){_GLUE}(?=[{{\[])"
)
#: A harmony recipient whose message is no JSON: GPT-OSS sends its own `python` tool bare code.
_ROUTED = re.compile(
    r"(?:<\|start\|>assistant\s+)?(?:<\|channel\|>\s*)?(?:commentary|analysis)?\s*to="
    r"(?P<name>[A-Za-z_][\w.]{0,100})[^<\n]{0,20}<\|message\|>(?=\s*[^\s{\[])"
)
_GEMMA_NAME = re.compile(r"(?:<\|tool_call>)?\s*call\s*:\s*(?P<name>[\w.:-]{1,200})\s*(?=\{)")
_GEMMA_STRING = re.compile(r"<\|\"\|>(.*?)<\|\"\|>|<escape>(.*?)<escape>", re.DOTALL)
_KEY = re.compile(r"([{,]\s*)([A-Za-z_][\w-]*)\s*:")
_SPACE = re.compile(r"(?:\s|,|;|```+\w*(?=[\s<]|\Z))*")


#: A result that the model made up; what it calls for after that rests on it.
_INVENTED = re.compile(
    r"<tool_response>|<function_results?>|^Observation:|<\|im_start\|>(?:user|tool)|<\|start_header_id\|>",
    re.MULTILINE,
)


#: A mark of a family that nobody has told us of: it has a tool or a function in its name.
_STRANGE = re.compile(
    r"<[|｜]?[\w:|▁.-]{0,30}?(?:tool|function)(?:[\w:|▁.-]{0,30}|: ?\w{1,20})[|｜]?>", re.IGNORECASE
)
_NEAR = 120


@dataclass(frozen=True)
class Found:
    """Calls at [start, end) of the text; `broken` when a mark was followed by nothing readable."""

    candidates: tuple[Candidate, ...]
    start: int
    end: int
    broken: bool = False
    cut: bool = False


def has_mark(text: str) -> bool:
    """Whether any call mark stands in the text, quoted or not."""
    return _OPEN.search(text) is not None


def strange_mark(text: str, tools: Mapping[str, JSONSchema]) -> int | None:
    """Where an unknown family's mark stands that is not quoted, with a tool's name right behind."""
    for found in _STRANGE.finditer(text):
        before = text[max(0, found.start() - 1) : found.start()]
        if before in ('"', "'", "`", "“") or fence_at(text, found.start()):
            continue
        near = text[found.end() : found.end() + _NEAR]
        if any(word in tools for word in re.findall(r"[A-Za-z_][\w-]*", near)):
            return found.start()
    return None


def find_marked(text: str, tools: Mapping[str, JSONSchema]) -> Found | None:
    """The first run of calls behind a mark that is not quoted, with all that follow it."""
    at = 0
    broken: Found | None = None
    for _ in range(64):
        opener = _opener(text, at)
        if opener is None:
            return broken
        found = _run(text, opener.start(), tools)
        if found.candidates:
            return found
        broken = broken or found
        if found.cut:
            return found
        at = max(found.end, opener.end())
    return broken


def _opener(text: str, at: int) -> re.Match[str] | None:
    for count, found in enumerate(_OPEN.finditer(text, at)):
        if count > 64:
            return None
        before = text[max(0, found.start() - 1) : found.start()]
        if before not in ('"', "'", "`", "“") and not fence_at(text, found.start()):
            return found
    return None


def _run(text: str, start: int, tools: Mapping[str, JSONSchema]) -> Found:
    """Reads items from a mark on: marks, separators and closing marks between them are skipped."""
    calls: list[Candidate] = []
    at = start
    fresh = inside = False
    while at < len(text):
        space = _SPACE.match(text, at)
        at = space.end() if space else at
        opener = _OPEN.match(text, at)
        if opener and not _BARE.match(text, at):
            at, fresh, inside = opener.end(), True, True
            continue
        closer = _CLOSE.match(text, at)
        if closer:
            at, fresh, inside = closer.end(), False, False
            continue
        if calls and _INVENTED.match(text, at):
            break
        if calls and not fresh and not _BARE.match(text, at) and text[at : at + 1] not in "{[<":
            more = read_pythonic(text, at, tools) if inside else None
            if more is not None:
                calls.extend(more[0])
                at = more[1]
                continue
            following = _opener(text, at)
            if following is None or _INVENTED.search(text, at, following.start()):
                break
            at = following.start()
            continue
        item = read_item(text, at, tools, marked=True)
        if item is None:
            return Found(tuple(calls), start, at, broken=not calls, cut=_unfinished(text, at))
        calls.extend(item[0])
        at, fresh = item[1], False
    return Found(tuple(calls), start, at, broken=not calls, cut=not calls and fresh)


def _unfinished(text: str, at: int) -> bool:
    """The message ends within a few characters of a mark or a name: it was cut there."""
    rest = text[at:].strip()
    return len(rest.split()) < 3 and bool(re.fullmatch(r"<?/?[\w=.\-|｜▁:\s\"']{0,200}", rest))


def read_item(
    text: str, at: int, tools: Mapping[str, JSONSchema], *, marked: bool
) -> tuple[list[Candidate], int] | None:
    """The calls of one item at `at` and the offset after them; None when nothing readable is there."""  # noqa: E501
    char = text[at : at + 1]
    if char == "<":
        read = read_function(text, at) or read_element(text, at, tools)
        if read:
            return [read.candidate], read.end
    if char == "[" or char.isalpha() or char == "_":
        called = read_pythonic(text, at, tools)
        if called:
            return called
    if char in ("{", "["):
        return _json_item(text, at, tools, marked=marked)
    if char and (char.isalpha() or char in "_<"):
        pairs = read_key_values(text, at)
        if pairs:
            return [pairs.candidate], pairs.end
    gemma = _GEMMA_NAME.match(text, at)
    if gemma:
        return _gemma(text, gemma)
    named = _NAMED.match(text, at)
    if named and (marked or match_name(named["name"], tools)):
        stop = _CLOSE.search(text, named.end())
        parsed = parse_at(text, named.end(), stop=stop.start() if stop else None)
        if marked and named["name"] in ("json", "name"):
            return _json_item(text, named.end(), tools, marked=True)
        if parsed.how is How.FAILED:
            return None
        inner = calls_in(parsed.value, tools, marked=False) if named["name"] not in tools else []
        if inner:
            return inner, parsed.end
        candidate = Candidate(named["name"], parsed.value, parsed.how.lossy, parsed.how is How.CUT)
        return [candidate], parsed.end
    routed = _ROUTED.match(text, at)
    if marked and routed:
        stop = _CLOSE.search(text, routed.end())
        end = stop.start() if stop else len(text)
        return [Candidate(routed["name"], text[routed.end() : end], repaired=True)], end
    return None


def _json_item(
    text: str, at: int, tools: Mapping[str, JSONSchema], *, marked: bool
) -> tuple[list[Candidate], int] | None:
    stop = _CLOSE.search(text, at)
    if text.startswith(("{&quot;", "[{&quot;"), at):
        end = stop.start() if stop else len(text)
        value, _ = parse_json(html.unescape(text[at:end]))
        calls = calls_in(value, tools, marked=marked)
        return ([replace(c, repaired=True) for c in calls], end) if calls else None
    parsed = parse_at(text, at, stop=stop.start() if stop else None)
    if parsed.how is How.CUT:
        return ([Candidate(None, None, cut=True)], parsed.end) if marked else None
    if parsed.how is How.FAILED:
        return None
    calls = calls_in(parsed.value, tools, marked=marked)
    if not calls:
        if marked and isinstance(parsed.value, Mapping) and parsed.value:
            return [Candidate(None, parsed.value, parsed.how.lossy)], parsed.end
        return None
    return [replace(call, repaired=call.repaired or parsed.how.lossy) for call in calls], parsed.end


def _gemma(text: str, head: re.Match[str]) -> tuple[list[Candidate], int] | None:
    """`call:name{key:<|"|>text<|"|>,n:1}`: strings stand between their own marks."""
    import json

    strings: list[str] = []

    def hold(found: re.Match[str]) -> str:
        strings.append(found[1] if found[1] is not None else found[2])
        return f'"\x01{len(strings) - 1}\x01"'

    stop = _CLOSE.search(text, head.end())
    body = _GEMMA_STRING.sub(hold, text[head.end() : stop.start() if stop else len(text)])
    if '<|"|>' in body or "<escape>" in body:
        return [Candidate(head["name"], None, cut=True)], len(text)
    parsed = parse_at(_KEY.sub(r'\1"\2":', body) if strings or '"' not in body else body, 0)
    loose = False
    if parsed.how in (How.FAILED, How.CUT) or parsed.how.lossy:
        loose = True
        if parsed.how is How.CUT or not isinstance(parsed.value, Mapping):
            return [Candidate(head["name"], None, cut=True)], len(text)
    filled = re.sub(
        r'"\\u0001(\d+)\\u0001"', lambda m: json.dumps(strings[int(m[1])]), json.dumps(parsed.value)
    )
    end = stop.start() if stop else head.end() + len(text[head.end() :])
    return [Candidate(head["name"], json.loads(filled), repaired=loose)], end
