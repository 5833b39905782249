"""Marks that say the same are written alike before they are read: namespaces, suffixes, labels."""

from __future__ import annotations

import re

from manyhands.recover.jsonish import parse_at

__all__ = ["plain_marks"]

_WORDS = r"invoke|parameter|param|function_calls?|tool_calls?|function"
#: `<atem:invoke name=…>`, `<steptml:parameter …>` (Glimmer, Step-3); MiniMax's own stay as marks.
_NAMESPACE = re.compile(rf"<(/?)(?!minimax:)[A-Za-z][\w-]{{0,30}}:(?=(?:{_WORDS})\b)")
#: `<｜GCML｜invoke …>`, `<｜DSML｜parameter …>` (GigaChat, DeepSeek)
_BARRED = re.compile(
    rf"<(/?)[|｜]+[A-Z]{{2,8}}[|｜]+(?=(?:{_WORDS})\b)|<[|｜]+[A-Z]{{2,8}}[|｜]+/(?=\w)"
)
#: `<arg_key:opensource>` (Hunyuan)
_SUFFIX = re.compile(r"<(/?(?:tool_calls?|arg_key|arg_value|tool_sep|think)):[\w-]{1,30}(?=>)")
_SEPARATED = re.compile(r"(<tool_call>\s*[\w.]{1,80})\s*<tool_sep>")
_OTHER = re.compile(r"<(?:function|invoke|parameter|arg_key|arg_value)\b(?!:)")
_JSON = re.compile(r"[{\[]\s*[{\"]")
#: `<ifm|tool_call>` (K2 Horizon), `<dots_function_call>` (dots), `<longcat_arg_key>` (LongCat)
_PREFIX = re.compile(
    r"<(/?)(?:[a-z]{2,12}\||(?!start_|end_)[a-z]{2,12}_)"
    r"(?=(?:tool_calls?|function_calls?|arg_key|arg_value|arg_type)>)"
)
_TYPED = re.compile(r"<arg_type>[^<>\n]{0,40}</arg_type>")
#: `<|tool_arg:start|>path<|tool_arg:value|>x<|tool_arg:end|>` (Solar Open 2), the value as it is
_SOLAR = (
    ("<|tool_call:start|>", "<tool_call>"),
    ("<|tool_call:end|>", "</tool_call>"),
    ("<|tool_arg:start|>", "<arg_key>"),
    ("<|tool_arg:value|>", "</arg_key><arg_value>\n"),
    ("<|tool_arg:end|>", "\n</arg_value>"),
)
_PLAMO_CALL = re.compile(r"<\|plamo:(begin|end)_tool_request:plamo\|>")
_PLAMO_OTHER = re.compile(
    r"<\|plamo:(?:begin|end)_tool_\w{1,20}:plamo\|>|<\|plamo:constrain\|>json|<\|plamo:\w+\|>"
)
#: `<|recipient|>read_file<|content|>{…}` (Functionary v2); to `all` it speaks to the person
_RECIPIENT = re.compile(
    r"(?:<\|from\|>\s*assistant\s*)?<\|recipient\|>\s*(?P<to>[\w.-]{1,80})\s*<\|content\|>"
)
#: MiniMax-M3 puts this before every tag.
_MINIMAX = "]<]minimax[>["
_QWEN_AGENT = (("✿FUNCTION✿", "Action"), ("✿ARGS✿", "Action Input"), ("✿RESULT✿", "Observation"))
#: `to=read_file<|message|>` before a call that is spelled out after it.
_ROUTED = re.compile(r"\A\s*(?:<\|start\|>assistant)?\s*to=[\w.]{1,80}\s*<\|message\|>\s*(?=<)")
#: "Tool call:" or "**Tool Call:**" with nothing but a call after it.
_LABEL = re.compile(
    r"\A[\s*_#\[]{0,6}(?:tool|function)[ _-]?calls?\s*[*_\]]{0,3}\s*:\s*"
    r"[*_]{0,3}\s*(?=```|~~~|[{\[])",
    re.IGNORECASE,
)


def plain_marks(text: str) -> str:
    """The text with one spelling for each family of marks.

    What stands inside a JSON document is an argument's and stays as it is; so do tags of a family
    that another family's call holds as its value.
    """
    text = _LABEL.sub("", text)
    if "<" not in text and "✿" not in text:
        return text
    parts: list[str] = []
    at = 0
    for start in _JSON.finditer(text):
        if start.start() < at:
            continue
        end = parse_at(text, start.start(), repair=False).end
        if end > start.start():
            parts += [_plain(text[at : start.start()]), text[start.start() : end]]
            at = end
        if len(parts) > 64:
            break
    return "".join([*parts, _plain(text[at:])])


def _plain(text: str) -> str:
    text = text.replace(_MINIMAX, "")
    for flower, word in _QWEN_AGENT:
        text = text.replace(flower, word)
    if "<|plamo:" in text:
        opened = _PLAMO_CALL.sub(
            lambda m: "<tool_call>" if m[1] == "begin" else "</tool_call>", text
        )
        text = _PLAMO_OTHER.sub("", opened)
    for mark, plain in _SOLAR:
        text = text.replace(mark, plain)
    text = _RECIPIENT.sub(lambda m: "" if m["to"] == "all" else f"\n>>>{m['to']}\n", text)
    text = _TYPED.sub("", _PREFIX.sub(_same_mark, text))
    for family in (_NAMESPACE, _BARRED, _SUFFIX):
        found, other = family.search(text), _OTHER.search(text)
        if found and (other is None or found.start() < other.start()):
            text = family.sub(_same_mark, text)
    return _ROUTED.sub("", _SEPARATED.sub(r"\1\n", text))


def _same_mark(found: re.Match[str]) -> str:
    return f"<{found[1]}" if found[1] is not None else "</"
