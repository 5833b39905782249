"""What a person decides at the terminal: whether a plan runs, whether an effect happens."""

from __future__ import annotations

import sys
from collections.abc import Awaitable, Callable
from functools import partial

import anyio
import click
from pydantic import ValidationError
from rich.console import Console

from manyhands.broker.contracts import Approver, Choice, Decision, Effect, deny_all
from manyhands.clean import clean
from manyhands.mind.frame import Frame
from manyhands.trace.terminal import plain, still

__all__ = ["approve_at_terminal", "review_at_terminal"]


def review_at_terminal(console: Console) -> Callable[[Frame], Awaitable[Frame | None]]:
    """A review that prints the steps and asks: run, edit (in `$EDITOR`, as JSON), or stop."""

    async def review(frame: Frame) -> Frame | None:
        with still(console):
            return await reviewed(frame)

    async def reviewed(frame: Frame) -> Frame | None:
        while True:
            _show(console, frame)
            choice = await _chosen("Run this plan?", ["run", "edit", "stop"], "run", unsaid="stop")
            if choice == "run":
                return frame
            if choice == "stop":
                return None
            try:
                text = frame.model_dump_json(indent=2)
                edited = await anyio.to_thread.run_sync(_edited, text, abandon_on_cancel=True)
                if edited is not None:
                    frame = Frame.model_validate_json(edited)
            except (ValidationError, click.ClickException) as error:
                console.print(plain(f"The edited plan cannot be used: {error}", "yellow"))

    return review


def _show(console: Console, frame: Frame) -> None:
    console.print(plain(f"Goal: {frame.goal}"))
    unknowns = [f"{one.what} ({one.how.replace('_', ' ')})" for one in frame.unknowns]
    for label, said in (
        ("Given", frame.givens),
        ("To find out", unknowns),
        ("Constraints", frame.constraints),
        ("Checks", frame.checks),
    ):
        if said:
            console.print(plain(f"{label}: {'; '.join(said)}"))
    for step in frame.steps:
        needs = f" (needs {', '.join(step.needs)})" if step.needs else ""
        console.print(plain(f"  {step.id} · {step.hand}: {step.task}{needs}"))


def _edited(text: str) -> str | None:
    return click.edit(text, extension=".json")


def approve_at_terminal(console: Console) -> Approver:
    """Asks about an effect; where nobody sits at the keyboard, nothing is approved."""
    if not sys.stdin.isatty():
        return deny_all

    async def approve(effect: Effect, decision: Decision) -> Choice:
        console.print(plain(f"\n{effect.tool}: {effect.summary}", "bold"))
        console.print(plain(f"  asked because {decision.why}"))
        if effect.too_long:
            console.print(plain(effect.too_long, "yellow"))
            return Choice.NO
        console.print(plain(effect.whole))
        choices = ["once", *(["session"] if decision.session else []), "no"]
        with still(console):
            return Choice(await _chosen("Allow this?", choices, "no", unsaid="no"))

    return approve


async def _chosen(question: str, choices: list[str], default: str, *, unsaid: str) -> str:
    """What the user chose; `unsaid` where the input ends without an answer.

    At a terminal nothing is read before a line is there: a thread that reads would keep the program
    from ending at Ctrl-C until somebody presses Enter.
    """
    if sys.platform == "win32" or not sys.stdin.isatty():
        return await anyio.to_thread.run_sync(
            partial(_prompted, question, choices, default, unsaid), abandon_on_cancel=True
        )
    while True:
        click.echo(f"{question} ({', '.join(choices)}) [{default}]: ", nl=False)
        await anyio.wait_readable(sys.stdin)
        line = sys.stdin.readline()
        if not line:
            click.echo("")
            return unsaid
        said = line.strip() or default
        if said in choices:
            return said
        click.echo(f"{clean(said)!r} is none of: {', '.join(choices)}.")


def _prompted(question: str, choices: list[str], default: str, unsaid: str) -> str:
    try:
        answer: str = click.prompt(question, type=click.Choice(choices), default=default)
    except click.Abort:
        click.echo("")
        return unsaid
    return answer
