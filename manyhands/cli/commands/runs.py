"""`manyhands runs`: what was asked before, in full, and going on with it."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import click

__all__ = ["command"]


@click.group("runs")
def command() -> None:
    """List, show, export, resume and forget runs."""


@command.command("list")
@click.option("--limit", type=click.IntRange(1), default=20, show_default=True)
@click.option("--all", "also_eval", is_flag=True, help="Also those of `manyhands eval`.")
@click.option("--json", "as_json", is_flag=True)
def list_runs(limit: int, also_eval: bool, as_json: bool) -> None:
    """The newest runs first; one line for each where the output is no terminal."""
    from dataclasses import asdict
    from datetime import datetime

    from rich.console import Console

    from manyhands.clean import clean
    from manyhands.journal.store import Journal
    from manyhands.settings import load_settings
    from manyhands.trace.lines import short

    with Journal.open(load_settings().journal.path) as journal:
        runs = journal.runs(limit, without_door="" if also_eval else "eval")
    if as_json:
        click.echo(json.dumps([asdict(run) for run in runs], ensure_ascii=False, indent=2))
        return
    if not runs:
        click.echo('No runs yet. `manyhands ask "…"` makes the first.')
        return
    console = Console()
    for run in runs:
        when = datetime.fromtimestamp(run.started).strftime("%Y-%m-%d %H:%M")
        head = "  ".join(part for part in (run.id, when, run.state, run.status) if part)
        if console.is_terminal:
            click.echo(f"{head}\n  {short(clean(run.question), console.width - 2)}")
        else:
            click.echo(f"{head}  {short(clean(run.question), 200)}")


@command.command("show")
@click.argument("run_id")
@click.option("--html", "html", type=click.Path(dir_okay=False), help="Write one page here.")
def show(run_id: str, html: str | None) -> None:
    """A run as a readable tree, with its answer; --html writes it as one self-contained page."""
    from rich.console import Console

    from manyhands.journal.store import Journal
    from manyhands.settings import load_settings
    from manyhands.trace.lines import line_of
    from manyhands.trace.terminal import plain, text_of

    console = Console()
    with Journal.open(load_settings().journal.path) as journal:
        record = journal.run(run_id)
        events = journal.events(record.id)
        if html is not None:
            from manyhands.trace.html import page_of

            Path(html).write_text(
                page_of(record, events, journal.artifacts_of(record.id)), encoding="utf-8"
            )
            click.echo(f"Written: {html}")
            return
        for event in events:
            line = line_of(event.body)
            if line is not None:
                console.print(text_of(line), highlight=False)
    console.print(plain(f"\n{record.state} · {record.status or 'no answer'}", "bold"))
    if record.answer:
        console.print(plain(record.answer))


@command.command("export")
@click.argument("run_id")
@click.option("--artifacts", type=click.Path(file_okay=False), help="Also write its files here.")
def export(run_id: str, artifacts: str | None) -> None:
    """A run's events as JSON lines; with --artifacts also every file it made."""
    from manyhands.journal.store import Journal
    from manyhands.settings import load_settings

    with Journal.open(load_settings().journal.path) as journal:
        record = journal.run(run_id)
        for event in journal.events(record.id):
            click.echo(event.model_dump_json())
        if artifacts is not None:
            folder = Path(artifacts)
            folder.mkdir(parents=True, exist_ok=True)
            for name, content in journal.artifacts_of(record.id):
                _free(folder, Path(name).name, content).write_bytes(content)


def _free(folder: Path, name: str, content: bytes) -> Path:
    """A path for an artifact: attempts name files alike, and none takes another's place."""
    path, number = folder / name, 1
    while path.exists() and path.read_bytes() != content:
        number += 1
        path = folder / f"{Path(name).stem}-{number}{Path(name).suffix}"
    return path


@command.command("resume")
@click.argument("run_id")
@click.option("--plan", "show_plan", is_flag=True, help="Show the plan and ask before it runs.")
@click.option("--json", "as_json", is_flag=True)
def resume(run_id: str, show_plan: bool, as_json: bool) -> None:
    """Go on with a run that was cut or stopped; finished steps are not done again."""
    from rich.console import Console

    from manyhands.cli.asking import exit_code, play, tell, terminal_mind
    from manyhands.cli.reviewing import review_at_terminal

    console = Console(stderr=as_json)
    mind = terminal_mind(console)
    review = review_at_terminal(console) if show_plan else None
    answer = play(lambda: mind.resume(run_id, review=review), console, quiet=as_json)
    tell(answer, console, as_json=as_json)
    sys.exit(exit_code(answer))


@command.command("forget")
@click.argument("run_ids", nargs=-1, required=True)
@click.option("--yes", is_flag=True, help="Do not ask.")
def forget(run_ids: tuple[str, ...], yes: bool) -> None:
    """Erase runs: their texts, events, files and jobs, and what they left in memory.

    They keep their place in the list. Runs that recalled what they left lose their texts too.
    """
    from manyhands.cli.forgetting import forget_runs
    from manyhands.journal.store import Journal
    from manyhands.settings import load_settings

    settings = load_settings()
    with Journal.open(settings.journal.path) as journal:
        runs = list({run.id: run for run in map(journal.run, run_ids)}.values())
    forget_runs(settings, runs, yes=yes)


@command.command("replay")
@click.argument("run_id")
@click.option("--json", "as_json", is_flag=True)
def replay(run_id: str, as_json: bool) -> None:
    """Play a run again with its recorded model answers; programs and checks run anew.

    The replay is a run of its own in the journal, marked as simulated. Exit code 1 when it ends
    in another status or asks the models something that the run never asked.
    """
    from rich.console import Console

    from manyhands.cli.asking import play, tell
    from manyhands.cli.replaying import Cassette, on_cassette
    from manyhands.journal.store import Journal
    from manyhands.mind.beginning import data_of
    from manyhands.mind.mind import Mind
    from manyhands.settings import load_settings

    settings = load_settings()
    with Journal.open(settings.journal.path) as journal:
        record = journal.run(run_id)
        cassette = Cassette.of(journal.events(record.id))
        data = data_of(journal, cassette.question)
    asked = cassette.question
    console = Console(stderr=as_json)
    with on_cassette(settings, cassette) as rehearsed:
        mind = Mind(rehearsed, door="replay", simulated=True)
        answer = play(
            lambda: mind.stream(
                asked.question,
                data=data,
                role=asked.role,
                hands=asked.hands,
                council=asked.council,
                context=asked.context,
            ),
            console,
            quiet=as_json,
        )
    tell(answer, console, as_json=as_json)
    same = str(answer.status) == record.status and not cassette.missed
    console.print(
        f"Replayed {record.id}: {answer.status}, it was {record.status or record.state}; "
        f"{cassette.varied} calls were worded differently, {cassette.missed} found no answer."
    )
    sys.exit(0 if same else 1)
