"""No text in a chat makes the browser load anything, whoever wrote it; code stays as it is."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from helpers_sidebar import frame, open_chat
from hypothesis import given, settings
from hypothesis import strategies as st
from manyhands_jupyter.persona.markdown import chat_markdown
from markdown_it import MarkdownIt

#: As JupyterLab reads it: tables and struck text beside CommonMark, HTML let through.
READER = MarkdownIt("commonmark", {"html": True}).enable(["table", "strikethrough"])
PIECES = st.sampled_from(
    ["![x](http://e/a.png)", "<img src=http://e/b.png>", "<!-- -->", "[r]: http://e/c.png", "![r]",
     "`", "``", "```", "````html", "~~~", "~~~ a`b", "- ", "> ", "1. ", "    ", "   ", "\t", "\n",
     "\n\n", "\\", "|", "$", "[", "](", ")", '"', "~~", "**", "http://a", "x", " ", "\\(", "\\[",
     "\\]", "-|-\n", "#", "="]
)  # fmt: skip


def loaded(text: str) -> list[str]:
    """What a page would load, or treat as HTML."""
    found: list[str] = []
    for token in READER.parse(text):
        for one in (token, *(token.children or ())):
            if one.type in ("image", "html_block", "html_inline"):
                found.append(one.content)
    return found


@given(st.lists(PIECES, max_size=40).map("".join))
@settings(max_examples=400)
def test_no_text_has_a_picture_or_html_left(text: str) -> None:
    assert loaded(chat_markdown(text)) == []


def test_code_and_formulas_stay_as_they_are_written() -> None:
    text = (
        "Use `List<int>` here:\n\n1. First\n   ```html\n   <b>![x](y)</b>\n   ```\n2. Then "
        r"\(a<b\) and \[x = 1\]"
    )
    told = chat_markdown(text)
    assert "Use `List<int>` here" in told
    assert "```html\n<b>![x](y)</b>\n```" in told
    assert told.endswith("2. Then $a< b$ and $$x = 1$$")


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("for $5 and $6", r"for \\$5 and \\$6"),
        (r"for \$5 and \$6", r"for \\$5 and \\$6"),
        ("$x^2$ for $5", r"$x^2$ for \\$5"),
        ("$ x$ and 3$x$4", r"\\$ x\\$ and 3\\$x\\$4"),
        ("`$HOME` and `$5`", "`$HOME` and `$5`"),
        ("$$\nx\n$$ for $7", "$$\nx\n$$ for \\\\$7"),
        (r"\( x \)5", "$ x $5"),
    ],
)
def test_a_dollar_of_a_price_sets_no_formula(text: str, told: str) -> None:
    assert chat_markdown(text) == told


@pytest.mark.anyio
async def test_an_answer_and_a_memory_are_told_without_their_pictures(
    play: Any, tmp_path: Path
) -> None:
    def reply(_: Any) -> str:
        return frame(route="direct", answer="It is ![so](http://e/?q=secret) <img src=//e/x>.")

    with play(reply):
        async with open_chat(tmp_path) as chat:
            told = await chat.say("Is it so?")
            assert "It is ! [so]" in told
            assert loaded(told) == []
            await chat.say("/remember The map is ![here](http://e/map.png)")
            assert loaded(await chat.say("/forget map")) == []
