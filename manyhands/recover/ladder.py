"""The ladder: one message in; a call, a retry with its reason, or text out; nothing silently lost."""  # noqa: E501

from __future__ import annotations

import html
import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from manyhands.recover.blocks import whole_fence
from manyhands.recover.channel import split_thinking
from manyhands.recover.done import (
    announces,
    documents,
    hints_at_documents,
    intends,
    quoted_payload,
    repeats,
)
from manyhands.recover.envelopes.bare import find_react, read_last_object, read_whole
from manyhands.recover.envelopes.marked import Found, find_marked, has_mark, read_item, strange_mark
from manyhands.recover.envelopes.objects import calls_in
from manyhands.recover.envelopes.pythonic import read_pythonic
from manyhands.recover.envelopes.spelling import plain_marks
from manyhands.recover.envelopes.tagged import read_function
from manyhands.recover.gate import Passed, admit
from manyhands.recover.jsonish import How, parse_json
from manyhands.recover.schema import acts, match_name
from manyhands.recover.types import Candidate, JSONSchema, Kind, Outcome, Reason, SentMessage

__all__ = ["recover"]

_RAW = re.compile(
    r"raw\s*[=:]\s*(?P<q>['\"`]?)(?P<raw>.*?)(?P=q)\s*,?\s*(?:err(?:or)?\s*[=:].*)?\Z",
    re.DOTALL | re.I,
)
_PARSE_ERROR = re.compile(
    r"pars(?:e|ing)|invalid character|unexpected end of JSON|XML syntax|tool[ _]call|unmarshal|harmony",  # noqa: E501
    re.I,
)
_QUOTING = frozenset(
    {"python", "py", "bash", "sh", "javascript", "js", "typescript", "diff", "markdown", "md"}
)
_QUOTE_TAG = re.compile(r"&lt;(?:tool_call|function)|\A\s*\{\s*&quot;")


def recover(message: SentMessage, tools: Mapping[str, JSONSchema]) -> Outcome:
    """Climbs the rungs in order: transport, done reason, channel, envelope, JSON, schema, gate."""
    limited = message.done_reason == "length"
    if message.error:
        return _from_error(message, tools)
    thought = split_thinking(message.content.replace("\r\n", "\n"))
    text = thought.answer.replace("\x00", "")
    thinking = "\n".join(part for part in (message.thinking.strip(), thought.thinking) if part)
    if message.tool_calls:
        return _structured(message, tools, text)
    if not text.strip():
        return _silent(thinking, tools, limited)
    fences = whole_fence(text)
    if fences and not any(block.text.strip() for block in fences) and not limited:
        return _retry(Reason.EMPTY, text=text)
    if repeats(text, cut=limited):
        return _retry(Reason.DEGENERATE_REPETITION, text=text)
    found, notes = _envelope(text, tools)
    if found is not None and found.candidates:
        passed = admit(found.candidates, tools, limited=limited)
        return _outcome(passed, text, (*notes, *passed.notes))
    if found is not None and found.broken:
        reason = Reason.TRUNCATED if limited or found.cut else Reason.MALFORMED_CALL
        return _retry(reason, text=text, notes=notes)
    if "quoted_intent" in notes:
        return _retry(Reason.ANNOUNCED_NO_CALL, text=text, notes=notes)
    if limited:
        return _retry(Reason.TRUNCATED, text=text, notes=notes)
    cut = _cut_object(text, tools)
    if cut is not None:
        return _retry(cut, text=text, notes=notes)
    if tools and announces(text, tools):
        return _retry(Reason.ANNOUNCED_NO_CALL, text=text)
    if tools and thinking and _ends_in_call(thinking, tools):
        return _retry(Reason.CALL_IN_THINKING, text=text)
    if not notes and _strange(text, tools):
        return _retry(Reason.MALFORMED_CALL, text=text, notes=("unknown_mark",))
    return Outcome(Kind.TEXT, notes=notes, text=text)


