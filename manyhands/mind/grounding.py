"""Whether the numbers in an answer come from somewhere: the question, the data, or a result."""

from __future__ import annotations

import re
from collections.abc import Iterable

__all__ = ["SMALL", "numbers_in", "ungrounded"]

_NUMBER = re.compile(r"(?<![\w.])[-+\u2212]?\d[\d,\u202f]*(?:\.\d+)?(?:[eE][-+]?\d+)?")
#: Counting words written as digits ("2 steps") are everywhere and prove nothing.
SMALL = 12


def numbers_in(text: str) -> list[str]:
    """Every number of `text` as it is written, list markers and heading numbers left out."""
    plain = re.sub(r"(?m)^\s*\d+[.)]\s", " ", text)
    return [match.group().rstrip(",") for match in _NUMBER.finditer(plain)]


def ungrounded(answer: str, sources: Iterable[str], *, small: int = SMALL) -> list[str]:
    """The numbers of `answer` that no number in `sources` rounds to.

    A number is grounded if some source number, rounded to as many decimals as the answer shows,
    equals it (or its hundredth, for per cent).

    Args:
        small: whole numbers up to this one need no ground.
    """
    known = [_value(text) for source in sources for text in numbers_in(source)]
    missing = []
    for text in numbers_in(answer):
        value = _value(text)
        if value is None or (float(value).is_integer() and abs(value) <= small):
            continue
        decimals = len(text.partition(".")[2]) if "e" not in text.lower() else 12
        if not any(_rounds_to(source, value, decimals) for source in known):
            missing.append(text)
    return missing


def _value(text: str) -> float | None:
    try:
        return float(text.replace(",", "").replace("\u202f", "").replace("\u2212", "-"))
    except ValueError:
        return None


def _rounds_to(source: float | None, value: float, decimals: int) -> bool:
    if source is None:
        return False
    half = 0.5 * 10.0**-decimals * (1 + 1e-9)
    # Signs are often told in words ("fell by 3"), so magnitudes are compared.
    return any(abs(abs(candidate) - abs(value)) <= half for candidate in (source, source * 100.0))
