"""Scripts written as TOML: models and what they answer to which words."""

from __future__ import annotations

import re
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from manyhands.errors import InputError
from manyhands.rehearsal.script import Fault, Reply, ScriptedModel, ScriptedRequest

__all__ = ["read_script"]

_REPLY_KEYS = {"when", "say", "thinking", "fault", "pace_s", "call"}


@dataclass(frozen=True, slots=True)
class _Rule:
    when: re.Pattern[str]
    reply: Reply


def read_script(path: Path) -> list[ScriptedModel]:
    """The models of a script file.

    Each `[[model]]` has a `name` and `[[model.reply]]` rules in order: the first whose `when`
    (a regular expression; any text without one) is found in the last message answers.

    Raises:
        InputError: the file is no such script; it names the model and the key.
    """
    try:
        script = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise InputError(
            f"The script {str(path)!r} cannot be read: {error}.", hint="See docs/rehearsal.md."
        ) from error
    models = script.get("model")
    if not isinstance(models, list) or not models:
        raise InputError(f"The script {str(path)!r} has no [[model]].", hint="Name one.")
    return [_model(item) for item in models]


def _model(item: dict[str, Any]) -> ScriptedModel:
    name = str(item.get("name") or "")
    if not name:
        raise InputError("A [[model]] has no name.", hint="Give it one, such as qwen3:30b-a3b.")
    rules = [_rule(name, rule) for rule in item.get("reply", [])]

    def reply(request: ScriptedRequest) -> Reply:
        for rule in rules:
            if rule.when.search(request.last):
                return rule.reply
        return Reply(f"No rule of the script answers {request.last[:80]!r}.")

    return ScriptedModel(
        name=name,
        reply=reply,
        size=int(item.get("size", 2_000_000)),
        capabilities=tuple(item.get("capabilities", ("completion", "tools", "thinking"))),
        dimensions=int(item.get("dimensions", 0)),
    )


def _rule(model: str, rule: dict[str, Any]) -> _Rule:
    unknown = set(rule) - _REPLY_KEYS
    if unknown:
        raise InputError(
            f"A reply of {model!r} has the unknown key {sorted(unknown)[0]!r}.",
            hint=f"Keys: {', '.join(sorted(_REPLY_KEYS))}.",
        )
    try:
        fault = Fault(rule["fault"]) if "fault" in rule else None
        when = re.compile(str(rule.get("when", "")))
    except (ValueError, re.error) as error:
        raise InputError(
            f"A reply of {model!r}: {error}.", hint="See docs/rehearsal.md."
        ) from error
    call = rule.get("call")
    return _Rule(
        when,
        Reply(
            content=str(rule.get("say", "")),
            thinking=str(rule.get("thinking", "")),
            tool_calls=((call["name"], call.get("arguments", {})),) if call else (),
            pace_s=float(rule.get("pace_s", 0.0)),
            fault=fault,
        ),
    )
