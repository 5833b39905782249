"""The Modelfile: reading and writing the grammar that Ollama's own command line reads.

Grammar (Ollama `parser/parser.go`): `#` starts a comment line; an instruction's name is
case-insensitive; a value reaches to the end of its line, or is held by `"…"` or `\"\"\"…\"\"\"`,
which may span lines and have no escapes.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

from manyhands.errors import RoleError

__all__ = ["Modelfile", "ParameterValue", "parse_modelfile", "typed_value"]

ParameterValue = int | float | bool | str | tuple[str, ...]

_SINGLE: Final = {
    "SYSTEM": "system",
    "TEMPLATE": "template",
    "ADAPTER": "adapter",
    "RENDERER": "renderer",
    "PARSER": "parser",
    "LICENSE": "license",
    "REQUIRES": "requires",
    "DRAFT": "draft",
}
_QUOTES: Final = ('"""', '"')
_WHOLE: Final = frozenset(
    (
        "num_keep",
        "seed",
        "num_predict",
        "top_k",
        "repeat_last_n",
        "num_ctx",
        "num_batch",
        "num_gpu",
        "main_gpu",
        "num_thread",
        "draft_num_predict",
    )
)
_FRACTION: Final = frozenset(
    (
        "top_p",
        "min_p",
        "typical_p",
        "temperature",
        "repeat_penalty",
        "presence_penalty",
        "frequency_penalty",
    )
)
_FLAG: Final = frozenset(["use_mmap"])


@dataclass(frozen=True, slots=True)
class Modelfile:
    """What a Modelfile says. Texts that it does not set are empty.

    Attributes:
        bases: the values of FROM; the first is the model, others are projectors.
        parameters: name -> value; `stop`, which may be repeated, is a tuple.
        messages: (role, text) in order.
    """

    bases: tuple[str, ...]
    parameters: dict[str, ParameterValue] = field(default_factory=dict)
    system: str = ""
    messages: tuple[tuple[str, str], ...] = ()
    adapter: str = ""
    template: str = ""
    renderer: str = ""
    parser: str = ""
    license: str = ""
    requires: str = ""
    draft: str = ""

    @property
    def base(self) -> str:
        return self.bases[0]

    def __str__(self) -> str:
        """The text of a Modelfile that says the same."""
        lines = [f"FROM {base}" for base in self.bases]
        if self.adapter:
            lines.append(f"ADAPTER {self.adapter}")
        for name, value in self.parameters.items():
            for one in value if isinstance(value, tuple) else (value,):
                lines.append(f"PARAMETER {name} {_written(one)}")
        if self.system:
            lines.append(f'SYSTEM """{self.system}"""')
        lines += [f'MESSAGE {role} """{text}"""' for role, text in self.messages]
        return "\n".join(lines) + "\n"


def _written(value: int | float | bool | str) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return f'"{value}"' if isinstance(value, str) else f"{value:g}" if _short(value) else str(value)


def _short(value: float) -> bool:
    return isinstance(value, float) and float(f"{value:g}") == value


def parse_modelfile(text: str, name: str = "Modelfile") -> Modelfile:
    """Read a Modelfile.

    Args:
        name: what a complaint calls it, a path for instance.

    Raises:
        RoleError: the text breaks the grammar; the message names the line.
    """
    bases: list[str] = []
    stops: list[str] = []
    parameters: dict[str, ParameterValue] = {}
    messages: list[tuple[str, str]] = []
    singles: dict[str, str] = {}
    lines = text.removeprefix("\ufeff").replace("\r\n", "\n").split("\n")
    number = 0
    while number < len(lines):
        start = number + 1
        line = lines[number].strip()
        number += 1
        if not line or line.startswith("#"):
            continue
        word, rest = _word(line)
        instruction, first = word.upper(), ""
        if instruction in ("PARAMETER", "MESSAGE"):
            first, rest = _word(rest)
        value, number = _value(rest, lines, number, f"{name}:{start}")
        if not value and instruction != "SYSTEM":
            raise RoleError(f"{name}:{start}: {instruction} has no value.")
        if instruction == "FROM":
            bases.append(value)
        elif instruction == "PARAMETER" and first == "stop":
            stops.append(value)
        elif instruction == "PARAMETER":
            parameters[first] = _parameter(first, value, f"{name}:{start}")
        elif instruction == "MESSAGE":
            if first not in ("system", "user", "assistant"):
                raise RoleError(
                    f"{name}:{start}: MESSAGE has the role {first!r}; "
                    "allowed: system, user, assistant."
                )
            messages.append((first, value))
        elif instruction in _SINGLE:
            singles[_SINGLE[instruction]] = value
        else:
            known = ", ".join(["FROM", "PARAMETER", "MESSAGE", *_SINGLE])
            raise RoleError(f"{name}:{start}: {word!r} is no instruction; allowed: {known}.")
    if not bases:
        raise RoleError(f"{name}: there is no FROM, so it names no model.")
    if stops:
        parameters["stop"] = tuple(stops)
    return Modelfile(tuple(bases), parameters, messages=tuple(messages), **singles)


def _word(text: str) -> tuple[str, str]:
    """The first word, and the rest."""
    parts = [*text.split(None, 1), "", ""]
    return parts[0], parts[1]


def _value(rest: str, lines: list[str], number: int, place: str) -> tuple[str, int]:
    """A value that starts with `rest`, and the number of the next unread line."""
    quote = next((mark for mark in _QUOTES if rest.startswith(mark)), "")
    if not quote:
        return rest, number
    held = rest
    while len(held.rstrip()) < 2 * len(quote) or not held.rstrip().endswith(quote):
        if number >= len(lines):
            raise RoleError(f"{place}: the value that starts here with {quote} is never closed.")
        held += "\n" + lines[number]
        number += 1
    return held.rstrip()[len(quote) : -len(quote)], number


def _parameter(name: str, value: str, place: str) -> ParameterValue:
    try:
        return typed_value(name, value)
    except ValueError:
        raise RoleError(f"{place}: PARAMETER {name} cannot be {value!r}.") from None


def typed_value(name: str, value: str) -> int | float | bool | str:
    """A parameter's text as the type that the server wants; unknown names stay text.

    Raises:
        ValueError: it is not of that type.
    """
    if name in _WHOLE:
        return int(value)
    if name in _FRACTION:
        return float(value)
    if name in _FLAG:
        if value.lower() not in ("true", "false"):
            raise ValueError(value)
        return value.lower() == "true"
    return value
