"""Showing a plan at the terminal before it runs, with a chance to edit it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import anyio
import click
from pydantic import ValidationError
from rich.console import Console
from rich.text import Text

from manyhands.mind.frame import Frame

__all__ = ["review_at_terminal"]


def review_at_terminal(console: Console) -> Callable[[Frame], Awaitable[Frame | None]]:
    """A review that prints the steps and asks: run, edit (in `$EDITOR`, as JSON), or stop."""

    async def review(frame: Frame) -> Frame | None:
        return await anyio.to_thread.run_sync(_ask, console, frame, abandon_on_cancel=True)

    return review


def _ask(console: Console, frame: Frame) -> Frame | None:
    while True:
        console.print(Text(f"Goal: {frame.goal}"))
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
