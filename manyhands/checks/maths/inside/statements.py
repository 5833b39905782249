r"""What a field of a case says, without what is written around it: `f(x) = …`, `\int … dx`."""

from __future__ import annotations

import re
from typing import Any

from tokens import plain_signs, trimmed
from vocabulary import NO_VALUE

_NAMED = re.compile(
    r"\s*(?:\\?[A-Za-z]\w*'*\s*(?:\(\s*\\?[A-Za-z]\w*\s*\))?|\\int.*|∫.*|\\lim.*"
    r"|\\frac\s*\{\s*d.*\}\s*\{\s*d.*\}.*|d\w*/d\w+)\s*",
    re.DOTALL,
)
_WHOLE = r"(?:\{[^{}]*\}|\\[A-Za-z]+|[^\s{}\\])"
_INTEGRAL = re.compile(
    rf"(?:\\int|∫)(?:\\limits)?\s*(?:_\s*{_WHOLE})?\s*(?:\^\s*{_WHOLE})?(.*?)"
    r"(?:\\[,;!: ]|~|\s)*(?:\\(?:mathrm|text|operatorname|mathop)\{d\}|d)"
    r"\s*\\?[A-Za-z]\w*\s*",
    re.DOTALL,
)
_INTEGRAL_CALL = re.compile(
    r"(?:sp\.|sympy\.)?(?:Integral|integrate)\((.*?),\s*\(?[^,()]*(?:,[^()]*)?\)?\)"
)
#: `x^2 dx` without a sign of integration
_BEHIND = re.compile(r"(?<=[^\s*,;])(?:\\[,;!: ]|~|\s|\*)+(?:\\mathrm\{d\}\s*|d)[A-Za-z]\s*$")
#: `\frac{x\,dx}{1 + x}`, the sign of integration with it
_ABOVE = re.compile(
    r"(?:^\s*(?:\\int|∫)\s*)?\\[dt]?frac\s*\{([^{}]*?)(?:\\,|\s|\*)*(?<![A-Za-z])d\s*[A-Za-z]\s*\}"
)
_HEAD = re.compile(
    rf"\s*(?:\\lim|\\sum|∑)(?![A-Za-z])(?:\\limits)?\s*(?:_\s*{_WHOLE})?\s*(?:\^\s*{_WHOLE})?\s*"
)
_NONE = re.compile(
    r"(?:it )?(?:does not exist|doesn'?t exist|d\.?n\.?e\.?|not defined|(?:is )?undefined|no limit"
    r"|none|diverge(?:s|nt)?|(?:does not|doesn'?t) converge|nan)",
    re.IGNORECASE,
)


def right_of(text: Any) -> Any:
    r"""The right side of `f(x) = …` and of `\int … = …`; other text as it is."""
    if not isinstance(text, str):
        return text
    left, sign, right = trimmed(text).partition("=")
    if not right.strip():
        return left
    if not sign or "=" in right or left.endswith(("<", ">", "!", "\\")):
        return text
    return right if _NAMED.fullmatch(left) else text


def operand(text: Any) -> Any:
    r"""What stands behind `\lim_{x \to 0}` or `\sum_{k=1}^{n}`, which the case tells by itself."""
    text = right_of(text)
    return _HEAD.sub("", trimmed(text), count=1) if isinstance(text, str) else text


def integrand(text: Any) -> Any:
    r"""What is integrated, of `\int 2x \, dx`, `Integral(2*x, x)` and `f(x) = 2x`."""
    text = right_of(text)
    if not isinstance(text, str):
        return text
    plain = _ABOVE.sub(_without_dx, trimmed(text))
    match = _INTEGRAL.fullmatch(plain) or _INTEGRAL_CALL.fullmatch(plain)
    return match[1] if match and match[1].strip() else _BEHIND.sub("", plain)


def _without_dx(match: re.Match[str]) -> str:
    return rf"\frac{{{match[1].strip() or 1}}}"


def says_none(text: Any) -> bool:
    """Whether a value says that there is none: `does not exist`, `diverges`, `nan`."""
    if text is None:
        return True
    if isinstance(text, float):
        return text != text
    inner = re.sub(r"\\(?:text|mathrm|textrm)\{([^{}]*)\}", r"\1", trimmed(str(text)))
    return plain_signs(inner).strip() in NO_VALUE or bool(_NONE.fullmatch(inner.strip()))
