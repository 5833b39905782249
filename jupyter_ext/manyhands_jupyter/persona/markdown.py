"""What a chat may render: Markdown in which nothing loads by itself, with formulas as JupyterLab
knows them.

JupyterLab's sanitizer lets pictures of other sites through, as Markdown and as HTML. A text from
outside could have a model write one whose address tells what is in the context, and the browser
would send it. So pictures, HTML and link definitions are taken apart; links stay, a person clicks.
"""

from __future__ import annotations

import re

__all__ = ["chat_markdown", "fenced"]

_FENCE = re.compile(r"^([ \t]*(?:(?:[-*+]|\d{1,9}[.)])[ \t]+)?)(`{3,}(?=[^`]*$)|~{3,})(.*)$")
_LANGUAGE = re.compile(r"\s*([\w+#.-]*)")
#: A line of plain words and `code`: every parser finds the same code in it. Where something binds
#: as tightly (a link, a formula, an address, a table), code is taken apart like the rest.
_PLAIN = re.compile(
    r"""[ \t]*(?:(?:[-*+]|\d{1,9}[.)])[ \t]+)?
    (?:[\w \t.,;:'"()?/%+=-]*(?:(?<=[ \t])|(?<![^\n]))`[^`|$\\]+`)*
    [\w \t.,;:'"()?/%+=-]*""",
    re.X,
)
_CODE = re.compile(r"(`[^`]+`)")
#: Code, formulas, escaped signs and dollars, in the order in which one takes the other's place.
#: A `$` opens a formula before anything but a space, and closes it behind anything but a space
#: and before anything but a digit (Pandoc's `tex_math_dollars`); no formula holds an empty line.
_MARKS = re.compile(
    r"""(?P<code>(?<!`)(?P<ticks>`+)(?!`)(?:(?!\n[ \t]*\n).)+?(?<!`)(?P=ticks)(?!`))
    | \\\( (?P<inline> (?:(?!\\[()])[^\n])+ ) \\\)
    | \\\[ (?P<display> (?:(?!\\[\[\]]).)+ ) \\\]
    | (?P<formula> \$\$ (?:(?!\n[ \t]*\n)[^$\\]|\\.)+ \$\$
        | \$(?![\s$]) (?:(?!\n[ \t]*\n)[^$`\\]|\\.)* (?<!\s)\$(?![\d$]) )
    | (?P<kept> \\\\\$ | \\[^$] )
    | \\?\$""",
    re.X | re.S,
)
_TAKEN_APART = (
    (re.compile(r"<(?=[A-Za-z/!?])"), "< "),  # a tag; in a formula `a< b` is the same
    (re.compile(r"!(?=\[)"), "! "),  # a picture
    (re.compile(r"(?<=\]):"), " :"),  # where a link or picture is defined
    (re.compile(r"^([\s>*+\d.)-]*)(?=```|~~~)"), r"\1\\"),  # a code block inside a quotation
)


def chat_markdown(text: str) -> str:
    r"""The text with all that a page would load taken apart, code blocks left as they are.

    The code blocks are written anew at the line's beginning, so that this and every other parser
    see the same ones. `\(…\)` and `\[…\]` become `$…$` and `$$…$$`; a `$` of no formula is escaped
    for Markdown and once more for MathJax, which would set what stands between two prices.
    """
    parts: list[str] = []
    lines: list[str] = []
    fence, indent, language = "", 0, ""
    for line in text.split("\n"):
        found = _FENCE.match(line)
        if not fence and found is not None:
            parts.append(_prose([*lines, found[1]]))
            lines, fence, indent = [], found[2], len(found[1])
            language = _LANGUAGE.match(found[3])[1]  # type: ignore[index]
        elif fence and found is not None and found[2].startswith(fence) and not found[3].strip():
            parts.append(fenced("\n".join(lines), language))
            lines, fence = [], ""
        else:
            lines.append(line[min(indent, len(line) - len(line.lstrip())) :] if fence else line)
    parts.append(fenced("\n".join(lines), language) if fence else _prose(lines))
    return "\n\n".join(part for part in parts if part)


def fenced(text: str, language: str = "") -> str:
    """A code block that nothing in the text can end."""
    longest = max((len(run) for run in re.findall(r"`+", text)), default=0)
    ticks = "`" * max(3, longest + 1)
    return f"{ticks}{language}\n{text}\n{ticks}"


def _prose(lines: list[str]) -> str:
    text = _MARKS.sub(_marked, "\n".join(lines).rstrip())
    told: list[str] = []
    plain = True  # so far all code of this paragraph begins and ends in one line
    for line in text.split("\n"):
        plain = (plain or not line.strip()) and _PLAIN.fullmatch(line) is not None
        pieces = _CODE.split(line) if plain else [line]
        told.append("".join(part if at % 2 else _apart(part) for at, part in enumerate(pieces)))
    return "\n".join(told).strip("\n")


def _marked(found: re.Match[str]) -> str:
    if found["inline"]:
        return f"${found['inline']}$"
    if found["display"]:
        return f"$${found['display']}$$"
    return found["code"] or found["formula"] or found["kept"] or r"\\$"


def _apart(text: str) -> str:
    for pattern, instead in _TAKEN_APART:
        text = pattern.sub(instead, text)
    return text
