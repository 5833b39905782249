"""Turning a failed validation into one sentence: where, which key, what stood there, what may."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, get_args, get_origin

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

__all__ = ["Complaint", "complaint_of", "legal_keys", "nearest"]

_KINDS: Final = {
    "int_parsing": "a whole number",
    "int_type": "a whole number",
    "int_from_float": "a whole number",
    "float_parsing": "a number",
    "float_type": "a number",
    "bool_parsing": "true or false",
    "bool_type": "true or false",
    "string_type": "a text in quotes",
    "string_too_short": "a text that is not empty",
    "list_type": "a list",
    "tuple_type": "a list",
    "too_short": "a list that is not empty",
    "dict_type": "a table",
    "model_type": "a table",
    "path_type": "a path in quotes",
    "path_parsing": "a path in quotes",
}
_BOUNDS: Final = {
    "ge": "at least {}",
    "gt": "more than {}",
    "le": "at most {}",
    "lt": "less than {}",
}


@dataclass(frozen=True, slots=True)
class Complaint:
    """One fault.

    Attributes:
        path: the key it is about.
        sentence: what is wrong and what is allowed, without the place.
        other_path: the second key, where two of them disagree; else empty.
    """

    path: tuple[str | int, ...]
    sentence: str
    other_path: tuple[str | int, ...] = ()


def nearest(word: str, known: Iterable[str]) -> str:
    """The known word that `word` most likely means; empty when none is near."""
    return next(iter(difflib.get_close_matches(word, list(known), n=1, cutoff=0.6)), "")


def complaint_of(
    error: ValidationError,
    model: type[BaseModel],
    say: Callable[[object], str] = repr,
) -> Complaint:
    """The first fault of a failed validation of `model`, an unknown key before a bad value."""
    details = sorted(error.errors(), key=lambda one: one["type"] != "extra_forbidden")[0]
    context = details.get("ctx") or {}
    if "key" in context:
        path: tuple[str | int, ...] = tuple(str(context["key"]).split("."))
        other = context.get("other_key")
        return Complaint(
            path,
            f"{context['key']}: {details['msg']}.",
            tuple(str(other).split(".")) if other else (),
        )
    path = tuple(part for part in details["loc"] if part != "[key]")
    dotted = ".".join(map(str, path))
    if details["type"] == "extra_forbidden":
        known = legal_keys(model, path[:-1])
        near = nearest(str(path[-1]), known)
        meant = f"; did you mean {near!r}?" if near else "."
        return Complaint(path, f"there is no key {dotted}{meant} Allowed: {', '.join(known)}.")
    if details["type"] == "missing":
        return Complaint(path, f"the key {dotted} is missing.")
    return Complaint(path, f"{dotted} = {say(details['input'])}; allowed: {_allowed(details)}.")


def _allowed(details: ErrorDetails) -> str:
    kind, context = details["type"], details.get("ctx") or {}
    if kind in ("enum", "literal_error"):
        return str(context["expected"]).replace("'", "").replace(" or ", ", ")
    if kind in _KINDS:
        return _KINDS[kind]
    for bound, words in _BOUNDS.items():
        if bound in context:
            return "a number of " + words.format(context[bound])
    return details["msg"]


def legal_keys(model: type[BaseModel], path: Sequence[str | int]) -> list[str]:
    """The keys that a table may hold; `path` leads to it from `model`."""
    here: Any = model
    for part in path:
        inner = _model_in(here)
        if inner is not None and part in inner.model_fields:
            here = inner.model_fields[str(part)].annotation
        else:
            here = _value_type(here)
    inner = _model_in(here)
    return list(inner.model_fields) if inner is not None else []


def _model_in(annotation: Any) -> type[BaseModel] | None:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    for inner in get_args(annotation) if not _is_container(annotation) else ():
        found = _model_in(inner)
        if found is not None:
            return found
    return None


def _is_container(annotation: Any) -> bool:
    return get_origin(annotation) in (dict, list, tuple, Mapping, Sequence)


def _value_type(annotation: Any) -> Any:
    arguments = [one for one in get_args(annotation) if one is not Ellipsis]
    return arguments[-1] if arguments else None
