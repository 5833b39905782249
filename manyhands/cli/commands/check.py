"""`manyhands check`: a machine check run by hand, or one of a former run repeated."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from manyhands.checks.outcome import CheckOutcome

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
    text = sys.stdin.read() if case == "-" else _text(Path(case))
    _judge(text, as_json=as_json)


@command.command("rerun")
@click.argument("check_id")
@click.option("--json", "as_json", is_flag=True)
def rerun(check_id: str, as_json: bool) -> None:
    """Repeat a check of a former run with the same inputs and seed; its id is in the evidence."""
    from manyhands.journal.store import Journal
    from manyhands.settings import load_settings

    with Journal.open(load_settings().journal.path) as journal:
        _, _, content = journal.artifact(check_id)
    _judge(content.decode("utf-8", errors="replace"), as_json=as_json)


def _text(path: Path) -> str:
    from manyhands.errors import InputError

    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(
            f"{str(path)!r} cannot be read: {error}.", hint="Name a JSON file."
        ) from None


def _judge(text: str, *, as_json: bool) -> None:
    import anyio

    from manyhands.checks.kinds import check_case
    from manyhands.errors import InputError
    from manyhands.settings import load_settings

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
    policy = load_settings().sandbox.policy()
    outcome = anyio.run(check_case, case, policy)
    _tell(outcome, case, as_json=as_json)
    sys.exit(_EXIT[str(outcome.verdict)])


def _tell(outcome: CheckOutcome, case: dict[str, Any], *, as_json: bool) -> None:
    if as_json:
        told = {
            "kind": case["kind"],
            "verdict": str(outcome.verdict),
            "summary": outcome.summary,
            "evidence": outcome.evidence,
            "seconds": round(outcome.seconds, 6),
        }
        click.echo(json.dumps(told, ensure_ascii=False, indent=2, default=str))
        return
    click.echo(f"{outcome.verdict}: {outcome.summary} ({outcome.seconds:.3f} s)")
    for name, value in outcome.evidence.items():
        click.echo(f"  {name}: {str(value)[:300]}")
