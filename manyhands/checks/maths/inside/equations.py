"""Differential equations: the claimed solution is put in."""

from __future__ import annotations

import ast
import re
from typing import Any

from domain import symbol_named
from judge import Found, equal
from latex_text import looks_like_latex, to_python
from notation import NotReadable, at_commas, read, read_name, sides
from slopes import derivative_of
from tokens import bracket_end, separated, trimmed

_CALL = re.compile(r"\s*([A-Za-z]\w*)\s*\(\s*([A-Za-z]\w*)\s*\)\s*$")
_DOTS = {r"\dot": 1, r"\ddot": 2, r"\dddot": 3}
_MOST = 8
_CONDITIONS = ("conditions", "initial_conditions", "initial", "ics", "condition")


def ode(case: dict[str, Any]) -> Found:
    r"""The solution put into the equation, and into the `conditions`, when there are any.

    The equation writes `y'`, `y''`, `dy/dx`, `\frac{d^2y}{dx^2}`, `Derivative(y(x), x, 2)` or
    `y(x).diff(x)`. The name of the function is that on the left of the solution, `func`, or y.
    """
    listed = case["equation"] if isinstance(case["equation"], list) else [case["equation"]]
    (equation, *more), claimed = _parts(listed), trimmed(str(case["solution"]))
    head, body = _solution(claimed)
    name = read_name(case.get("func") or (head[0] if head else _function_in(equation)))
    var = symbol_named(read_name(case.get("var") or (head and head[1]) or _variable(equation, name, body)))  # noqa: E501  # fmt: skip
    solution = read(body, {str(var): var})
    if solution.has(symbol_named(name)):
        raise NotReadable("the solution is not solved for the function")
    used: list[int] = []
    rules = _rules(name, var, solution, used)
    equation = re.sub(
        rf"(?<![^\W\d])(?<!\\)([^\W\d_]{{1,3}}){re.escape(name)}(?=\s*['′])",
        rf"\1*{name}",  # xy'
        equation,
    )
    apart = {name: 1, str(var): 1, "nth": 1}
    equation = separated(equation, apart, keep=r"d[A-Za-z]|nth")
    left, right = (read(_plain(side, name, str(var)), rules) for side in sides(equation))
    if not any(used):
        raise NotReadable(f"no derivative of {name} in {equation[:60]!r}")
    found = equal(left, right, "the sides of the equation", case, guards=[solution])
    if found[0] != "supported":
        return found
    conditions: Any = next((case[key] for key in _CONDITIONS if case.get(key)), [])
    stated = (
        [f"{place} = {goal}" for place, goal in conditions.items()]
        if isinstance(conditions, dict)
        else [conditions] if isinstance(conditions, str) else list(conditions)
    )  # fmt: skip
    stated = [*more, *(part for text in stated for part in at_commas(text))]
    for text in stated:
        sides_of = [read(_plain(side, name, str(var)), rules) for side in sides(text)]
        one = equal(sides_of[0], sides_of[1], f"the condition {text}", case)
        if one[0] != "supported":
            return one
    if stated:
        return found[0], f"{found[1]}; all {len(stated)} conditions hold", found[2]
    return found


def _parts(listed: list[Any]) -> list[str]:
    """The equation, and the conditions that are written beside it; primes as `'`."""
    text = ",".join(trimmed(str(one)) for one in listed)
    text = re.sub(r"[’′ʹ´]", "'", text.replace("″", "''").replace("‴", "'''"))
    parts = [
        part.strip() for part in at_commas(re.sub(r"\\\\|;|\\quad", ",", text)) if part.strip()
    ]
    if not parts:
        raise NotReadable("there is no equation")
    eq = [index for index, part in enumerate(parts) if "=" in part]
    if len(parts) > 1 and len(eq) != len(parts):
        return [text]
    return parts


def _solution(claimed: str) -> tuple[tuple[str, str | None] | None, str]:
    """Name, variable (when written) and body of `y(x) = …`; None and the text without a name."""
    left, right = sides(claimed)
    if right == "0" and not re.search(r"=\s*0\s*$", claimed):
        return None, left
    call = _CALL.match(left)
    if call:
        return (call[1], call[2]), right
    if re.fullmatch(r"\s*[A-Za-z]\w*\s*", left):
        return (left.strip(), None), right
    raise NotReadable("the solution is not solved for the function")


def _function_in(equation: str) -> str:
    for pattern in (
        r"(?:Derivative|diff)\(\s*([A-Za-z]\w*)\s*\(", r"([A-Za-z]\w*)\s*\(\s*\w+\s*\)\s*\.\s*diff",
        r"([A-Za-z])\s*(?:'|′|\^\{?\\prime)", r"\bd(?:\^?\{?\d?\}?)\s*([A-Za-z])\s*\}?\s*(?:/|\{)",
        r"\\d+ot\{?([A-Za-z])",
    ):  # fmt: skip
        if match := re.search(pattern, equation):
            return match[1]
    return "y"


def _variable(equation: str, name: str, body: str) -> str:
    """The variable: from `y(t)` or `dy/dt`, else x, else the solution's only one."""
    for pattern in (
        rf"(?<!\w){re.escape(name)}\s*'*\(\s*([A-Za-z]\w*)\s*\)",
        r"/\s*d([A-Za-z])", r"\}\s*\{\s*(?:\\mathrm\{d\}|d)\s*([A-Za-z])",
    ):  # fmt: skip
        if match := re.search(pattern, equation):
            return match[1]
    if re.search(r"\\d+ot", equation):
        return "t"
    usual = {name: symbol_named(name) for name in ("x", "t")}
    names = {str(symbol) for symbol in read(body, usual).free_symbols}
    plain = sorted(one for one in names if not re.fullmatch(r"[A-Z]_?\d*", one))
    for one in usual:
        if one in plain:
            return one
    return plain[0] if len(plain) == 1 else "x"


