"""A run as one self-contained page: no script, no network, every model text escaped."""

from __future__ import annotations

import base64
import html
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime

from manyhands.clean import clean
from manyhands.journal.events import Event, Said
from manyhands.journal.records import RunRecord
from manyhands.trace.lines import Tone, line_of

__all__ = ["page_of"]

_STYLE = """
:root { color-scheme: light dark; --good: #1a7f37; --bad: #c62828; --open: #9a6700; }
@media (prefers-color-scheme: dark) { :root { --good: #4ac26b; --bad: #ff7b72; --open: #d4a72c; } }
body { font: 15px/1.5 system-ui, sans-serif; max-width: 60rem; margin: 2rem auto; padding: 0 1rem; }
h1 { font-size: 1.25rem; } pre { white-space: pre-wrap; overflow-wrap: anywhere; }
ol { list-style: none; padding: 0; } li { padding: .1rem 0; overflow-wrap: anywhere; }
.head { font-weight: 600; } .good { color: var(--good); } .bad { color: var(--bad); }
.open { color: var(--open); } .quiet { opacity: .65; }
.answer { border: 1px solid; border-radius: .5rem; padding: .5rem 1rem; margin: 1rem 0; }
details { margin-left: 2rem; opacity: .85; } img { max-width: 100%; background: white; }
"""
_POLICY = "default-src 'none'; style-src 'unsafe-inline'; img-src data:"


def page_of(
    record: RunRecord,
    events: Iterable[Event],
    pictures: Sequence[tuple[str, bytes]] = (),
) -> str:
    """The page for a run.

    Args:
        pictures: names and PNG contents that the run made; anything that is no PNG is left out.
    """
    rows = "\n".join(filter(None, map(_row, events)))
    began = datetime.fromtimestamp(record.started, UTC).strftime("%Y-%m-%d %H:%M UTC")
    answer = (
        f'<section class="answer"><p class="head">Answer · {_text(record.status)}</p>'
        f"<pre>{_text(record.answer)}</pre></section>"
        if record.answer
        else ""
    )
    shown = "\n".join(
        f'<figure><img alt="{_text(name)}" src="data:image/png;base64,'
        f'{base64.b64encode(content).decode()}"><figcaption>{_text(name)}</figcaption></figure>'
        for name, content in pictures
        if content.startswith(b"\x89PNG\r\n\x1a\n")
    )
    return f"""<!doctype html>
<html lang="en"><head><meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="{_POLICY}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{_text(record.question[:80])}</title><style>{_STYLE}</style></head>
<body><h1>{_text(record.question)}</h1>
<p class="quiet">run {_text(record.id)} · {began} · {_text(record.state)} · {_text(record.door)}</p>
{answer}
{shown}
<ol>
{rows}
</ol></body></html>
"""


def _row(event: Event) -> str:
    if isinstance(event.body, Said):
        return _said(event.body)
    line = line_of(event.body)
    if line is None:
        return ""
    tone = "" if line.tone is Tone.PLAIN else f" {line.tone}"
    return (
        f'<li class="row{tone}" style="padding-left:{line.depth * 1.5}rem">'
        f"{_text(line.mark)} {_text(line.text)}</li>"
    )


def _said(body: Said) -> str:
    tokens = f"{body.prompt_tokens} + {body.completion_tokens} tokens"
    thinking = f"<p>thinking</p><pre>{_text(body.thinking)}</pre>" if body.thinking else ""
    return (
        f"<li><details><summary>{_text(body.role)} on {_text(body.model)}: {tokens}, "
        f"{body.seconds:.1f} s</summary>{thinking}<pre>{_text(body.text)}</pre></details></li>"
    )


def _text(text: str) -> str:
    return html.escape(clean(text), quote=True)
