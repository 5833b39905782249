"""`manyhands chat`: a conversation in the terminal."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import click

from manyhands.clean import clean

__all__ = ["command"]

_HELP = (
    "/council QUESTION · /plan QUESTION shows the plan first\n"
    "/remember TEXT · /recall WORDS · /forget memory:ID\n"
    "/new begins afresh · /fork goes on in a copy · /list · /help · /quit"
)
#: A command of the chat about memory -> the words of `manyhands memory` that do it.
_MEMORY = {"/remember": ("add",), "/recall": ("search", "-k", "5"), "/forget": ("forget",)}


@click.command("chat")
@click.option("--resume", "resume", default=None, is_flag=False, flag_value="last")
@click.option("--fork", "fork", default="", help="Go on in a copy of this conversation.")
@click.option("--forget", "forget", default="", help="Erase this conversation and its runs.")
@click.option("--yes", is_flag=True, help="Do not ask before --forget.")
@click.option("--list", "list_only", is_flag=True, help="List conversations and leave.")
@click.option("--data", "data", multiple=True, type=click.Path(), help="A data file; repeatable.")
@click.option("--role", default="", help="The role that writes the answers.")
@click.option("--plan", "show_plan", is_flag=True, help="Show each plan and ask before it runs.")
def command(
    resume: str | None,
    fork: str,
    forget: str,
    yes: bool,
    list_only: bool,
    data: tuple[str, ...],
    role: str,
    show_plan: bool,
) -> None:
    """Talk with the mind. --resume goes on with the last conversation, or with the one named."""
    from rich.console import Console

    from manyhands.cli.asking import play, tell, terminal_mind
    from manyhands.cli.given import check_text
    from manyhands.cli.reviewing import review_at_terminal
    from manyhands.cli.servers import warn_of_clear_text
    from manyhands.errors import InputError, ManyhandsError

    if forget:
        _forget(forget, yes=yes)
        return
    console = Console()
    mind = terminal_mind(console)
    with mind.journal() as journal:
        if list_only:
            for item in journal.conversations():
                click.echo(clean(f"{item.id}  {item.title}"))
            return
        conversation = journal.fork(journal.whole_id("conversations", fork)) if fork else ""
        if resume is not None:
            latest = journal.conversations(limit=1)
            conversation = (
                (latest[0].id if latest else "")
                if resume == "last"
                else journal.whole_id("conversations", resume)
            )
        if conversation:
            for run in journal.conversation(conversation).runs:
                click.echo(clean(f"you: {run.question}\nmind: {run.answer or run.state}\n"))
    click.echo(_HELP)
    warn_of_clear_text(mind.settings)
    while True:
        try:
            text = click.prompt("you", prompt_suffix="> ").strip()
        except click.Abort:
            click.echo("")
            return
        if text == "/quit":
            return
        try:
            check_text(text, "The line")
        except InputError as error:
            click.echo(str(error), err=True)
            continue
        if text in ("/new", "/fork", "/list"):
            conversation = _command(mind, text, conversation)
            continue
        if text == "/help":
            click.echo(_HELP)
            continue
        command, _, rest = text.partition(" ")
        if command in _MEMORY:
            _memory(command, rest.strip())
            continue
        council, planned = command == "/council", command == "/plan"
        if command.startswith("/") and not (council or planned):
            click.echo(f"There is no {command}.\n{_HELP}")
            continue
        ask = partial(
            mind.stream,
            rest if council or planned else text,
            data=list(data),
            role=role,
            conversation_id=conversation,
            council=council,
            save_folder=Path.cwd(),
            review=review_at_terminal(console) if planned or show_plan else None,
        )
        try:
            answer = play(
                ask,
                console,
                quiet=False,
            )
        except ManyhandsError as error:
            click.echo(str(error), err=True)
            continue
        except SystemExit:
            continue  # Ctrl-C stopped the answer, not the conversation
        conversation = answer.conversation_id
        tell(answer, console, as_json=False)


def _forget(beginning: str, *, yes: bool) -> None:
    from manyhands.cli.forgetting import forget_runs
    from manyhands.journal.store import Journal
    from manyhands.settings import load_settings

    settings = load_settings()
    with Journal.open(settings.journal.path) as journal:
        found = journal.conversation(journal.whole_id("conversations", beginning))
    forget_runs(settings, found.runs, yes=yes, conversation=found.id)


def _memory(command: str, rest: str) -> None:
    from manyhands.cli.commands.memory import command as memory
    from manyhands.errors import ManyhandsError

    if not rest:
        click.echo(f"Say what, for example: {command} the tide table is in data/tides.csv")
        return
    try:
        memory.main([*_MEMORY[command], "--", rest], "manyhands memory", standalone_mode=False)
    except ManyhandsError as error:
        click.echo(str(error), err=True)
    except click.Abort:
        click.echo("")


def _command(mind: object, text: str, conversation: str) -> str:
    """A slash command; the conversation to go on with."""
    from manyhands.mind.mind import Mind

    assert isinstance(mind, Mind)
    if text == "/new":
        return ""
    with mind.journal() as journal:
        if text == "/list":
            for item in journal.conversations():
                click.echo(clean(f"{item.id}  {item.title}"))
            return conversation
        if not conversation:
            click.echo("There is nothing to fork yet.")
            return conversation
        forked = journal.fork(conversation)
    click.echo(f"Going on in {forked}.")
    return forked
