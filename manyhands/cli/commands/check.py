"""`manyhands check`: a machine check run by hand, or one of a former run repeated."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from manyhands.cli.given import read_stdin

if TYPE_CHECKING:
    from manyhands.checks.outcome import CheckOutcome
    from manyhands.checks.subject import Criterion
    from manyhands.checks.tables import Table
    from manyhands.journal.events import Event
    from manyhands.mind.checked import Kept
    from manyhands.settings import Settings

__all__ = ["command"]

_EXIT = {"supported": 0, "refuted": 1, "undetermined": 10}


@click.group("check")
def command() -> None:
    """Run a machine check, or repeat one that a former run made.

    Exit codes: 0 supported, 1 refuted, 10 undetermined.
    """


@command.command("run")
@click.argument("case", type=click.Path(allow_dash=True))
@click.option("--json", "as_json", is_flag=True)
def run(case: str, as_json: bool) -> None:
    """Check the CASE in a JSON file (`-`: standard input); docs/checks.md shows one of each."""
    text = read_stdin() if case == "-" else _text(Path(case))
    _judge(_case(text), as_json=as_json)


@command.command("rerun")
@click.argument("check_id")
@click.option("--json", "as_json", is_flag=True)
def rerun(check_id: str, as_json: bool) -> None:
    """Repeat a check of a former run with the same inputs and seed; its id is in the evidence.

    A table that has changed since is taken from the copy that was kept with the run, and that is
    told; without a copy nothing is judged.
    """
    from manyhands.checks.tables import tables_of, with_kept
    from manyhands.errors import InputError
    from manyhands.journal.store import Journal
    from manyhands.settings import load_settings

    with Journal.open(load_settings().journal.path) as journal:
        _, _, content = journal.artifact(journal.whole_id("artifacts", check_id))
        case = _case(content.decode("utf-8", errors="replace"))
        whole = with_kept(case, lambda artifact_id: journal.artifact(artifact_id)[2])
    notes = [note for table in tables_of(case).values() if (note := table.change())]
    if notes and whole == case:  # no copy was kept
        raise InputError(notes[0], hint="Put the old file back, or make the check anew.")
    _judge(whole, notes, as_json=as_json)


@command.command("file")
@click.argument("subject", type=click.Path(allow_dash=True))
@click.option("--cell", type=click.IntRange(min=1), help="The code cell of a notebook, from 1.")
@click.option(
    "--data", type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="A table that the program reads as data.csv; as for `ask --data`.",
)  # fmt: skip
@click.option("--no-journal", is_flag=True, help="Write nothing of it into the journal.")
@click.option("--json", "as_json", is_flag=True)
def file_command(
    subject: str, cell: int | None, data: Path | None, no_journal: bool, as_json: bool
) -> None:
    """Check a file, a notebook's cell, or an artifact of a former run (its id), without a model.

    Where a vision model is set up, and the check is kept, it is shown the figure of a `figure`
    case; its opinion is told as `reviewed` and has no part in the verdict.

    Its text is looked through; its functions must do what their docstrings' examples say; a
    `claim(df)` must hold of --data; a program without either must run to its end. What was found
    is kept in the journal with the subject as it is, each criterion with an id for `manyhands check
    rerun`.
    """
    import anyio

    from manyhands.checks.subject import judge_subject, overall
    from manyhands.settings import load_settings

    settings = load_settings()
    text = _subject(subject, cell or 0)
    about = f"check {'standard input' if subject == '-' else subject}"
    about += f", cell {cell}" if cell else ""
    with _table(data, text, settings) as table:
        found = anyio.run(judge_subject, text, table, settings.sandbox.policy())
        kept = None if no_journal else _kept(settings, about, table, found)
    reruns = [""] * len(found) if kept is None else kept.reruns
    opinion = kept.opinion if kept is not None else None
    verdict = overall(found)
    if as_json:
        told = [
            {
                "criterion": one.name,
                "verdict": str(one.outcome.verdict),
                "summary": one.outcome.summary,
                "evidence": one.outcome.evidence,
                "case": one.case,
                "rerun": rerun_id,
            }
            for one, rerun_id in zip(found, reruns, strict=True)
        ]
        reviewed = dict(opinion.detail) if opinion is not None else None
        shown = {"verdict": str(verdict), "criteria": told, "reviewed": reviewed}
        written = json.dumps(shown, ensure_ascii=False, indent=2, default=str)
        # A file name that is no UTF-8 becomes the JSON escapes of its surrogates.
        click.echo(written.encode("utf-8", "backslashreplace").decode())
    else:
        for one, rerun_id in zip(found, reruns, strict=True):
            click.echo(f"{one.outcome.verdict}: {one.name}: {one.outcome.summary}")
            if "counterexample" in one.outcome.evidence:
                click.echo(f"  counterexample: {one.outcome.evidence['counterexample']}")
            if rerun_id:
                click.echo(f"  again: manyhands check rerun {rerun_id}")
        if kept is not None and opinion is not None:
            plays = " (a scripted model)" if kept.simulated else ""
            click.echo(f"{opinion.name}: {opinion.evidence}{plays}")
        click.echo(f"{verdict} as a whole")
    sys.exit(_EXIT[str(verdict)])


@contextmanager
def _table(path: Path | None, program: str, settings: Settings) -> Iterator[Table | None]:
    """The table, looked at as `ask --data` does; one that is no CSV is made CSV, unless the program
    opens it by its own name. Raises InputError for what is no table."""
    import re

    import anyio

    from manyhands.checks.tables import Table
    from manyhands.mind.converting import is_binary, open_given
    from manyhands.mind.data import in_use

    if path is None:
        yield None
        return
    by_its_name = re.search(rf"{re.escape(path.name)}[\"']", program) is not None
    if by_its_name and is_binary(path):
        yield Table.at(path)
        return
    files = anyio.run(open_given, path, settings.sandbox.policy())
    with in_use(files):
        (read,) = files.values()
        made = read.remove is not None and not by_its_name
        yield Table(read.file_name, read.path, read.sha256) if made else Table.at(path)


def _kept(
    settings: Settings, about: str, table: Table | None, found: Sequence[Criterion]
) -> Kept | None:
    """What the journal has of it; None where it cannot be written, and that is told: what was
    found is not lost with it."""
    import anyio

    from manyhands.errors import StorageError
    from manyhands.journal.events import Note
    from manyhands.mind.checked import journal_check

    def show(event: Event) -> None:
        if isinstance(event.body, Note):
            click.echo(f"{event.body.reason}: {event.body.text}", err=True)

    try:
        return anyio.run(journal_check, settings, about, table, found, "cli", show)
    except StorageError as error:
        click.echo(f"Not kept in the journal. {error}", err=True)
        return None


def _subject(name: str, cell: int) -> str:
    """The text of a file, of standard input, or of an artifact with that id."""
    from manyhands.checks.subject import cell_of
    from manyhands.hands.subjects import subject_text
    from manyhands.journal.store import Journal
    from manyhands.settings import load_settings

    if name == "-":
        text = read_stdin()
        return cell_of(text, cell) if cell else text

    def artifact(artifact_id: str) -> bytes:
        with Journal.open(load_settings().journal.path) as journal:
            return journal.artifact(artifact_id)[2]

    return subject_text(name, artifact, Path, cell)


def _text(path: Path) -> str:
    from manyhands.errors import InputError

    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        why = error.strerror if isinstance(error, OSError) else "it is no UTF-8 text"
        raise InputError(
            f"{str(path)!r} cannot be read: {why}.", hint="Name a readable text file."
        ) from None


def _case(text: str) -> dict[str, Any]:
    from manyhands.errors import InputError

    try:
        case = json.loads(text)
    except ValueError as error:
        raise InputError(
            f"That is no check: {error}.", hint="A case is one JSON object with `kind`."
        ) from None
    if not isinstance(case, dict) or "kind" not in case:
        raise InputError(
            "That is no check: it has no `kind`.", hint="docs/checks.md lists the kinds."
        )
    return case


def _judge(case: dict[str, Any], notes: Sequence[str] = (), *, as_json: bool) -> None:
    import anyio

    from manyhands.checks.kinds import check_case
    from manyhands.settings import load_settings

    policy = load_settings().sandbox.policy()
    outcome = anyio.run(check_case, case, policy)
    _tell(outcome, case, notes, as_json=as_json)
    sys.exit(_EXIT[str(outcome.verdict)])


def _tell(
    outcome: CheckOutcome, case: dict[str, Any], notes: Sequence[str], *, as_json: bool
) -> None:
    if as_json:
        told = {
            "kind": case["kind"],
            "verdict": str(outcome.verdict),
            "summary": outcome.summary,
            "evidence": outcome.evidence,
            "seconds": round(outcome.seconds, 6),
            "notes": list(notes),
        }
        click.echo(json.dumps(told, ensure_ascii=False, indent=2, default=str))
        return
    for note in notes:
        click.echo(f"{note} Judged by the copy that was kept.", err=True)
    click.echo(f"{outcome.verdict}: {outcome.summary} ({outcome.seconds:.3f} s)")
    for name, value in outcome.evidence.items():
        click.echo(f"  {name}: {str(value)[:300]}")
