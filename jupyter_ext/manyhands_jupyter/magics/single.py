"""What was typed for `%%hand`: its name, its task, and the fields that its kind of work takes."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from manyhands.errors import InputError
from manyhands.hands.contracts import OWN_WORD
from manyhands_jupyter.magics.words import Words, read_words

if TYPE_CHECKING:
    from manyhands_jupyter.session import Session

__all__ = ["HANDS", "fields_of", "hand_words", "handed_over"]

HANDS = ("code", "math", "visualize", "verify")


def hand_words(line: str, cell: str | None) -> tuple[str, Words]:
    """The hand's name and the words after it.

    Raises:
        InputError: no such hand, or nothing for it to do.
    """
    name, _, rest = line.strip().partition(" ")
    if name not in HANDS:
        raise InputError(
            f"There is no hand {name!r}.", hint=f"%%hand takes one of: {', '.join(HANDS)}."
        )
    words = read_words(rest, cell or "", of_hand=True)
    handed_over = {"subject", "cell"} & words.hand.keys()
    if handed_over and name != "verify":
        raise InputError(f"The hand {name} takes no --{min(handed_over)}.", hint="verify does.")
    if not words.text and not handed_over:
        raise InputError(f"The hand {name} has nothing to do.", hint="Write its task in the cell.")
    return name, words


def fields_of(words: Words, task: str) -> dict[str, Any]:
    """The fields of the step as a plan would have them."""
    given = words.hand
    fields: dict[str, Any] = {"task": task or OWN_WORD}
    for option, name in (("entry", "entry_point"), ("kind", "kind"), ("chart", "chart")):
        if option in given:
            fields[name] = given[option]
    fields.update({name: given[name] for name in ("x", "y", "agg") if name in given})
    if "given" in given:
        fields["given"] = _pairs(given["given"])
    return fields


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
