"""Code blocks in model prose: closed, unclosed, nested, or a whole message that is bare code."""

from __future__ import annotations

import ast
import re
from dataclasses import dataclass

__all__ = ["Block", "fence_at", "fenced_blocks", "whole_fence"]

_FENCE = re.compile(r"^[ \t]{0,8}(?P<mark>`{3,}|~{3,})[ \t]*(?P<info>[^\n`]*)$", re.MULTILINE)
_NESTING = frozenset({"markdown", "md", "text", "rst"})


@dataclass(frozen=True)
class Block:
    """A block of code: `lang` in lower case ('' when not said), `start`/`end` in the message.

    `closed` is False when the closing fence is missing; `fenced` is False when the whole
    message was judged to be code by its look alone.
    """

    lang: str
    text: str
    closed: bool = True
    fenced: bool = True
    start: int = 0
    end: int = 0


def fenced_blocks(text: str) -> list[Block]:
    """Every outermost block in order; without any fence, the whole message if it is code."""
    blocks = _fences(text.replace("\r\n", "\n"))
    if not blocks:
        bare = text.strip()
        if bare and _is_code(bare):
            return [Block("", bare + "\n", closed=True, fenced=False, end=len(text))]
    return blocks


def _fences(text: str) -> list[Block]:
    blocks: list[Block] = []
    opened: re.Match[str] | None = None
    lang = ""
    depth = 0
    for found in _FENCE.finditer(text):
        mark, info = found["mark"], found["info"].strip()
        if opened is None:
            opened, depth = found, 0
            word = re.match(r"\{?\.?([\w+#.-]*)", info)
            lang = word[1].lower() if word else ""
            continue
        same = mark[0] == opened["mark"][0] and len(mark) >= len(opened["mark"])
        if not same:
            continue
        if info:
            depth += 1 if lang in _NESTING or lang == "" else 0
            continue
        if depth:
            depth -= 1
            continue
        blocks.append(
            Block(
                lang,
                text[opened.end() + 1 : found.start()],
                True,
                True,
                opened.start(),
                found.end(),
            )
        )
        opened = None
    if opened is not None:
        blocks.append(Block(lang, text[opened.end() + 1 :], False, True, opened.start(), len(text)))
    return blocks


def whole_fence(text: str) -> list[Block]:
    """The blocks of a message that is nothing but fences; empty when any prose stands outside."""
    if not text.lstrip().startswith(("```", "~~~")):
        return []
    body = text.strip()
    single = re.match(r"(`{3,}|~{3,})([\w+-]*)[ \t]+?([{\[].*?)\s*\1\s*\Z", body, re.DOTALL)
    if single and "\n" not in body:
        return [Block(single[2].lower(), single[3], True, True, 0, len(text))]
    blocks = _fences(body)
    at = 0
    for block in blocks:
        if body[at : block.start].strip():
            return []
        at = block.end
    return [] if body[at:].strip() else blocks


def fence_at(text: str, at: int) -> bool:
    """Whether offset `at` lies inside a fence or on a line that quotes it as inline code."""
    mark = ""
    for found in _FENCE.finditer(text, 0, at):
        if found.end() >= at and not text[found.start() : at].endswith("\n"):
            break
        if not mark:
            mark = found["mark"]
        elif found["mark"].startswith(mark[0]) and not found["info"].strip():
            mark = ""
    line = text[text.rfind("\n", 0, at) + 1 : at]
    return bool(mark) or line.count("`") % 2 == 1 or line.lstrip().startswith(">")


def _is_code(text: str) -> bool:
    """Code by its look: it parses as Python and its first line is a statement, not a sentence."""
    first = text.split("\n", 1)[0]
    if re.match(r"(#include\b|#!/|SELECT\b|<\?xml|<!DOCTYPE|package \w+$)", first):
        return True
    if not re.search(
        r"^\s*(import |from \S+ import |def |class |async def |for .+:|if .+:|while .+:|with .+:"
        r"|try:|@\w|print\(|assert |\w[\w.\[\]'\"]*\s*(?:[-+*/]?=)[^=])",
        text,
        re.MULTILINE,
    ):
        return False
    try:
        tree = ast.parse(text)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return False
    return bool(tree.body)
