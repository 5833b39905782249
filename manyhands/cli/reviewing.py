"""What a person decides at the terminal: whether a plan runs, whether an effect happens."""

from __future__ import annotations

import sys
from collections.abc import Awaitable, Callable

import anyio
import click
from pydantic import ValidationError
from rich.console import Console
from rich.text import Text

from manyhands.broker.contracts import Approver, Choice, Effect, deny_all
from manyhands.mind.frame import Frame

__all__ = ["approve_at_terminal", "review_at_terminal"]


def review_at_terminal(console: Console) -> Callable[[Frame], Awaitable[Frame | None]]:
    """A review that prints the steps and asks: run, edit (in `$EDITOR`, as JSON), or stop."""

    async def review(frame: Frame) -> Frame | None:
        return await anyio.to_thread.run_sync(_ask, console, frame, abandon_on_cancel=True)

    return review


def _ask(console: Console, frame: Frame) -> Frame | None:
    while True:
        console.print(Text(f"Goal: {frame.goal}"))
        unknowns = [f"{one.what} ({one.how.replace('_', ' ')})" for one in frame.unknowns]
        for label, said in (
            ("Given", frame.givens),
            ("To find out", unknowns),
            ("Constraints", frame.constraints),
            ("Checks", frame.checks),
        ):
            if said:
                console.print(Text(f"{label}: {'; '.join(said)}"))
        for step in frame.steps:
            needs = f" (needs {', '.join(step.needs)})" if step.needs else ""
            console.print(Text(f"  {step.id} · {step.hand}: {step.task}{needs}"))
        choice = click.prompt(
            "Run this plan?", type=click.Choice(["run", "edit", "stop"]), default="run"
        )
        if choice == "run":
            return frame
        if choice == "stop":
            return None
        edited = click.edit(frame.model_dump_json(indent=2), extension=".json")
        if edited is None:
            continue
        try:
            frame = Frame.model_validate_json(edited)
        except ValidationError as error:
            console.print(Text(f"The edited plan cannot be used: {error}", style="yellow"))


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
    console.print(Text(f"\n{effect.tool}: {effect.summary}", style="bold"))
    console.print(Text(f"  asked because {why}"))
    for name, value in effect.arguments.items():
        console.print(Text(f"  {name}: {str(value)[:300]}"))
    if effect.preview:
        console.print(Text(effect.preview))
    answer = click.prompt("Allow this?", type=click.Choice(["once", "session", "no"]), default="no")
    return Choice(answer)