def _strange(text: str, tools: Mapping[str, JSONSchema]) -> bool:
    """A call in marks that nobody has told us of is asked for again, not taken for an answer."""
    at = strange_mark(text, tools)
    if at is None or whole_fence(text) or _shown(text, at):
        return False
    before, after = text[:at].strip(), text[at:].strip()
    hinted = before and (hints_at_documents(before) or documents(before, after))
    return not hinted or intends(before)


def _retry(
    reason: Reason, *, text: str = "", notes: tuple[str, ...] = (), detail: str = ""
) -> Outcome:
    return Outcome(Kind.RETRY, reason=reason, text=text, notes=notes, detail=detail)


def _outcome(passed: Passed, text: str, notes: tuple[str, ...]) -> Outcome:
    if passed.reason is not None or not passed.calls:
        reason = passed.reason or Reason.MALFORMED_CALL
        return _retry(reason, text=text, notes=notes, detail=passed.detail)
    return Outcome(Kind.CALL, passed.calls, None, passed.repaired, notes, text)


def _from_error(message: SentMessage, tools: Mapping[str, JSONSchema]) -> Outcome:
    """A failed request whose body quotes what the model wrote: read that, or ask again."""
    error = message.error or ""
    if error.lstrip().startswith("{"):
        body, _ = parse_json(error)
        told = body.get("error") if isinstance(body, Mapping) else None
        told = told.get("message") if isinstance(told, Mapping) else told
        error = told if isinstance(told, str) else error
    raw = _RAW.search(error)
    quoted = raw["raw"].strip() if raw else ""
    fenced = whole_fence(quoted)
    body = fenced[0].text.strip() if len(fenced) == 1 else quoted
    if body:
        found, notes = _envelope(body, tools)
        candidates = list(found.candidates) if found else []
        if not candidates and body[:1] in "{[":
            value, how = parse_json(body)
            inner = calls_in(value, tools, marked=False)
            if not inner and isinstance(value, list) and len(value) == 1:
                value = value[0]
            if not inner and isinstance(value, Mapping):
                inner = [Candidate(None, value)]
            candidates = [replace(c, repaired=c.repaired or how.lossy) for c in inner]
        if candidates and not any(c.cut for c in candidates):
            passed = admit(candidates, tools, limited=False)
            if passed.calls:
                return _outcome(passed, "", ("server_error_text", *notes, *passed.notes))
            if passed.reason in (
                Reason.UNSAFE_REPAIR,
                Reason.UNKNOWN_TOOL,
                Reason.MISSING_REQUIRED,
            ):
                return _outcome(passed, "", ("server_error_text", *notes, *passed.notes))
    if _PARSE_ERROR.search(error):
        return _retry(Reason.SERVER_PARSE_ERROR, notes=("server_error_text",))
    return _retry(Reason.SERVER_ERROR, notes=("server_error_text",))


def _silent(thinking: str, tools: Mapping[str, JSONSchema], limited: bool) -> Outcome:
    """Nothing was said outside the thinking."""
    if not thinking:
        return _retry(Reason.TRUNCATED if limited else Reason.EMPTY)
    if repeats(thinking, cut=limited):
        return _retry(Reason.DEGENERATE_REPETITION)
    thinking = plain_marks(thinking)
    found = find_marked(thinking, tools) or find_react(thinking, tools)
    spelled = found or read_last_object(thinking, tools) or read_whole(thinking, tools)
    if spelled is not None and spelled.candidates and not all(c.cut for c in spelled.candidates):
        return _retry(Reason.CALL_IN_THINKING)
    if _ends_in_python(thinking, tools):
        return _retry(Reason.CALL_IN_THINKING)
    if limited:
        return _retry(Reason.BUDGET_SPENT_THINKING)
    fences = re.search(r"```+\w*\s*(\{.*?\})\s*```", thinking, re.DOTALL)
    if fences and calls_in(parse_json(fences[1])[0], tools, marked=False):
        return _retry(Reason.CALL_IN_THINKING)
    return _retry(Reason.ANSWER_IN_THINKING)


def _ends_in_python(thinking: str, tools: Mapping[str, JSONSchema]) -> bool:
    """Whether the thinking ends with `read_file(path="x")`, read as a call that would be whole."""
    body = thinking.rstrip().rstrip(".`")
    for name in tools:
        at = body.rfind(f"{name}(")
        called = read_pythonic(body, at, tools) if at != -1 else None
        if called and called[1] == len(body) and any(c.arguments for c in called[0]):
            return True
    return False


