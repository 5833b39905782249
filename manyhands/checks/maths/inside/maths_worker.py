"""One case in, one verdict out: what the sandboxed worker of the mathematical checks answers."""

from __future__ import annotations

import signal
from collections.abc import Callable
from typing import Any

import sympy as sp
from balls import Undefined
from judge import Found
from notation import NotReadable, read
from rules import RULES
from tokens import imaginary_i, reading

#: Seconds of processing for one case, after which the worker stops it and stays. The caller's
#: clock is longer: it ends the worker, for what is stuck inside a library.
SECONDS = 0.85
#: Where SymPy may be asked for a closed form.
SLOW = {"definite_integral": 3.0, "inequality": 2.5, "integer_claim": 2.5}


class _OutOfTime(BaseException):
    """Raised by the alarm; no handler for ordinary errors catches it."""


def _ring(*_: object) -> None:
    raise _OutOfTime


def handle(case: dict[str, Any]) -> dict[str, Any]:
    """`verdict`, `summary` and `evidence`; what cannot be read or decided is `undetermined`."""
    kind = str(case.get("kind"))
    rule = RULES.get(kind)
    if rule is None:
        return _open(f"the kind {kind[:60]!r} is not known", {"kinds": sorted(RULES)})
    seconds = SLOW.get(kind, SECONDS)
    try:
        signal.signal(signal.SIGALRM, _ring)
        signal.setitimer(signal.ITIMER_REAL, seconds)
        try:
            with reading(case):
                verdict, summary, evidence = _ruled(rule, case)
        finally:
            signal.setitimer(signal.ITIMER_REAL, 0)
    except _OutOfTime:
        return _open(f"not decided within {seconds:g} s", {})
    except NotReadable as error:
        return _open(f"not readable: {error}", {})
    except Undefined as error:
        return _open(f"not decided: {error}", {})
    except KeyError as error:
        return _open(f"the case lacks the field {str(error)[:60]}", {})
    except RecursionError:
        return _open("not decided: nested too deeply", {})
    except Exception as error:
        return _open(f"not decided: {type(error).__name__}: {str(error)[:120]}", {})
    if case.get("latex"):
        evidence = {**evidence, "latex": _typeset(case)}
    return {"verdict": verdict, "summary": summary, "evidence": evidence}


def _ruled(rule: Callable[[dict[str, Any]], Found], case: dict[str, Any]) -> Found:
    """The rule's verdict; a name `i` that makes it wrong may be the imaginary unit."""
    found = rule(case)
    point = found[2].get("counterexample")
    if found[0] != "refuted" or not isinstance(point, dict) or "i" not in point:
        return found
    with imaginary_i():
        again = rule(case)
    if again[0] != "supported":
        return found
    return again[0], f"{again[1]}; with i as the imaginary unit", again[2]


def _typeset(case: dict[str, Any]) -> dict[str, str]:
    """The case's expressions in LaTeX, as they were understood."""
    said: dict[str, str] = {}
    for key in case.keys() - {"kind", "var", "id", "op"}:
        if isinstance(case[key], str):
            try:
                with reading(case):
                    said[key] = sp.latex(read(case[key]))
            except NotReadable:
                continue
    return said


def _open(why: str, evidence: dict[str, Any]) -> dict[str, Any]:
    return {"verdict": "undetermined", "summary": why, "evidence": evidence}


def _warm_up() -> None:
    """Fill SymPy's and our own tables before the first case comes."""
    handle({"kind": "identity", "lhs": "sin(x)**2 + cos(x)**2", "rhs": "1", "seed": 1})
    handle({"kind": "antiderivative", "f": "x*cos(x)", "F": "x*sin(x) + cos(x)", "seed": 1})
    handle({"kind": "definite_integral", "f": "x", "a": "0", "b": "1", "value": "1/2"})


_warm_up()
