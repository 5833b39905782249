"""What was typed after `%mind`, `%%mind` and `%%hand`: options first, then the text as it is."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field

from manyhands.errors import InputError

__all__ = ["SUBCOMMANDS", "Words", "read_words"]

#: Word after `%mind` -> how many words may follow it for it to be that command.
SUBCOMMANDS = {
    "fix": 1000,
    "explain": 1000,
    "memory": 1000,
    "bad": 1000,
    "good": 1000,
    "status": 0,
    "new": 0,
    "panel": 0,
    "help": 0,
    "stop": 1,
    "runs": 1,
    "roles": 1,
    "see": 1,
    "trace": 1,
    "resume": 1,
    "rehearse": 1,
    "allow": 1,
    "limit": 1,
}
_FLAGS = {"--no-hands", "--wait", "--no-context", "--council"}
_VALUED = {"--role", "--data", "--to"}
_HAND_VALUED = {
    "--entry",
    "--kind",
    "--given",
    "--chart",
    "--x",
    "--y",
    "--agg",
    "--subject",
    "--cell",
}
_OPTION = re.compile(r"(--[a-z-]+)(?:=(?:\"([^\"]*)\"|'([^']*)'|(\S+)))?(?=\s|$)")
_VALUE = re.compile(r"\s+(?:\"([^\"]*)\"|'([^']*)'|(\S+))")


@dataclass(frozen=True, slots=True)
class Words:
    """A line that was read.

    Attributes:
        command: one of `SUBCOMMANDS`; empty for a question.
        text: the question, or what follows the command.
        data: names of variables, or paths.
        to: the variable that gets the answer.
        hand: options of `%%hand` by their names.
    """

    command: str = ""
    text: str = ""
    role: str = ""
    data: tuple[str, ...] = ()
    to: str = ""
    hands: bool = True
    wait: bool = False
    context: bool = True
    council: bool = False
    hand: dict[str, str] = field(default_factory=dict)


def read_words(line: str, cell: str | None = None, *, of_hand: bool = False) -> Words:
    """Read a magic's line and cell.

    Args:
        cell: its text is the question; the line may then hold options and the beginning of it.
        of_hand: the options of `%%hand` are known too.

    Raises:
        InputError: an unknown option, or one without its value.
    """
    rest, command = line.strip(), ""
    first = rest.split(None, 1)[0] if rest else ""
    if cell is None and not of_hand and first in SUBCOMMANDS:
        after = rest[len(first) :].strip()
        if len(_without_options(after).split()) <= SUBCOMMANDS[first]:
            command, rest = first, after
    flags, values, text = _options(rest, _VALUED | (_HAND_VALUED if of_hand else set()))
    whole = "\n".join(part for part in (text, (cell or "").strip()) if part)
    to = values.get("--to", "")
    if to and not to.isidentifier():
        raise InputError(f"{to!r} is no name for a variable.", hint="For example: --to answer")
    return Words(
        command=command,
        text=whole,
        role=values.get("--role", ""),
        data=tuple(one.strip() for one in values.get("--data", "").split(",") if one.strip()),
        to=to,
        hands="--no-hands" not in flags,
        wait="--wait" in flags or bool(to),
        context="--no-context" not in flags,
        council="--council" in flags,
        hand={name[2:]: value for name, value in values.items() if name in _HAND_VALUED},
    )


def _options(rest: str, valued: set[str]) -> tuple[set[str], dict[str, str], str]:
    flags: set[str] = set()
    values: dict[str, str] = {}
    while rest.startswith("--"):
        match = _OPTION.match(rest)
        name = match[1] if match is not None else rest.split(None, 1)[0]
        if match is None or name not in _FLAGS | valued:
            raise InputError(
                f"There is no option {name!r}.",
                hint=f"Options: {' '.join(sorted(_FLAGS | valued))}.",
            )
        rest = rest[match.end() :]
        if name in _FLAGS:
            flags.add(name)
        elif "=" in match.group():
            values[name] = _first(match.groups()[1:])
        else:
            given = _VALUE.match(rest)
            if given is None:
                raise InputError(f"Option {name} needs a value.", hint=f"For example: {name} x")
            values[name] = _first(given.groups())
            rest = rest[given.end() :]
        rest = rest.lstrip()
    return flags, values, rest


def _first(groups: Sequence[str | None]) -> str:
    return next((group for group in groups if group is not None), "")


def _without_options(text: str) -> str:
    return re.sub(r"--[a-z-]+(?:[= ]\S+)?", "", text)
