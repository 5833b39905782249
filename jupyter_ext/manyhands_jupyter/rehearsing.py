"""Scripted models for a notebook: a dry run without weights that says what it is everywhere."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

from manyhands.errors import InputError

if TYPE_CHECKING:
    from manyhands.rehearsal.script import Reply, ScriptedRequest
    from manyhands.settings import Settings

__all__ = ["Rehearsal"]


class Rehearsal:
    """A rehearsal server of this kernel, on loopback, until it is ended.

    Attributes:
        settings: those given, with every tier played by the script.
    """

    def __init__(self, settings: Settings, script: Path) -> None:
        from manyhands.rehearsal.stage import scripted_tiers
        from manyhands.rehearsal.written import read_script

        path = script.expanduser()
        if not path.is_file():
            raise InputError(
                f"There is no script {str(script)!r}.",
                hint="Give a TOML file as docs/rehearsal.md describes it.",
            )
        play = read_script(path)
        by_name = {model.name: model.reply for model in play.models}
        usual = play.models[0].reply

        def reply(request: ScriptedRequest) -> Reply | str:
            return by_name.get(request.model, usual)(request)

        self._stack = ExitStack()
        self.settings = self._stack.enter_context(scripted_tiers(settings, reply, play.machine))
        self.script = path

    def end(self) -> None:
        self._stack.close()
