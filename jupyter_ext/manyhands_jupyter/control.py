"""The control panel: what runs, what is loaded and fits, roles, memory, the doctor's findings."""

from __future__ import annotations

import html
import importlib.util
from collections.abc import Callable, Coroutine, Sequence
from typing import TYPE_CHECKING, Any

from manyhands.errors import ManyhandsError, fault_in
from manyhands_jupyter.looks import Mark, Row, doctor_rows, fit_rows

if TYPE_CHECKING:
    from manyhands_jupyter.session import Session

__all__ = ["ControlPanel", "show_control"]

_TITLES = ("Running", "Models", "Roles", "Memory", "Doctor")
_STYLE = """<style>
.mh-control { max-width: 60rem; }
.mh-control .widget-html, .mh-control .widget-html-content { height: auto; width: 100%; }
.mh-control .mh-rows { list-style: none; margin: 4px 0; padding: 0; line-height: 1.5;
  font-size: var(--jp-ui-font-size1, 13px); color: var(--jp-ui-font-color1, #212121); }
.mh-control .mh-rows li { display: flex; gap: 8px; padding: 2px 0; overflow-wrap: anywhere; }
.mh-control .mh-rows b { flex: 0 0 1.2em; text-align: center; }
.mh-control .mh-rows h4 { margin: 8px 0 2px; font-size: inherit; }
.mh-control .mh-rows span { flex: 1; min-width: 0; white-space: pre-wrap; }
.mh-control .mh-next { display: block; font-family: var(--jp-code-font-family, monospace);
  color: var(--jp-ui-font-color2, #616161); }
.mh-control .mh-ok { color: #1b6e2c; } .mh-control .mh-problem { color: #b3261e; }
.mh-control .mh-warning { color: #8a5300; }
[data-jp-theme-light='false'] .mh-control .mh-ok { color: #6fd08c; }
[data-jp-theme-light='false'] .mh-control .mh-problem { color: #ff8a80; }
[data-jp-theme-light='false'] .mh-control .mh-warning { color: #e5c07b; }
</style>"""


def show_control(session: Session) -> None:
    """Display the panel; in a terminal, or where ipywidgets is not installed, what runs as text."""
    installed = importlib.util.find_spec("ipywidgets") is not None
    if session.main_loop is None or not installed:
        from manyhands_jupyter.telling import status_lines

        print("\n".join(status_lines(session)))
        if not installed:
            print("(ipywidgets is not installed; the panel: pip install '.[jupyter]' in the clone)")
        return
    from IPython.display import display

    panel = ControlPanel(session)
    view = dict(panel.box._repr_mimebundle_())
    view["text/plain"] = "manyhands' control panel: %mind panel shows it anew."
    display(view, raw=True)
    panel.refresh()


def rows_html(rows: Sequence[Row], label: str) -> str:
    """Rows as a list; every text in it is escaped, whoever wrote it."""
    items = []
    for row in rows:
        text = html.escape(row.text)
        if row.mark is Mark.HEAD:
            items.append(f"<li><h4>{text}</h4></li>")
            continue
        said = f'<b class="mh-{row.mark.name.lower()}" aria-hidden="true">{row.mark}</b>'
        if row.mark in (Mark.WARNING, Mark.PROBLEM):
            text = f"<strong>{row.mark.name.lower()}:</strong> {text}"
        following = f'<code class="mh-next">{html.escape(row.next)}</code>' if row.next else ""
        items.append(f"<li>{said}<span>{text}{following}</span></li>")
    return f'<ul class="mh-rows" aria-label="{label}" aria-live="polite">{"".join(items)}</ul>'


def _roles() -> list[Row]:
    from manyhands.roles.loader import load_roles

    return [Row(f"{name} ({one.tier}): {one.summary}") for name, one in load_roles().items()]


def _rows_or_why(look: Callable[[], list[Row]]) -> list[Row]:
    try:
        return look()
    except ManyhandsError as error:
        return [_why(error)]


def _why(error: Exception) -> Row:
    fault = fault_in(error)
    said = str(fault) if fault is not None else f"{type(error).__name__}: {error}"
    return Row(said, Mark.PROBLEM, "manyhands doctor")