def _plain(text: str, name: str, var: str) -> str:
    """Every way of writing a derivative as `nth(order)`, and `y` itself as `nth(0)`."""
    n, x = re.escape(name), re.escape(var)
    call = rf"{n}(?:\s*\(\s*{x}\s*\))?"
    text = re.sub(r"\^\s*\{\s*((?:\\prime\s*)+)\}|\^\s*\\prime", lambda m: "'" * max(1, (m[1] or "").count("prime")), text)  # noqa: E501  # fmt: skip
    text = re.sub(rf"(?<![A-Za-z_]){n}\s*\^\s*\{{?\s*\(([1-8])\)\s*\}}?", r" nth(\1) ", text)
    text = re.sub(rf"\\(d+)ot\s*\{{?\s*{n}\s*\}}?", lambda m: f" nth({len(m[1])}) ", text)
    d = r"(?:\\mathrm\{d\}|d)"
    text = re.sub(
        rf"\\[dt]?frac\s*\{{\s*{d}\s*(?:\^\s*\{{?(\d)\}}?)?\s*(?:{call})\s*\}}\s*\{{\s*{d}\s*{x}\s*(?:\^\s*\{{?\d\}}?)?\s*\}}",
        lambda m: f" nth({m[1] or 1}) ",
        text,
    )
    if looks_like_latex(text):
        text = to_python(text)
        call = rf"{n}(?:\s*\(\s*{x}\s*\))?"
        text = re.sub(r"n\s*t\s*h\s*\(\s*(\d)\s*\)", r"nth(\1)", text)
    text = re.sub(
        rf"(?:Derivative|diff|D)\(\s*{call}\s*((?:,\s*(?:\(\s*{x}\s*,\s*\d\s*\)|{x}|\d)\s*)+)\)",
        lambda m: f" nth({_order(m[1], var)}) ",
        text,
    )
    text = re.sub(
        rf"{n}\s*\(\s*{x}\s*\)\s*\.\s*diff\(\s*((?:,?\s*(?:\(\s*{x}\s*,\s*\d\s*\)|{x}|\d)\s*)+)\)",
        lambda m: f" nth({_order(m[1], var)}) ",
        text,
    )
    text = re.sub(
        rf"\(?\bd(?:(?:\^|\*\*)?(\d))?\s*{call}\s*/\s*d\s*{x}(?:(?:\^|\*\*)?\d)?(?!\w)\)?(?:(?<=\))|)",
        lambda m: _bracketed(m, f" nth({m[1] or 1}) "),
        text,
    )
    text = re.sub(rf"(?<![A-Za-z_]){n}\s*((?:'|′)+)(?:\s*\(\s*{x}\s*\))?(?!\s*\()", lambda m: f" nth({len(m[1])}) ", text)  # noqa: E501  # fmt: skip
    text = re.sub(rf"(?<![A-Za-z_]){n}\s*((?:'|′)+)\s*\(", lambda m: f" nth_at({len(m[1])}, ", text)
    text = re.sub(rf"(?<![A-Za-z_]){n}\s*\(\s*{x}\s*\)", " nth(0) ", text)
    text = re.sub(
        rf"(?<![A-Za-z_]){n}\s*\(",
        lambda m: " nth(0)*(" if _holds_name(text, m.end() - 1, name) else " nth_at(0, ",
        text,
    )
    return re.sub(rf"(?<![A-Za-z_]){n}(?!\w)", " nth(0) ", text)


def _holds_name(text: str, opening: int, name: str) -> bool:
    """Whether the bracket holds the function itself: `y(1 - y)` is a product."""
    inside = text[opening : bracket_end(text, opening)]
    return bool(re.search(rf"(?<![A-Za-z_]){re.escape(name)}(?!\w)", inside))


def _bracketed(match: re.Match[str], made: str) -> str:
    """What a match was replaced by, keeping a bracket that it holds only one end of."""
    opens, closes = match[0].startswith("("), match[0].endswith(")")
    inner = match[0].count("(") - match[0].count(")")
    return ("(" if opens and inner > 0 else "") + made + (")" if closes and inner < 0 else "")


def _order(text: str, var: str) -> int:
    pair = re.search(rf"\(\s*{re.escape(var)}\s*,\s*(\d)\s*\)", text)
    if pair:
        return int(pair[1])
    number = re.search(r"\d", text)
    return int(number[0]) if number else len(re.findall(rf"(?<!\w){re.escape(var)}(?!\w)", text))


def _rules(name: str, var: Any, solution: Any, used: list[int]) -> dict[str, Any]:
    """`nth(order)` and `nth_at(order, place)` for the reader."""
    made: dict[int, Any] = {}

    def nth(_builder: Any, nodes: list[ast.expr]) -> Any:
        order = nodes[0].value if nodes and isinstance(nodes[0], ast.Constant) else -1
        if not isinstance(order, int) or not 0 <= order <= _MOST:
            raise NotReadable(f"a derivative of {name} of no known order")
        used.append(order)
        if order not in made:
            made[order] = derivative_of(solution, var, order) if order else solution
        return made[order]

    def nth_at(builder: Any, nodes: list[ast.expr]) -> Any:
        if len(nodes) != 2:
            raise NotReadable(f"{name} at one place is written {name}(0)")
        return nth(builder, nodes).xreplace({var: builder.build(nodes[1])})

    return {"nth": nth, "nth_at": nth_at, str(var): var}
