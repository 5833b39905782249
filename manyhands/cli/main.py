"""The entry point: a group whose commands are imported only when they are called."""

from __future__ import annotations

import os
import sys
from importlib import import_module

import click

from manyhands import __version__
from manyhands.clean import clean
from manyhands.errors import fault_in

__all__ = ["cli", "main"]

#: Command -> where it lies, and its line in the help; the modules are not imported for the help.
_COMMANDS = {
    "ask": ("manyhands.cli.commands.ask", "Answer one question, end to end."),
    "batch": ("manyhands.cli.commands.batch", "Many tasks from a file, resumable."),
    "chat": ("manyhands.cli.commands.chat", "Talk with the mind."),
    "check": ("manyhands.cli.commands.check", "Run a machine check, or repeat one."),
    "config": ("manyhands.cli.commands.config", "Show, locate or write the settings."),
    "demo": ("manyhands.cli.commands.demo", "The main job on real data, with scripted models."),
    "doctor": ("manyhands.cli.commands.doctor", "What is missing, each with its next command."),
    "eval": ("manyhands.cli.commands.eval", "Measure your models on machine-graded tasks."),
    "learning": ("manyhands.cli.commands.learning", "What checks taught about your models."),
    "mcp": ("manyhands.cli.commands.mcp", "The hands and the mind for IDEs, over MCP."),
    "memory": ("manyhands.cli.commands.memory", "What is remembered: find, correct, forget."),
    "rehearsal": ("manyhands.cli.commands.rehearsal", "A server that plays scripted models."),
    "roles": ("manyhands.cli.commands.roles", "List, show, write and build roles."),
    "runs": ("manyhands.cli.commands.runs", "List, show, export and resume runs."),
    "sandbox": ("manyhands.checks.sandbox.command", "Run a program the way hands do."),
    "serve": ("manyhands.cli.commands.serve", "Own the models of this machine for every door."),
    "setup": ("manyhands.cli.commands.setup", "Pull the models and build the roles."),
}


class _LazyGroup(click.Group):
    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002
        return sorted(_COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002
        if cmd_name not in _COMMANDS:
            return None
        module, _ = _COMMANDS[cmd_name]
        command: click.Command = import_module(module).command
        return command

    def format_commands(  # the help is made without importing any command
        self,
        ctx: click.Context,  # noqa: ARG002
        formatter: click.HelpFormatter,
    ) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(name, line) for name, (_, line) in sorted(_COMMANDS.items())])


@click.group(cls=_LazyGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="manyhands")
def cli() -> None:
    """One mind, many hands: local models whose answers are run and checked."""


def main() -> None:
    """Run the command line; a foreseeable fault is told in words, with the next action."""
    try:
        cli.main(standalone_mode=False)
    except click.exceptions.Exit as leaving:
        sys.exit(leaving.exit_code)
    except click.Abort:
        click.echo("Stopped.", err=True)
        sys.exit(130)
    except click.ClickException as error:
        error.show()
        sys.exit(error.exit_code)
    except BrokenPipeError:
        # Nobody reads on; what is still buffered must not fail again when Python ends.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(1)
    except OSError as error:
        if error.filename is None:
            raise
        click.echo(clean(f"manyhands: {error.filename!r}: {error.strerror}."), err=True)
        click.echo("  → Check the path and its permissions.", err=True)
        sys.exit(1)
    except Exception as error:
        fault = fault_in(error)
        if fault is None:
            raise
        click.echo(clean(f"manyhands: {fault.message}"), err=True)
        if fault.hint:
            click.echo(clean(f"  → {fault.hint}"), err=True)
        sys.exit(fault.exit_code)
