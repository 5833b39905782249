"""What was typed for `%%hand`: its name, its task, and the fields that its kind of work takes."""

from __future__ import annotations

from typing import Any

from manyhands.errors import InputError
from manyhands_jupyter.magics.words import Words, read_words

__all__ = ["HANDS", "fields_of", "hand_words"]

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
    if not words.text:
        raise InputError(f"The hand {name} has nothing to do.", hint="Write its task in the cell.")
    return name, words


def fields_of(words: Words, task: str) -> dict[str, Any]:
    """The fields of the step as a plan would have them."""
    given = words.hand
    fields: dict[str, Any] = {"task": task}
    for option, name in (("entry", "entry_point"), ("kind", "kind"), ("chart", "chart")):
        if option in given:
            fields[name] = given[option]
    fields.update({name: given[name] for name in ("x", "y", "agg") if name in given})
    if "given" in given:
        fields["given"] = _pairs(given["given"])
    return fields


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
