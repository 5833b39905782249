"""Reading the recognisable forms of a claim's sentence about a table; pure."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

__all__ = [
    "Statement",
    "agrees",
    "number_steps",
    "numbers_named",
    "read_claim",
    "statistic_named",
]

_STATS = {
    "mean": "mean", "average": "mean", "sum": "sum", "total": "sum", "maximum": "max",
    "max": "max", "highest": "max", "largest": "max", "minimum": "min", "min": "min",
    "lowest": "min", "smallest": "min", "median": "median", "count": "count",
    "standard deviation": "std", "std": "std", "number": "count",
}  # fmt: skip
_STAT = "|".join(sorted(_STATS, key=len, reverse=True))
_NUMBER = r"(?P<number>-?[\d,]*\.?\d+(?:e-?\d+)?)"
_WORD = r"[A-Za-z_][\w ]*?"
_RELATION = (
    r"(?P<relation>is at least|is at most|is greater than|is more than|is less than|is above|"
    r"is below|is over|is under|exceeds|is about|is approximately|is roughly|is|was|are|were|"
    r"equals|equal|amounts? to|comes? to|=|==|"
    r">=|<=|>|<)"
)
_DEGREES = "at least|at most|greater|more|less|above|below|over|under|about|approx|roughly"
_WHERE = rf"(?:\s+(?:for|where|in|with)\s+(?P<by>{_WORD})\s*(?:is|=|==|of)\s*(?P<value>[\w .-]+?))?"
_SORTS = {
    "is at least": ">=", "is at most": "<=", "is greater than": ">", "is more than": ">",
    "is less than": "<", "is above": ">", "is below": "<", "is over": ">", "is under": "<",
    "exceeds": ">", "is about": "~", "is approximately": "~", "is roughly": "~",
    ">=": ">=", "<=": "<=", ">": ">", "<": "<",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Statement:
    """A claim in a form that can be recomputed.

    Attributes:
        ask: what to compute (`stat`, `rows`, `correlation`, `change`, `top`).
        relation: `=`, `~`, `<`, `<=`, `>`, `>=`, `name`, `change`, or `growth`.
        stated: the number, name, or pair of the text.
        step: half a unit of the last digit given: what rounding explains.
    """

    ask: dict[str, Any]
    relation: str
    stated: Any
    step: float = 0.0


def _number(text: str) -> tuple[float, float]:
    plain = text.replace(",", "")
    decimals = len(plain.partition(".")[2]) if "e" not in plain.lower() else 12
    return float(plain), 0.5 * 10.0**-decimals


def read_claim(text: str) -> Statement | None:
    """The claim in `text`, when its form is known; None otherwise."""
    said = " ".join(text.strip().rstrip(".").split())
    said = re.sub(
        r"\bare (?=at |greater|more|less|above|below|over|under|about|approx|rough)", "is ", said
    )
    if any(word in said.lower() for word in (" and ", " or ", " not ", " both ")) and not re.search(
        r"correlation", said, re.I
    ):
        return None
    found = re.fullmatch(
        rf"(?:the )?(?P<stat>{_STAT})(?: value)?(?: of)?(?: the)? (?P<column>{_WORD}){_WHERE}"
        rf" {_RELATION} {_NUMBER}",
        said,
        re.I,
    )
    if found:
        where = [found["by"].strip(), found["value"].strip()] if found["by"] else None
        number, step = _number(found["number"])
        relation = _SORTS.get(found["relation"].lower(), "=")
        rows = found["column"].lower() in ("rows", "records", "entries")
        ask: dict[str, Any] = {"kind": "rows", "where": where}
        if not rows:
            stat = _STATS[found["stat"].lower()]
            column = found["column"].strip()
            ask = {"kind": "stat", "stat": stat, "column": column, "where": where}
        return Statement(ask, relation, number, step)
    found = re.fullmatch(
        rf"(?:there are|the table has|it has) {_NUMBER} (?:rows|records)", said, re.I
    )
    if found:
        number, step = _number(found["number"])
        return Statement({"kind": "rows"}, "=", number, step)
    found = re.fullmatch(
        rf"(?:the )?correlation (?:between|of) (?P<a>{_WORD}) (?:and|with) (?P<b>{_WORD})"
        rf" (?:{_RELATION} {_NUMBER}|is (?P<sign>positive|negative))",
        said,
        re.I,
    )
    if found:
        ask = {"kind": "correlation", "column": found["a"].strip(), "other": found["b"].strip()}
        if found["sign"]:
            return Statement(ask, ">" if found["sign"].lower() == "positive" else "<", 0.0)
        number, step = _number(found["number"])
        return Statement(ask, _SORTS.get(found["relation"].lower(), "="), number, step)
    found = re.fullmatch(
        rf"(?P<column>{_WORD}) (?P<way>increased|rose|grew|decreased|fell|dropped|changed)"
        r" from (?P<a>-?[\d,.]+?) to (?P<b>-?[\d,.]+?)",
        said,
        re.I,
    )
    if found:
        first, step = _number(found["a"])
        last, other = _number(found["b"])
        column = re.sub(r"^the ", "", found["column"].strip(), flags=re.I)
        return Statement(
            {"kind": "change", "column": column}, "change", [first, last], max(step, other)
        )
    found = re.fullmatch(
        rf"(?P<column>{_WORD}) (?P<way>increased|rose|grew|decreased|fell|dropped) by {_NUMBER} ?%"
        r"(?: from the first to the last \w+)?",
        said,
        re.I,
    )
    if found:
        number, step = _number(found["number"])
        down = found["way"].lower() in ("decreased", "fell", "dropped")
        column = re.sub(r"^the ", "", found["column"].strip(), flags=re.I)
        ask = {"kind": "change", "column": column}
        return Statement(ask, "growth", -number if down else number, step)
    found = re.fullmatch(
        r"(?P<name>[\w .-]+?) (?:has|had) the (?P<most>highest|largest|greatest|lowest|smallest)"
        rf" (?P<stat>mean|average|median|total|sum of|sum|count of)(?: of)? (?P<column>{_WORD})",
        said,
        re.I,
    )
    found = found or re.fullmatch(
        r"(?:the )?\w+ (?:with|having) the (?P<most>highest|largest|greatest|lowest|smallest)"
        rf" (?P<stat>mean|average|median|total|sum of|sum|count of)(?: of)? (?P<column>{_WORD})"
        r" (?:is|was) (?P<name>[\w .-]+)",
        said,
        re.I,
    )
    if found:
        stat = _STATS[found["stat"].lower().replace(" of", "")]
        most = found["most"].lower() in ("highest", "largest", "greatest")
        name = re.sub(r"^the ", "", found["name"].strip(), flags=re.I)
        column = found["column"].strip()
        ask = {"kind": "top", "name": name, "stat": stat, "column": column, "most": most}
        return Statement(ask, "name", name)
    return None


def agrees(statement: Statement, value: Any) -> bool:
    """Whether the recomputed value bears the statement out; rounding of the text is allowed."""
    stated, step = statement.stated, statement.step
    if statement.relation == "name":
        return str(value).casefold() == str(stated).casefold()
    if statement.relation == "change":
        return all(abs(v - s) <= step * (1 + 1e-9) for v, s in zip(value, stated, strict=True))
    slack = step * (1 + 1e-9)
    if statement.relation == "growth":
        first, last = value
        return bool(first and abs(100 * (last - first) / first - stated) <= slack)
    match statement.relation:
        case "=":
            return bool(abs(value - stated) <= slack)
        case "~":
            return bool(abs(value - stated) <= max(slack, 0.05 * abs(stated)))
        case "<":
            return bool(value < stated)
        case "<=":
            return bool(value <= stated)
        case ">":
            return bool(value > stated)
        case _:
            return bool(value >= stated)


def numbers_named(text: str) -> dict[str, int]:
    """Counts that a sentence gives to a window or to the ends of a table."""
    found: dict[str, int] = {}
    for key, pattern in (
        (
            "rolling",
            r"(\d+)[- ](?:day|week|month|row|period|point|hour)s? (?:moving|rolling|trailing)",
        ),
        ("rolling", r"(?:moving|rolling) (?:average|mean|sum) (?:of|over) (?:the last )?(\d+)"),
        ("head", r"first (\d+)"),
        ("tail", r"(?:last|latest|most recent) (\d+)"),
        ("nlargest", r"top (\d+)"),
        ("nsmallest", r"bottom (\d+)"),
    ):
        match = re.search(pattern, text, re.I)
        if match:
            found.setdefault(key, int(match.group(1)))
    return found


def number_steps(text: str) -> list[tuple[float, float]]:
    """Every number of a sentence, with half a unit of its last digit."""
    found = re.findall(r"(?<![\w.])(?<!\w-)-?\d[\d,]*(?:\.\d+)?(?![\w-])", text)
    return [_number(one.rstrip(",")) for one in found]


def statistic_named(text: str) -> str | None:
    """The one statistic that a sentence speaks of; None when it names none, or several."""
    words = {
        "mean": ("mean", "average"),
        "median": ("median",),
        "sum": ("total", "sum", "altogether", "all together"),
        "max": ("maximum", "max"),
        "min": ("minimum", "min"),
        "std": ("standard deviation",),
    }
    named = {
        key
        for key, forms in words.items()
        if any(re.search(rf"\b{form}\b", text, re.I) for form in forms)
    }
    return named.pop() if len(named) == 1 else None
