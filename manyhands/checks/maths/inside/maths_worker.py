"""One case in, one verdict out: what the sandboxed worker of the mathematical checks answers."""

from __future__ import annotations

from typing import Any

from balls import Undefined
from notation import NotReadable
from rules import RULES


def handle(case: dict[str, Any]) -> dict[str, Any]:
    """`verdict`, `summary` and `evidence`; what cannot be read or decided is `undetermined`."""
    rule = RULES.get(str(case.get("kind")))
    if rule is None:
        return _open(f"the kind {case.get('kind')!r} is not known", {"kinds": sorted(RULES)})
    try:
        verdict, summary, evidence = rule(case)
    except NotReadable as error:
        return _open(f"not readable: {error}", {})
    except Undefined as error:
        return _open(f"not decided: {error}", {})
    except KeyError as error:
        return _open(f"the case lacks the field {error.args[0]!r}", {})
    except (ArithmeticError, ValueError, TypeError, NotImplementedError, AttributeError) as error:
        return _open(f"not decided: {type(error).__name__}: {str(error)[:120]}", {})
    return {"verdict": verdict, "summary": summary, "evidence": evidence}


def _open(why: str, evidence: dict[str, Any]) -> dict[str, Any]:
    return {"verdict": "undetermined", "summary": why, "evidence": evidence}
