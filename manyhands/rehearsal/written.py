"""Scripts written as TOML: a machine, its models, and what they answer to which words."""

from __future__ import annotations

import re
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from manyhands.errors import InputError
from manyhands.rehearsal.profile import GB, Profile
from manyhands.rehearsal.script import Fault, Reply, ScriptedModel, ScriptedRequest

__all__ = ["Script", "read_script"]

_Positive = Annotated[float, Field(ge=0)]


def _pattern(value: Any) -> Any:
    if not isinstance(value, str):
        return value
    try:
        return re.compile(value, re.IGNORECASE)
    except re.error as error:
        raise ValueError(f"{value!r} is no regular expression: {error}") from None


_Pattern = Annotated[re.Pattern[str], BeforeValidator(_pattern)]


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class _Call(_Part):
    name: str
    arguments: dict[str, Any] = {}


class _Rule(_Part):
    when: _Pattern = re.compile("")
    system: _Pattern = re.compile("")
    number: int | None = None
    images: Annotated[int, Field(ge=0)] | None = None
    say: str = ""
    thinking: str = ""
    calls: tuple[_Call, ...] = ()
    pieces: list[str] = []
    pace_s: _Positive = 0.0
    done_reason: str = "stop"
    fault: Fault | None = None

    def meets(self, request: ScriptedRequest) -> bool:
        return (
            self.number in (None, request.number)
            and self.images in (None, len(request.images))
            and bool(self.when.search(request.last))
            and bool(self.system.search(request.system))
        )

    def reply(self) -> Reply:
        return Reply(
            content=self.say,
            thinking=self.thinking,
            tool_calls=tuple((call.name, call.arguments) for call in self.calls),
            pieces=tuple(self.pieces),
            pace_s=self.pace_s,
            done_reason=self.done_reason,
            fault=self.fault,
        )


class _Model(_Part):
    name: Annotated[str, Field(min_length=1)]
    size_gb: _Positive = 0.002
    capabilities: tuple[str, ...] = ("completion", "tools", "thinking")
    dimensions: Annotated[int, Field(ge=0)] = 0
    context_length: Annotated[int, Field(gt=0)] = 262_144
    reply: tuple[_Rule, ...] = ()

    def scripted(self) -> ScriptedModel:
        def answer(request: ScriptedRequest) -> Reply:
            for rule in self.reply:
                if rule.meets(request):
                    return rule.reply()
            return Reply(f"No rule of the script answers {request.last[:80]!r}.")

        return ScriptedModel(
            name=self.name,
            reply=answer,
            size=int(self.size_gb * GB),
            capabilities=self.capabilities,
            dimensions=self.dimensions,
            context_length=self.context_length,
        )


class _Machine(_Part):
    vram_gb: _Positive = 0.0
    load_gb_s: _Positive = 0.0
    fixed_load_s: _Positive = 0.0
    prefill_tok_s: _Positive = 0.0
    decode_tok_s: _Positive = 0.0
    clock_scale: _Positive = 1.0
    max_loaded: Annotated[int, Field(gt=0)] = 3

    def profile(self) -> Profile:
        rest = self.model_dump(exclude={"vram_gb"})
        return Profile("declared by the script", vram=int(self.vram_gb * GB), **rest)


class _File(_Part):
    machine: _Machine = _Machine()
    model: Annotated[tuple[_Model, ...], Field(min_length=1)]


@dataclass(frozen=True, slots=True)
class Script:
    """A script file as the server takes it."""

    models: tuple[ScriptedModel, ...]
    machine: Profile


def read_script(path: Path) -> Script:
    """Read a script; its format is described in docs/rehearsal.md.

    Raises:
        InputError: the file is no such script; it names each key that is wrong.
    """
    try:
        written = tomllib.loads(path.read_text(encoding="utf-8"))
        file = _File.model_validate(written)
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise InputError(
            f"The script {str(path)!r} cannot be read: {error}.", hint="See docs/rehearsal.md."
        ) from error
    except ValidationError as error:
        complaints = "; ".join(
            f"{_place(item['loc'])}: {item['msg'].removeprefix('Value error, ')}"
            for item in error.errors(include_url=False)
        )
        raise InputError(
            f"The script {str(path)!r} is not right: {complaints}.", hint="See docs/rehearsal.md."
        ) from error
    return Script(tuple(model.scripted() for model in file.model), file.machine.profile())


def _place(where: tuple[int | str, ...]) -> str:
    """`("model", 0, "reply", 1, "fault")` as people count: `model 1, reply 2, fault`."""
    words: list[str] = []
    for part in where:
        if isinstance(part, int) and words:
            words[-1] += f" {part + 1}"
        else:
            words.append(str(part))
    return ", ".join(words)