class ControlPanel:
    """One section at a time, chosen by buttons.

    Attributes:
        box: the widget.
        rows: section -> its rows as last shown.
    """

    def __init__(self, session: Session) -> None:
        import ipywidgets

        self._session = session
        self.rows: dict[str, list[Row]] = {}
        self._shown = {title: ipywidgets.HTML() for title in _TITLES}
        auto = {"width": "auto"}
        refresh = ipywidgets.Button(
            description="Refresh", tooltip="Look at everything again", layout=auto
        )
        refresh.on_click(lambda _: self.refresh())
        stop = ipywidgets.Button(
            description="Stop",
            button_style="danger",
            tooltip="Stop all that this kernel runs",
            layout=auto,
        )
        stop.on_click(lambda _: self._stopped())
        self._words = ipywidgets.Text(
            description="Look up",
            placeholder="words, then Enter",
            continuous_update=False,
            layout={"width": "auto", "max_width": "30rem"},
        )
        self._words.observe(lambda _: self._look_up(), names="value")
        self._found = ipywidgets.HTML()
        sections: list[Any] = [self._shown[title] for title in _TITLES]
        at = _TITLES.index("Memory")
        sections[at] = ipywidgets.VBox([sections[at], self._words, self._found])
        chosen = ipywidgets.ToggleButtons(
            options=_TITLES, style={"button_width": "auto"}, layout={"max_width": "100%"}
        )
        stack = ipywidgets.Stack(children=sections, selected_index=0)
        chosen.observe(
            lambda change: setattr(stack, "selected_index", _TITLES.index(change["new"])), "value"
        )
        head = ipywidgets.HBox([chosen, refresh, stop], layout={"flex_flow": "row wrap"})
        self.box = ipywidgets.VBox([ipywidgets.HTML(_STYLE), head, stack])
        self.box.add_class("mh-control")

    def refresh(self) -> None:
        """Look at everything again; what takes time comes when it is there."""
        self._tell("Running", self._running())
        self._tell("Roles", _rows_or_why(_roles))
        self._later("Models", self._models())
        self._later("Memory", self._memory())
        self._later("Doctor", doctor_rows(self._session))

    def _running(self) -> list[Row]:
        from manyhands_jupyter.telling import open_jobs, run_lines

        session = self._session

        def every_door() -> list[Row]:
            jobs = [Row(f"job {line}") for line in open_jobs(session.settings)]
            runs = [Row(line) for line in run_lines(session, 8)]
            return [*jobs, Row("Newest runs of every door", Mark.HEAD), *runs]

        now = len(session.workshop.working())
        here = f"this kernel: {now} at work" if now else "this kernel: nothing runs"
        scripted = []
        if session.rehearsal is not None:
            scripted = [Row(f"The models are scripted by {session.rehearsal.script}.")]
        return [*scripted, Row(here), *_rows_or_why(every_door)]

    async def _models(self) -> list[Row]:
        from manyhands_jupyter.telling import loaded_models

        loaded = [Row(line) for line in await loaded_models(self._session.settings)]
        return [Row("Loaded", Mark.HEAD), *loaded, *await fit_rows(self._session)]

    async def _memory(self) -> list[Row]:
        from manyhands_jupyter.telling import memory_summary

        return [Row(await memory_summary(self._session.settings))]

    def _later(self, title: str, work: Coroutine[Any, Any, list[Row]]) -> None:
        self._tell(title, [Row("looks …")])

        async def tell(_: Any) -> None:
            try:
                self._tell(title, await work)
            except Exception as error:  # what it is stands in its place; the others go on
                self._tell(title, [_why(error)])

        self._session.workshop.begin(tell)

    def _tell(self, title: str, rows: Sequence[Row]) -> None:
        self.rows[title] = list(rows)
        self._shown[title].value = rows_html(rows, title)

    def _look_up(self) -> None:
        from manyhands_jupyter.telling import recalled_lines

        words = self._words.value.strip()
        if not words:
            return

        async def tell(_: Any) -> None:
            try:
                found = [Row(line) for line in await recalled_lines(self._session.settings, words)]
            except Exception as error:
                found = [_why(error)]
            self._found.value = rows_html(found, "Found")

        self._session.workshop.begin(tell)

    def _stopped(self) -> None:
        self._session.stop()
        self._tell("Running", self._running())
