"""What was typed for `%%hand`: its name, its task, and the step that they make."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from manyhands.errors import InputError
from manyhands.hands.contracts import OWN_WORD, HandName
from manyhands_jupyter.magics.words import Words, read_words

if TYPE_CHECKING:
    from manyhands.mind.frame import PlanStep
    from manyhands_jupyter.session import Session

__all__ = ["FORMS", "hand_words", "handed_over", "step_of"]

#: Hand -> how it is called.
FORMS = {
    "code": "%%hand code --entry rises --data co2",
    "math": '%%hand math --kind derivative --given "f=x*exp(x),var=x"',
    "visualize": "%%hand visualize --data co2 --chart line --x year --y ppm",
    "verify": "%%hand verify --data co2",
}


def hand_words(line: str, cell: str | None) -> tuple[str, Words]:
    """The hand's name and the words after it.

    Raises:
        InputError: no such hand, or nothing for it to do.
    """
    name, _, rest = line.strip().partition(" ")
    if name not in FORMS:
        raise InputError(
            f"There is no hand {name!r}.", hint=f"%%hand takes one of: {', '.join(FORMS)}."
        )
    try:
        words = read_words(rest, cell or "", of_hand=True)
    except InputError as error:
        raise InputError(error.message, hint=f"{error.hint} {_as_in(name)}") from None
    handed_over = {"subject", "cell"} & words.hand.keys()
    if handed_over and name != "verify":
        raise InputError(f"The hand {name} takes no --{min(handed_over)}.", hint="verify does.")
    if not words.text and not handed_over:
        hint = f"Write its task in the cell. {_as_in(name)}"
        raise InputError(f"The hand {name} has nothing to do.", hint=hint)
    return name, words


def _as_in(name: str) -> str:
    return f"For example: {FORMS[name]}"


def step_of(name: str, words: Words, task: str, subject: str, data: Iterable[str]) -> PlanStep:
    """The step as a plan would have it.

    Args:
        subject: what `verify` is handed; empty for none.
        data: names of the tables that the hand gets.

    Raises:
        InputError: an option's value is none that this hand takes.
    """
    from manyhands.mind.single import plan_step

    given = words.hand
    fields: dict[str, Any] = {"task": task or OWN_WORD, "subject": subject, "data": list(data)}
    for option, field in (("entry", "entry_point"), ("kind", "kind"), ("chart", "chart")):
        if option in given:
            fields[field] = given[option]
    fields.update({field: given[field] for field in ("x", "y", "agg") if field in given})
    if "given" in given:
        fields["given"] = _pairs(given["given"])
    try:
        return plan_step(HandName(name), fields)
    except InputError as error:
        raise InputError(error.message, hint=_as_in(name)) from None


def handed_over(words: Words, session: Session) -> str:
    """The subject that `--subject` and `--cell` name; empty without them.

    `--cell` alone is the execution of that number in this kernel, with those before it that made
    what it uses and did not fail.

    Raises:
        InputError: there is no such thing, or it is no text.
    """
    from manyhands.checks.subject import last_with_what_it_needs
    from manyhands.hands.subjects import subject_text
    from manyhands.journal.store import Journal

    said = words.hand.get("cell", "0")
    if not said.isdecimal():
        raise InputError(f"--cell {said!r} is no number.", hint="For example: --cell 3")
    cell, name = int(said), words.hand.get("subject", "")

    def artifact(artifact_id: str) -> bytes:
        with Journal.open(session.settings.journal.path) as journal:
            return journal.artifact(artifact_id)[2]

    if name:
        return subject_text(name, artifact, Path, cell)
    if not cell:
        return ""
    typed: list[str] = session.shell.history_manager.input_hist_raw
    if cell >= min(len(typed), session.shell.execution_count):
        raise InputError(f"There was no cell [{cell}] in this kernel.", hint="See its number.")
    failed = {ran.number for ran in session.recorder.cells() if ran.error and ran.number != cell}
    return last_with_what_it_needs([typed[n] for n in range(1, cell + 1) if n not in failed])


def _pairs(text: str) -> dict[str, str]:
    """`f=x**2, var=x` as a mapping; a comma inside brackets does not part two."""
    parts, depth = [""], 0
    for sign in text:
        depth += (sign in "([{") - (sign in ")]}")
        if sign == "," and depth == 0:
            parts.append("")
        else:
            parts[-1] += sign
    pairs = {}
    for part in parts:
        name, equals, value = part.partition("=")
        if not equals or not name.strip().isidentifier():
            raise InputError(
                f"--given {text!r} is no list of name=value.",
                hint='For example: --given "f=x*exp(x),var=x"',
            )
        pairs[name.strip()] = value.strip()
    return pairs
