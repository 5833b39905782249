"""The last rung before a call: name, schema, and that repaired text never feeds a side effect."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from manyhands.recover.schema import acts, fit, guess_name, match_name
from manyhands.recover.types import Call, Candidate, JSONSchema, Reason

__all__ = ["Passed", "admit", "owner_of"]


@dataclass(frozen=True)
class Passed:
    """The calls that may run, or why the message must be asked for again."""

    calls: tuple[Call, ...]
    reason: Reason | None = None
    repaired: bool = False
    notes: tuple[str, ...] = ()
    detail: str = ""


def owner_of(arguments: object, tools: Mapping[str, JSONSchema]) -> str | None:
    """The one tool whose arguments these can be, by their names alone."""
    if not isinstance(arguments, dict) or not arguments:
        return None
    owners = [
        name
        for name, schema in tools.items()
        if set(schema.get("required") or [])
        <= set(arguments)
        <= set(schema.get("properties") or {})
    ]
    return owners[0] if len(owners) == 1 else None


def admit(
    candidates: Sequence[Candidate], tools: Mapping[str, JSONSchema], *, limited: bool
) -> Passed:
    """Checks every candidate; one that fails holds back all, except an unfinished last one.

    `limited`: the model stopped at its token limit.
    """
    calls: list[Call] = []
    notes: list[str] = []
    repaired = False
    for position, raw in enumerate(candidates):
        candidate = raw
        if candidate.cut:
            if calls and position == len(candidates) - 1:
                notes.append("unfinished_call_dropped")
                break
            return Passed((), Reason.TRUNCATED, notes=tuple(notes))
        name = candidate.name
        inferred = name is None
        known = owner_of(candidate.arguments, tools) if name is None else match_name(name, tools)
        if known is None and name is not None:
            known = guess_name(name, tools)
            inferred = known is not None
        if known is None:
            reason = Reason.MALFORMED_CALL if name is None else Reason.UNKNOWN_TOOL
            return Passed((), reason, notes=tuple(notes), detail=repr(name) if name else "")
        schema = tools[known]
        if known != name:
            notes.append("name_inferred" if inferred else "name_normalised")
        fitted = fit(candidate.arguments, known, schema)
        lossy = candidate.repaired or fitted.lossy or inferred
        verdict = fitted.reason
        if acts(schema) and lossy and verdict not in (None, Reason.TRUNCATED):
            verdict = Reason.UNSAFE_REPAIR if verdict is Reason.MALFORMED_CALL else verdict
        if verdict is None and acts(schema) and lossy:
            verdict = Reason.TRUNCATED if limited else Reason.UNSAFE_REPAIR
        if verdict in (Reason.MALFORMED_CALL, Reason.MISSING_REQUIRED) and limited:
            verdict = Reason.TRUNCATED
        if verdict is not None:
            return Passed((), verdict, lossy, (*notes, *fitted.notes), f"{known}: {fitted.detail}")
        repaired = repaired or lossy
        notes += fitted.notes
        call = Call(known, fitted.arguments)
        if call in calls[-64:]:
            notes.append("duplicate_dropped")
            continue
        calls.append(call)
    if len(candidates) >= 8 and len(calls) == 1:
        return Passed((), Reason.DEGENERATE_REPETITION, notes=tuple(notes))
    return Passed(tuple(calls), None, repaired, tuple(notes))
