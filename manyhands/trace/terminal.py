"""The live trace in a terminal; readable without colour and when it is not a terminal."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from types import TracebackType
from typing import Self
from weakref import WeakKeyDictionary

from markdown_it import MarkdownIt
from rich.console import Console, RenderableType
from rich.live import Live
from rich.markdown import Markdown
from rich.padding import Padding
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from manyhands.clean import clean
from manyhands.hands.contracts import EvidenceKind
from manyhands.journal.events import AnswerDelta, Event, RunFinished
from manyhands.mind.answer import Answer
from manyhands.trace.lines import Line, Tone, begins_anew, check_mark, line_of, short

__all__ = ["TerminalTrace", "plain", "print_answer", "still", "text_of"]

_STYLE = {
    Tone.PLAIN: "",
    Tone.HEAD: "bold",
    Tone.GOOD: "green",
    Tone.BAD: "red",
    Tone.OPEN: "yellow",
    Tone.QUIET: "dim",
    Tone.LIVE: "cyan",
}
_STATUS_STYLE = {"verified": "green", "refuted": "red", "failed": "red"}
#: As rich reads Markdown, but without HTML, which rich drops: `vector<int>` is text.
_READER = MarkdownIt("commonmark", {"html": False}).enable(["strikethrough", "table"])


def text_of(line: Line) -> RenderableType:
    """A line with its mark, set in; what wraps stays set in. Model text is never markup."""
    row = Table.grid(padding=(0, 1, 0, 0))
    row.add_row(Text(line.mark), Text(line.text))
    return Padding(row, (0, 0, 0, 2 * line.depth), style=_STYLE[line.tone], expand=False)


def plain(text: str, style: str = "") -> Text:
    """What a model, a tool or a user said, as text: no markup, no command of the terminal."""
    return Text(clean(text), style=style)


#: What is drawn anew on a console all the time.
_DRAWN: WeakKeyDictionary[Console, Live] = WeakKeyDictionary()


@contextmanager
def still(console: Console) -> Iterator[None]:
    """Nothing is drawn anew on the console within: what a person is asked there is not erased."""
    live = _DRAWN.get(console)
    if live is None:
        yield
        return
    live.stop()
    try:
        yield
    finally:
        if console in _DRAWN:
            live.start()


class TerminalTrace:
    """Prints each event's line; what goes on right now stands below in lines that change.

    An answer that is being written is shown so; the finished one is `print_answer`'s. Why a run
    failed is left to whoever called it: the door tells it once, with the next step.

    Args:
        quiet: show nothing (for `--json`).
    """

    def __init__(self, console: Console, *, quiet: bool = False) -> None:
        self._console = console
        self._quiet = quiet
        self._live: Live | None = None
        self._draft = ""

    def __enter__(self) -> Self:
        if self._console.is_terminal and not self._quiet:
            self._live = Live(console=self._console, transient=True, refresh_per_second=8)
            self._live.__enter__()
            _DRAWN[self._console] = self._live
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._live is not None:
            del _DRAWN[self._console]
            self._live.__exit__(kind, error, trace)
            self._live = None

    def show(self, event: Event) -> None:
        if self._quiet:
            return
        body = event.body
        if isinstance(body, AnswerDelta):
            self._draft += body.text
            if self._live is not None:
                self._live.update(self._written())
            return
        if begins_anew(body):
            self._draft = ""
        if isinstance(body, RunFinished):
            body = body.model_copy(update={"error": ""})
        line = line_of(body)
        if line is None:
            return
        if line.tone is Tone.LIVE:
            if self._live is not None:
                self._live.update(text_of(line))
            return
        if self._live is not None:
            self._live.update(Text(""))
        self._console.print(text_of(line))

    def _written(self) -> RenderableType:
        """The end of the answer so far, as much as surely fits on the screen."""
        most = max(3, self._console.height // 3) * self._console.width
        text = plain(self._draft[-most:])
        return Panel(text, title="writing the answer", title_align="left", style="dim")


class _Shown(Markdown):
    """Markdown of a model: no word of it is taken for HTML and lost."""

    def __init__(self, text: str) -> None:
        super().__init__(text, hyperlinks=False)
        self.parsed = _READER.parse(text)


def print_answer(console: Console, answer: Answer) -> None:
    """The answer in a frame that names its status, then evidence, claims and open points."""
    if answer.question_back:
        console.print(Panel(plain(answer.question_back), title="The mind asks", title_align="left"))
        return
    style = _STATUS_STYLE.get(answer.status, "yellow")
    console.print(
        Panel(
            _Shown(clean(answer.text) or "(no text)"),
            title=f"Answer · {answer.status}",
            title_align="left",
            border_style=style,
        )
    )
    for step in answer.steps:
        for check in step.result.evidence:
            mark = check_mark(check.passed, opinion=check.kind is EvidenceKind.OPINION)
            where = f" [{check.isolation}]" if check.isolation else ""
            told = clean(f"{step.id} · {check.name}: {short(check.evidence, 160)}{where}")
            console.print(text_of(Line(1, mark, told, Tone.PLAIN)))
    for claim in answer.claims:
        console.print(
            plain(f"  {claim.status}: {claim.text}", _STATUS_STYLE.get(claim.status, "yellow"))
        )
    for effect in answer.effects:
        tone = "green" if effect.state == "done" else "yellow"
        told = effect.summary if effect.state == "done" else f"{effect.summary}: {effect.detail}"
        console.print(plain(f"  {effect.tool} {effect.state}: {told}", tone))
    for point in answer.open_points:
        console.print(plain(f"  open: {short(point, 200)}", "yellow"))
    files = dict.fromkeys(i.name for i in answer.artifacts if i.media_type != "text/plain")
    if files:  # an expression, which is plain text, stands in the answer
        export = f"manyhands runs export {answer.run_id} --artifacts FOLDER"
        console.print(plain(f"  files ({short(', '.join(files), 100)}): {export}"), soft_wrap=True)
    plays = " · The models are scripted (rehearsal)." if answer.simulated else ""
    console.print(Text(f"  run {answer.run_id}{plays}", style="dim"))
