"""`manyhands demo`: the main job on real data, with scripted models or with your own."""

from __future__ import annotations

import json
import shutil
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from manyhands.mind.answer import Answer
    from manyhands.mind.mind import Mind

__all__ = ["command"]

_SAID = (
    "The models of this demo are scripted: a rehearsal server on this machine plays them. "
    "Everything else is real: the data, the programs, the sandbox, the checks, the journal."
)


@click.command("demo")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object and no trace.")
@click.option(
    "--ollama",
    is_flag=False,
    flag_value="settings",
    default=None,
    metavar="[HOST]",
    help="Ask your own models instead of scripted ones.",
)
@click.option(
    "--out",
    type=click.Path(file_okay=False),
    default="manyhands-demo",
    show_default=True,
    help="Folder for the chart and the notebook.",
)
def command(as_json: bool, ollama: str | None, out: str) -> None:
    """Answer a real question about a real record: the CO₂ of Mauna Loa."""
    from rich.console import Console

    from manyhands.cli.asking import exit_code, tell

    console = Console(stderr=as_json)
    folder = _writable(Path(out))
    _build_hands(console)
    if ollama is None:
        console.print(_SAID, style="bold")
        answer, mind = _with_scripted_models(console, quiet=as_json)
    else:
        answer, mind = _with_real_models(console, ollama, quiet=as_json)
    files = _write(mind, answer, folder)
    if as_json:
        click.echo(json.dumps(_report(answer, files), ensure_ascii=False, indent=2))
    else:
        tell(answer, console, as_json=False)
        for name, path in files.items():
            console.print(f"  {name}: {path}", highlight=False)
    sys.exit(exit_code(answer))


def _build_hands(console: Any) -> None:
    """Build the hands' Python before the first attempt, whose time it would be taken for."""
    import anyio

    from manyhands.checks.sandbox.environment import ensure_environment, environment_ready
    from manyhands.checks.sandbox.runner import uses_environment
    from manyhands.settings import load_settings

    policy = load_settings().sandbox.policy()
    if not environment_ready() and anyio.run(uses_environment, policy):
        console.print("Building the hands' Python: once, about a minute.")
        anyio.run(ensure_environment, lambda line: console.print(f"  {line}"))


def _writable(folder: Path) -> Path:
    from manyhands.errors import InputError

    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(
            f"The folder {str(folder)!r} cannot be made: {error.strerror}.",
            hint="Name another with --out.",
        ) from error
    return folder


def _with_scripted_models(console: Any, *, quiet: bool) -> tuple[Answer, Mind]:
    from manyhands.cli.demo_models import say
    from manyhands.mind.mind import Mind
    from manyhands.rehearsal.stage import scripted_tiers
    from manyhands.roles.loader import load_roles
    from manyhands.settings import load_settings

    roles = load_roles()
    prompts = {name: role.prompt for name, role in roles.items()}
    settings = load_settings()
    with scripted_tiers(settings, lambda request: say(request, prompts)) as rehearsed:
        mind = Mind(rehearsed, roles=roles, door="demo", simulated=True)
        return _ask(mind, console, quiet=quiet), mind


def _with_real_models(console: Any, host: str, *, quiet: bool) -> tuple[Answer, Mind]:
    from manyhands.mind.mind import Mind
    from manyhands.settings import HostSettings, load_settings

    settings = load_settings()
    if host != "settings":
        hosts = {name: HostSettings(url=host) for name in settings.hosts}
        settings = settings.model_copy(update={"hosts": hosts})
    mind = Mind(settings, door="demo")
    return _ask(mind, console, quiet=quiet), mind


def _ask(mind: Mind, console: Any, *, quiet: bool) -> Answer:
    from manyhands.cli.asking import play
    from manyhands.cli.demo_models import DATA, QUESTION

    return play(lambda: mind.stream(QUESTION, data={DATA: _data_file()}), console, quiet=quiet)


def _data_file() -> Path:
    from manyhands.cli.demo_models import DATA
    from manyhands.data_files import data_path

    return data_path("examples") / f"{DATA}.csv"


def _write(mind: Mind, answer: Answer, folder: Path) -> dict[str, str]:
    """Write chart, data and notebook; their paths by name."""
    from manyhands.cli.demo_models import DATA, QUESTION
    from manyhands.trace.notebook import notebook_of

    files: dict[str, str] = {}
    with mind.journal() as journal:
        figure = answer.figure
        if figure is not None:
            chart = folder / "chart.png"
            chart.write_bytes(journal.artifact(figure.id)[2])
            files["figure"] = str(chart.resolve())
        entry = next((step for step in answer.steps if step.hand == "code"), None)
        calls = {entry.id: f'growth_rates(columns("{DATA}.csv"))'} if entry is not None else {}
        text = notebook_of(QUESTION, answer, journal.artifact, calls)
    shutil.copyfile(_data_file(), folder / f"{DATA}.csv")
    notebook = folder / "demo.ipynb"
    notebook.write_text(text, encoding="utf-8")
    files["notebook"] = str(notebook.resolve())
    return files


def _report(answer: Answer, files: dict[str, str]) -> dict[str, Any]:
    from manyhands.cli.asking import answer_json

    return {**answer_json(answer), "figure": files.get("figure"), "notebook": files["notebook"]}
