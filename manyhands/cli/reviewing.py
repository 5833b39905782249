"""What a person decides at the terminal: whether a plan runs, whether an effect happens."""

from __future__ import annotations

import sys
from collections.abc import Awaitable, Callable

import anyio
import click
from pydantic import ValidationError
from rich.console import Console

from manyhands.broker.contracts import Approver, Choice, Effect, deny_all
from manyhands.mind.frame import Frame
from manyhands.trace.terminal import plain

__all__ = ["approve_at_terminal", "review_at_terminal"]


def review_at_terminal(console: Console) -> Callable[[Frame], Awaitable[Frame | None]]:
    """A review that prints the steps and asks: run, edit (in `$EDITOR`, as JSON), or stop."""

    async def review(frame: Frame) -> Frame | None:
        return await anyio.to_thread.run_sync(_ask, console, frame, abandon_on_cancel=True)

    return review


def _ask(console: Console, frame: Frame) -> Frame | None:
    while True:
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
        choice = _chosen("Run this plan?", ["run", "edit", "stop"], "run", unsaid="stop")
        if choice == "run":
            return frame
        if choice == "stop":
            return None
        try:
            edited = click.edit(frame.model_dump_json(indent=2), extension=".json")
            if edited is not None:
                frame = Frame.model_validate_json(edited)
        except (ValidationError, click.ClickException) as error:
            console.print(plain(f"The edited plan cannot be used: {error}", "yellow"))


def approve_at_terminal(console: Console) -> Approver:
    """Asks about an effect; where nobody sits at the keyboard, nothing is approved."""
    if not sys.stdin.isatty():
        return deny_all

    async def approve(effect: Effect, why: str) -> Choice:
        return await anyio.to_thread.run_sync(
            _approve, console, effect, why, abandon_on_cancel=True
        )

    return approve


def _approve(console: Console, effect: Effect, why: str) -> Choice:
    console.print(plain(f"\n{effect.tool}: {effect.summary}", "bold"))
    console.print(plain(f"  asked because {why}"))
    if effect.too_long:
        console.print(plain(effect.too_long, "yellow"))
        return Choice.NO
    console.print(plain(effect.whole))
    return Choice(_chosen("Allow this?", ["once", "session", "no"], "no", unsaid="no"))


def _chosen(question: str, choices: list[str], default: str, *, unsaid: str) -> str:
    """What the user chose; `unsaid` where the input ends without an answer."""
    try:
        answer: str = click.prompt(question, type=click.Choice(choices), default=default)
    except click.Abort:
        click.echo("")
        return unsaid
    return answer
