"""Which part of a message is thinking and which is the answer."""

from __future__ import annotations

import re
from dataclasses import dataclass

from manyhands.recover.jsonish import parse_at

__all__ = ["Thought", "split_thinking"]

_NAMES = r"(?:think|thinking|thought|reasoning|reflection|scratchpad|seed:think|think_never_used_[0-9a-f]{4,})"  # noqa: E501
_OPEN = re.compile(
    rf"<(?P<tag>{_NAMES})>|(?P<b>\[THINK\])|(?P<t>◁think▷)|(?P<s><\|START_THINKING\|>)"
    r"|(?P<g><\|channel>thought\b)|(?P<m><\|begin_of_thought\|>)"
    r"|(?P<o><\|think:start\|>)|(?P<p><\|plamo:begin_think:plamo\|>)",
    re.IGNORECASE,
)
_CLOSE = re.compile(
    rf"</(?:{_NAMES})>|\[/THINK\]|<channel\|>|◁/think▷|<\|END_THINKING\|>|<\|end_of_thought\|>"
    r"|<\|think:end\|>|<\|plamo:end_think:plamo\|>",
    re.I,
)
_CHANNEL = re.compile(
    r"(?:<\|start\|>)?(?:assistant)?<\|channel\|>\s*analysis(?![^<]*\bto=)[^<]*<\|message\|>(?P<body>.*?)"
    r"(?:<\|end\|>|(?=<\|start\|>|<\|channel\|>)|\Z)",
    re.DOTALL,
)
_FINAL = re.compile(
    r"(?:<\|start\|>)?(?:assistant)?<\|channel\|>\s*final\s*(?:<\|constrain\|>\s*\w+\s*)?<\|message\|>"
)
_TAIL = re.compile(
    r"(?:\s|<\|(?:end|return|im_end|eot_id|endoftext|end_of_turn)\|>|<｜end▁of▁sentence｜>|</s>|<eos>"
    r"|<end_of_turn>|\x00|\ufeff|\u200b)+\Z"
)
_INVISIBLE = re.compile("[\ufeff\u200b\u2060]")


@dataclass(frozen=True)
class Thought:
    """`thinking` and `answer` of one content; `open` when the thinking never ended."""

    thinking: str
    answer: str
    open: bool = False


def split_thinking(content: str) -> Thought:
    """Separates thinking that leaked into the content.

    An opening mark counts at the start of the message or of a line; a closing mark without an
    opener makes everything before it thinking (the template had written the opener), unless the
    message starts as JSON or the mark stands inside a tool call's own envelope.
    """
    thoughts: list[str] = []
    text = content

    def analysis(found: re.Match[str]) -> str:
        thoughts.append(found["body"])
        return ""

    if "<|channel|>" in text:
        text = _FINAL.sub("", _CHANNEL.sub(analysis, text))
    unclosed = False
    kept: list[str] = []
    at = 0
    bare = text.lstrip().lstrip("\ufeff\x00\u200b")
    if bare[:1] not in ("{", "[") or bare.startswith("[THINK]"):
        while True:
            opener = _next_opener(text, at)
            closer = _CLOSE.search(text, at)
            if closer and (opener is None or closer.start() < opener.start()):
                if at or _in_call(text, closer.start()) or _quoted(text, closer.start()):
                    if opener is None:
                        break
                else:
                    thoughts.append(text[at : closer.start()])
                    at = closer.end()
                    continue
            if opener is None:
                break
            kept.append(text[at : opener.start()])
            end = _CLOSE.search(text, opener.end())
            if end is None:
                thoughts.append(text[opener.end() :])
                at, unclosed = len(text), True
                break
            thoughts.append(text[opener.end() : end.start()])
            at = end.end()
            following = _CLOSE.match(
                text, at + len(text[at : at + 8]) - len(text[at : at + 8].lstrip())
            )
            at = following.end() if following else at
    kept.append(text[at:])
    answer = _TAIL.sub("", "".join(kept)).lstrip("\ufeff\x00\u200b \t\r\n")
    return Thought("\n".join(part.strip() for part in thoughts if part.strip()), answer, unclosed)


def _next_opener(text: str, at: int) -> re.Match[str] | None:
    for found in _OPEN.finditer(text, at):
        line = text[text.rfind("\n", 0, found.start()) + 1 : found.start()]
        if not _INVISIBLE.sub("", line).strip("\x00 \t") or found.start() == at:
            if not _in_call(text, found.start()):
                return found
        elif (
            not _quoted(text, found.start())
            and "`" not in line
            and line.rstrip().endswith((">", "."))
        ):
            return found
    return None


def _quoted(text: str, at: int) -> bool:
    line = text[text.rfind("\n", 0, at) + 1 : at]
    return line.count("`") % 2 == 1 or text[max(0, at - 1) : at] in ('"', "'", "`")


def _in_call(text: str, at: int) -> bool:
    """Whether a call's envelope is open at `at`."""
    for opener, closer in (("<tool_call>", "</tool_call>"), ("<function=", "</function>")):
        last = text.rfind(opener, 0, at)
        if last != -1 and text.find(closer, last, at) == -1 and text.find(closer, at) != -1:
            return True
    return _in_json(text, at)


def _in_json(text: str, at: int) -> bool:
    """Whether `at` lies inside the first JSON document of the text: in one of its strings."""
    start = re.compile(r"[{\[]\s*[{\"]").search(text, 0, at)
    return start is not None and parse_at(text, start.start(), repair=False).end > at