def _ends_in_call(thinking: str, tools: Mapping[str, JSONSchema]) -> bool:
    found = find_marked(thinking, tools)
    return bool(found and found.candidates and not thinking[found.end :].strip())


def _structured(message: SentMessage, tools: Mapping[str, JSONSchema], text: str) -> Outcome:
    """The server's own `tool_calls`; what the content says beside them is not read as a call."""
    candidates: list[Candidate] = []
    limited = message.done_reason == "length"
    for entry in message.tool_calls:
        function: Any = entry.get("function", entry) if isinstance(entry, Mapping) else entry
        if isinstance(function, str) and isinstance(entry, Mapping):
            function = {**entry, "name": function}
        if not isinstance(function, Mapping) or not isinstance(function.get("name"), str):
            inner = calls_in(function, tools, marked=True)
            if not inner and isinstance(function, Mapping):
                inner = [Candidate(None, function.get("arguments"))]
            candidates += inner
            continue
        name = function["name"].strip()
        whole = _call_as_name(name, tools)
        if whole:
            candidates += whole
            continue
        arguments = function.get("arguments", function.get("parameters", function.get("input")))
        candidates += _merged(name, arguments, tools) or [Candidate(name, arguments)]
    if limited and candidates:
        last = candidates[-1]
        known = match_name(last.name or "", tools)
        if known and acts(tools[known]):
            candidates[-1] = replace(last, cut=True)
    passed = admit(candidates, tools, limited=limited)
    return _outcome(passed, text, ("structured", *passed.notes))


def _call_as_name(name: str, tools: Mapping[str, JSONSchema]) -> list[Candidate]:
    """A server that took the whole call for the tool's name."""
    if name.startswith("{"):
        value, _ = parse_json(name)
        inner = calls_in(value, tools, marked=True)
    elif "<parameter=" in name:
        read = read_function(f"<function={name.replace(chr(10), '>', 1)}", 0)
        inner = [read.candidate] if read else []
    elif re.match(r"[\w.]+\(.*\)\s*\Z", name, re.DOTALL):
        called = read_pythonic(name, 0, tools)
        inner = called[0] if called and any(c.arguments for c in called[0]) else []
    else:
        return []
    return [replace(candidate, repaired=True) for candidate in inner]


def _merged(name: str, arguments: Any, tools: Mapping[str, JSONSchema]) -> list[Candidate]:
    """Several calls glued into one by a server that gave them the same index."""
    if not isinstance(arguments, str):
        return []
    value, how = parse_json(arguments)
    if how is not How.GLUED or not isinstance(value, list):
        return []
    if match_name(name, tools) is not None:
        return [Candidate(name, item) for item in [one for one in value if one] or value[:1]]
    names: list[str] = []
    rest = name
    while rest:
        head = next((t for t in sorted(tools, key=len, reverse=True) if rest.startswith(t)), None)
        if head is None:
            return []
        names.append(head)
        rest = rest[len(head) :]
    if len(names) != len(value):
        return []
    return [Candidate(n, item) for n, item in zip(names, value, strict=True)]


