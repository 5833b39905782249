"""`manyhands ask`: one question, answered end to end."""

from __future__ import annotations

import sys
from pathlib import Path

import click

__all__ = ["command"]


@click.command("ask")
@click.argument("question")
@click.option("--data", "data", multiple=True, type=click.Path(), help="A data file; repeatable.")
@click.option("--role", default="", help="The role that writes the answer.")
@click.option("--no-hands", is_flag=True, help="Let the mind answer alone, without any step.")
@click.option("--continue", "continue_", is_flag=True, help="Go on with the last conversation.")
@click.option("--conversation", default="", help="Go on with this conversation.")
@click.option("--plan", "show_plan", is_flag=True, help="Show the plan and ask before it runs.")
@click.option("--council", is_flag=True, help="Let several sides answer apart, then decide.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object and no trace.")
def command(
    question: str,
    data: tuple[str, ...],
    role: str,
    no_hands: bool,
    continue_: bool,
    conversation: str,
    show_plan: bool,
    council: bool,
    as_json: bool,
) -> None:
    """Ask QUESTION (`-` reads it from standard input) and get an answer that was run and checked.

    Exit codes: 0 answered, 2 bad input or settings, 3 the model server failed, 4 no sandbox,
    5 budget used up, 10 cannot, 11 failed, 130 stopped.
    """
    from rich.console import Console

    from manyhands.cli.asking import exit_code, play, tell, terminal_mind
    from manyhands.cli.given import check_text, read_stdin
    from manyhands.cli.reviewing import review_at_terminal

    text = read_stdin() if question == "-" else check_text(question, "The question")
    console = Console(stderr=as_json)
    mind = terminal_mind(console)
    if continue_ and not conversation:
        with mind.journal() as journal:
            latest = journal.conversations(limit=1)
        conversation = latest[0].id if latest else ""
    elif conversation:
        with mind.journal() as journal:
            conversation = journal.whole_id("conversations", conversation)
    answer = play(
        lambda: mind.stream(
            text,
            data=list(data),
            role=role,
            hands=not no_hands,
            conversation_id=conversation,
            council=council,
            save_folder=Path.cwd(),
            review=review_at_terminal(console) if show_plan else None,
        ),
        console,
        quiet=as_json,
    )
    tell(answer, console, as_json=as_json)
    sys.exit(exit_code(answer))
