"""The control panel: what is loaded, roles, memory, what runs, and what the doctor finds."""

from __future__ import annotations

import asyncio
import importlib.util
import json
import os
import sys
from collections.abc import Coroutine, Sequence
from typing import TYPE_CHECKING, Any

from manyhands.errors import InputError, ManyhandsError

if TYPE_CHECKING:
    from manyhands_jupyter.session import Session

__all__ = ["ControlPanel", "doctor", "show_control"]

_MARKS = {"ok": "✓", "warning": "!", "problem": "✗"}


def show_control(session: Session) -> None:
    """Display the panel; in a terminal, or where ipywidgets is not installed, what runs as text."""
    installed = importlib.util.find_spec("ipywidgets") is not None
    if session.main_loop is None or not installed:
        from manyhands_jupyter.telling import status_lines

        print("\n".join(status_lines(session)))
        if not installed:
            print(
                "(ipywidgets is not installed: pip install 'manyhands[jupyter]' brings the panel)"
            )
        return
    from IPython.display import display

    panel = ControlPanel(session)
    display(panel.box)
    panel.refresh()


async def doctor(session: Session) -> list[dict[str, str]]:
    """What `manyhands doctor` finds, each with its next action; run as a process of its own.

    Raises:
        InputError: it could not be run.
    """
    env = dict(os.environ)
    if session.rehearsal is not None:
        for name, host in session.settings.hosts.items():
            env[f"MANYHANDS_HOSTS__{name.upper()}__URL"] = host.url
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "manyhands",
        "doctor",
        "--json",
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        env=env,
    )
    out, err = await process.communicate()
    try:
        findings: list[dict[str, str]] = json.loads(out)["findings"]
    except (ValueError, KeyError):
        said = err.decode("utf-8", errors="replace").strip()[-300:]
        raise InputError(f"The doctor did not answer: {said}", hint="manyhands doctor") from None
    return findings


class ControlPanel:
    """Sections of lines, each line shown as text.

    Attributes:
        box: the widget.
        lines: section -> its lines as last shown.
    """

    def __init__(self, session: Session) -> None:
        import ipywidgets

        self._widgets = ipywidgets
        self._session = session
        self.lines: dict[str, list[str]] = {}
        titles = ("Running", "Models", "Roles", "Memory", "Doctor")
        self._sections = {title: ipywidgets.VBox() for title in titles}
        self._refresh = ipywidgets.Button(description="Refresh", tooltip="Look at everything again")
        self._refresh.on_click(lambda _: self.refresh())
        self._stop = ipywidgets.Button(
            description="Stop", button_style="danger", tooltip="Stop all that this kernel runs"
        )
        self._stop.on_click(lambda _: self._stopped())
        self._words = ipywidgets.Text(
            description="Look up", placeholder="words", continuous_update=False
        )
        self._words.observe(lambda _: self._look_up(), names="value")
        self._found = ipywidgets.VBox()
        tabs = ipywidgets.Tab(children=[self._sections[title] for title in titles])
        tabs.titles = titles
        head = ipywidgets.HBox([self._refresh, self._stop], layout={"flex_flow": "row wrap"})
        self.box = ipywidgets.VBox([head, tabs], layout={"max_width": "60rem"})

    def refresh(self) -> None:
        """Look at everything again; what takes time comes when it is there."""
        from manyhands_jupyter.telling import loaded_models, memory_summary, role_lines

        settings = self._session.settings
        self._tell("Running", self._running())
        self._tell("Roles", role_lines(""))
        self._later("Models", self._models(loaded_models(settings)))
        self._later("Memory", self._one(memory_summary(settings)))
        self._later("Doctor", self._findings())

    def _running(self) -> list[str]:
        from manyhands_jupyter.telling import open_jobs, run_lines

        session = self._session
        try:
            jobs = [f"job {line}" for line in open_jobs(session.settings)]
            runs = run_lines(session, 8)
        except ManyhandsError as error:
            return [str(error)]
        now = len(session.workshop.working())
        here = f"this kernel: {now} at work" if now else "this kernel: nothing runs"
        return [here, *jobs, "newest runs of every door:", *runs]

    async def _models(self, loaded: Coroutine[Any, Any, list[str]]) -> list[str]:
        tiers = self._session.settings.tiers
        return [*await loaded, *(f"tier {name}: {tier.model}" for name, tier in tiers.items())]

    async def _one(self, line: Coroutine[Any, Any, str]) -> list[str]:
        return [await line]

    async def _findings(self) -> list[str]:
        lines = []
        for one in await doctor(self._session):
            lines.append(f"{_MARKS.get(one['mark'], '·')} {one['topic']}: {one['text']}")
            if one["next"]:
                lines.append(f"    next: {one['next']}")
        return lines

    def _later(self, title: str, work: Coroutine[Any, Any, list[str]]) -> None:
        self._tell(title, ["looks …"])

        async def tell(_: Any) -> None:
            try:
                self._tell(title, await work)
            except ManyhandsError as error:
                self._tell(title, [str(error)])

        self._session.workshop.begin(tell)

    def _tell(self, title: str, lines: Sequence[str]) -> None:
        self.lines[title] = list(lines)
        labels = self._labels(lines)
        if title == "Memory":
            labels = [*labels, self._words, self._found]
        self._sections[title].children = labels

    def _labels(self, lines: Sequence[str]) -> list[Any]:
        layout = {"width": "100%", "height": "auto"}
        style = {"font_family": "var(--jp-code-font-family, monospace)"}
        return [
            self._widgets.Label(value=line, layout=layout, style=style) for line in lines if line
        ]

    def _look_up(self) -> None:
        from manyhands_jupyter.telling import recalled_lines

        words = self._words.value.strip()
        if not words:
            return

        async def tell(_: Any) -> None:
            try:
                found = await recalled_lines(self._session.settings, words)
            except ManyhandsError as error:
                found = [str(error)]
            self._found.children = self._labels(found)

        self._session.workshop.begin(tell)

    def _stopped(self) -> None:
        self._session.stop()
        self._tell("Running", self._running())