def _envelope(text: str, tools: Mapping[str, JSONSchema]) -> tuple[Found | None, tuple[str, ...]]:
    """What is wrapped in the text, if it is meant as a call and not shown as an example."""
    text = plain_marks(text)
    body = re.sub(r"\A(?:(?:<\|(?:assistant|im_start)\|>(?:assistant)?|assistant:)\s*)+", "", text)
    notes: tuple[str, ...] = ()
    blocks = whole_fence(text)
    if blocks:
        if any(block.lang in _QUOTING for block in blocks):
            return None, ()
        body, notes = "\n".join(block.text for block in blocks).strip(), ("whole_fence",)
    elif _QUOTE_TAG.search(text) and not has_mark(text):
        body, notes = html.unescape(text), ("html_unescaped",)
    whole = read_whole(body, tools) if body[:1] not in "<" or not has_mark(body[:200]) else None
    found = whole or find_marked(body, tools) or find_react(body, tools) or read_whole(body, tools)
    terminal = False
    if found is None or not (found.candidates or found.broken):
        last = read_last_object(body, tools)
        terminal = last is not None
        found = last or found
    if found is None and body[:1] in ("{", "["):
        found = _leading(body, tools)
        if found is not None and any(_side(c, tools) for c in found.candidates):
            return None, ("quoted_intent",)
    if found is None:
        return None, _fenced_intent(text, tools)
    if "html_unescaped" in notes:
        found = replace(
            found, candidates=tuple(replace(c, repaired=True) for c in found.candidates)
        )
    before, after = body[: found.start].strip(), body[found.end :].strip()
    if _shown(body, found.start):
        return None, ("shown",)
    if found.candidates and all(quoted_payload(c.arguments) for c in found.candidates):
        return None, ("placeholder",)
    if before and documents(before, after):
        return None, ("documentation",)
    if before and hints_at_documents(before) and not intends(before):
        if after or not has_mark(body[found.start : found.start + 200]):
            return None, ("documentation",)
        if any(_side(candidate, tools) for candidate in found.candidates):
            return None, ("quoted_intent",)
    named_last = after in tools  # the text ends with a call's name: it was cut there
    if found.broken and before and after and not named_last and not intends(before):
        return None, ("mention",)
    if (
        terminal
        and before
        and not intends(before)
        and any(_side(c, tools) for c in found.candidates)
    ):
        return None, ("quoted_intent",)
    if after:
        notes = (*notes, "text_after_call_dropped")
    return found, notes


_SHOWING = ("example", "tool_response", "document", "quote", "blockquote", "code", "pre", "!--")


def _shown(text: str, at: int) -> bool:
    """Whether offset `at` lies in something that shows text: a table row, a comment, an example."""
    line = text[text.rfind("\n", 0, at) + 1 : at]
    if re.match(r"\s*\|\s", line):
        return True
    for name in _SHOWING:
        opened = text.rfind(f"<{name}", 0, at + 1)
        closing = "-->" if name == "!--" else f"</{name}>"
        if opened != -1 and closing not in text[opened:at]:
            return True
    return False


def _leading(body: str, tools: Mapping[str, JSONSchema]) -> Found | None:
    """A call that opens the message, with prose after it that does not call it an example."""
    item = read_item(body, 0, tools, marked=False)
    if item is None or documents("", body[item[1] :]):
        return None
    return Found(tuple(item[0]), 0, item[1])


def _side(candidate: Candidate, tools: Mapping[str, JSONSchema]) -> bool:
    known = match_name(candidate.name or "", tools)
    return known is None or acts(tools[known])


def _fenced_intent(text: str, tools: Mapping[str, JSONSchema]) -> tuple[str, ...]:
    """A call in a fence at the end, announced in the first person: ask again, do not run it."""
    from manyhands.recover.blocks import fenced_blocks

    blocks = [b for b in fenced_blocks(text) if b.fenced]
    if len(blocks) != 1 or text[blocks[0].end :].strip():
        return ()
    before = text[: blocks[0].start].strip()
    if not before or not intends(before) or documents(before, ""):
        return ()
    found = read_whole(blocks[0].text.strip(), tools) or find_marked(blocks[0].text, tools)
    return ("quoted_intent",) if found and found.candidates else ()


def _cut_object(text: str, tools: Mapping[str, JSONSchema]) -> Reason | None:
    """A message that starts as a call's JSON and cannot be read: cut, or broken beyond repair."""
    blocks = whole_fence(text)
    body = blocks[0].text.strip() if len(blocks) == 1 else text.strip()
    if body[:1] not in ("{", "["):
        return None
    value, how = parse_json(body)
    if how is How.CUT:
        return Reason.TRUNCATED
    names = re.search(
        r"[\"'](?:name|tool|function|action)[\"']\s*:\s*[\"']([^\"'\n]{1,100})[\"']", body[:400]
    )
    if value is None and names and match_name(names[1], tools):
        return Reason.MALFORMED_CALL
    return None
