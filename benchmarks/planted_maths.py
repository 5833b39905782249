"""Calculus and algebra for the benchmark: right cases, and the same with a planted error.

Right values come from construction: a derivative by rules of our own, exact fractions, known
roots. Each wrong case is shown to be wrong without the checker: by floating-point values at real
points, by exact fractions, or because a constant other than zero was added to a right value.
"""

from __future__ import annotations

import json
import math
import random
from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

from maths_trees import derive, latex, number_at, text
from planted_trees import X, agree, differ, mutate, random_tree, rewritten, small_fraction, written

__all__ = ["Case", "make_cases"]

_TINY = ("1e-6", "1e-9", "1e-15", "1e-20", "1e-30", "1e-35", "1e-50", "1e-80")


@dataclass(frozen=True)
class Case:
    """One case; `error` names what was planted, empty for a right case."""

    body: dict[str, Any]
    error: str = ""

    @property
    def right(self) -> bool:
        return not self.error


def make_cases(seed: int, count: int) -> list[Case]:
    """`count` right and `count` wrong cases of all kinds."""
    dice = random.Random(seed)
    rights: list[Case] = []
    wrongs: list[Case] = []
    makers = _makers()
    while len(rights) < count or len(wrongs) < count:
        maker = dice.choices([m for m, _ in makers], [w for _, w in makers])[0]
        made = maker(dice)
        if made is None:
            continue
        right, wrong = made
        if right is not None and len(rights) < count:
            rights.append(right)
        if wrong is not None and len(wrongs) < count:
            wrongs.append(wrong)
    mixed = rights + wrongs
    dice.shuffle(mixed)
    return mixed


Pair = tuple[Case | None, Case | None] | None


def _makers() -> list[tuple[Callable[[random.Random], Pair], int]]:
    return [
        (_antiderivative, 26), (_derivative, 22), (_identity, 18), (_integral, 7), (_limit, 5),
        (_sum, 6), (_solution, 8), (_ode, 7), (_matrix, 8),
    ]  # fmt: skip


# --- kinds -------------------------------------------------------------------------------------


def _tiny(body: dict[str, Any], key: str, dice: random.Random, times: str = "") -> Case:
    amount = dice.choice(_TINY)
    if "\\" in body[key]:
        amount = amount.replace("1e", "10^{") + "}"
    changed = f"{body[key]} + {amount}{times}"
    return Case({**body, key: changed}, f"off by {amount}")


def _antiderivative(dice: random.Random) -> Pair:
    whole = random_tree(dice)
    f = rewritten(derive(whole, X), dice)
    if not agree(f, derive(whole, X)) or len(text(f)) > 900:
        return None
    f_text, whole_text = written(dice, f, whole)
    body = {"kind": "antiderivative", "f": f_text, "F": whole_text, "var": X}
    right = Case({**body, "F": whole_text + dice.choice(["", "", " + C"])})
    if dice.random() < 0.12:
        return right, _tiny(body, "F", dice, "*x" if "\\" not in whole_text else " x")
    bad, error = mutate(whole, dice)
    if not differ(derive(bad, X), f):
        return right, None
    write = latex if "\\" in f_text else text
    return right, Case({**body, "F": write(bad)}, error)


def _derivative(dice: random.Random) -> Pair:
    f = random_tree(dice)
    plain = derive(f, X)
    df = rewritten(plain, dice)
    if not agree(plain, df) or len(text(df)) > 900:
        return None
    f_text, df_text = written(dice, f, df)
    body = {"kind": "derivative", "f": f_text, "df": df_text, "var": X}
    if dice.random() < 0.12:
        return Case(body), _tiny(body, "df", dice)
    bad, error = mutate(df, dice)
    if not differ(bad, df):
        return Case(body), None
    write = latex if "\\" in f_text else text
    return Case(body), Case({**body, "df": write(bad)}, error)


def _identity(dice: random.Random) -> Pair:
    one = random_tree(dice)
    other = rewritten(rewritten(one, dice), dice)
    if not agree(one, other) or one == other:
        return None
    left, right = written(dice, one, other)
    body = {"kind": "identity", "lhs": left, "rhs": right}
    if dice.random() < 0.2:
        return Case(body), _tiny(body, "rhs", dice)
    bad, error = mutate(other, dice)
    if not differ(bad, one):
        return Case(body), None
    write = latex if "\\" in left else text
    return Case(body), Case({**body, "rhs": write(bad)}, error)


def _integral(dice: random.Random) -> Pair:
    whole = random_tree(dice)
    low, high = sorted(dice.sample([Fraction(n, 2) for n in range(1, 9)], 2))
    f = derive(whole, X)
    # Without a pole in between: the sampled function stays small.
    try:
        sizes = [abs(number_at(f, {X: float(low + (high - low) * k / 400)})) for k in range(401)]
        if max(sizes) > 1e4:
            return None
        number_at(whole, {X: float(low)}), number_at(whole, {X: float(high)})
    except (ValueError, ZeroDivisionError, OverflowError, TypeError):
        return None
    at = {end: text(whole).replace("exp", "EXP").replace(X, f"({end})").replace("EXP", "exp")
          for end in (low, high)}  # fmt: skip
    value = f"({at[high]}) - ({at[low]})"
    body = {"kind": "definite_integral", "f": text(f), "a": str(low), "b": str(high), "var": X,
            "value": value}  # fmt: skip
    right = Case(body)
    if dice.random() < 0.3:
        return right, _tiny(body, "value", dice) if dice.random() < 0.5 else Case(
            {**body, "value": f"({at[low]}) - ({at[high]})"}, "ends swapped"
        ) if abs(number_at(whole, {X: float(low)}) - number_at(whole, {X: float(high)})) > 1e-6 else None  # noqa: E501  # fmt: skip
    factor = dice.choice(["2", "101/100", "1/2", "-1"])
    size = abs(number_at(whole, {X: float(low)}) - number_at(whole, {X: float(high)}))
    if size < 1e-6:
        return right, None
    return right, Case({**body, "value": f"{factor}*({value})"}, "factor")


def _limit(dice: random.Random) -> Pair:
    a, b, n = dice.randint(1, 7), dice.randint(1, 7), dice.randint(2, 4)
    ratio = Fraction(a, b)
    forms: list[tuple[str, str, str]] = [
        (f"sin({a}*x)/({b}*x)", "0", f"{ratio}"),
        (f"(exp({a}*x) - 1)/({b}*x)", "0", f"{ratio}"),
        (f"(1 - cos({a}*x))/({b}*x**2)", "0", f"{Fraction(a * a, 2 * b)}"),
        (f"log(1 + {a}*x)/({b}*x)", "0", f"{ratio}"),
        (f"(1 + {a}/x)**({b}*x)", "oo", f"exp({a * b})"),
        (f"({a}*x**{n} + x)/({b}*x**{n} - 3)", "oo", f"{ratio}"),
        (f"x**{n}*exp(-{a}*x)", "oo", "0"),
        (f"sqrt(x**2 + {a}*x) - x", "oo", f"{Fraction(a, 2)}"),
        (f"atan({a}*x)", "oo", "pi/2"),
        (f"(x**{n} - {b}**{n})/(x - {b})", f"{b}", f"{n * b ** (n - 1)}"),
        (f"(tan({a}*x) - {a}*x)/x**3", "0", f"{Fraction(a**3, 3)}"),
        (f"log(x)/x**{n}", "oo", "0"),
        (f"(exp(x) - 1 - x)/({a}*x**2)", "0", f"{Fraction(1, 2 * a)}"),
    ]
    f, to, value = dice.choice(forms)
    body = {"kind": "limit", "f": f, "var": X, "to": to, "value": value}
    wrong = dice.choice(
        [f"{value} + 1", f"{value} + 1/1000", f"{value} - 1e-9", f"{value} + 1e-12"]
    )
    return Case(body), Case({**body, "value": wrong}, "constant")


def _sum(dice: random.Random) -> Pair:
    n, a = dice.randint(3, 30), dice.randint(2, 6)
    terms: list[tuple[str, Callable[[int], Fraction]]] = [
        (f"k**2 + {a}*k", lambda k: Fraction(k * k + a * k)),
        (f"{a}**k", lambda k: Fraction(a**k)),
        (f"1/(k*(k + {a}))", lambda k: Fraction(1, k * (k + a))),
        (f"(-1)**k*k**{a % 3 + 1}", lambda k: Fraction((-1) ** k * k ** (a % 3 + 1))),
        ("binomial(10, k)", lambda k: Fraction(math.comb(10, k))),
    ]
    if dice.random() < 0.5:
        term, at = dice.choice(terms)
        total = sum((at(k) for k in range(1, n + 1)), Fraction(0))
        body = {"kind": "sum", "term": term, "var": "k", "from": "1", "to": str(n), "value": str(total)}  # noqa: E501  # fmt: skip
        if at(n) and dice.random() < 0.5:
            return Case(body), Case({**body, "value": str(total - at(n))}, "last term")
        return Case(body), Case({**body, "value": str(total + Fraction(1, 10**9))}, "tiny")
    closed = [
        ("k", "1", "n", "n*(n + 1)/2"), ("k**2", "1", "n", "n*(n + 1)*(2*n + 1)/6"),
        ("k**3", "1", "n", "(n*(n + 1)/2)**2"),
        (f"{a}**k", "0", "n", f"({a}**(n + 1) - 1)/{a - 1}"),
        (f"1/{a}**k", "0", "oo", f"{Fraction(a, a - 1)}"), ("1/k**2", "1", "oo", "pi**2/6"),
        (f"k/{a}**k", "1", "oo", f"{Fraction(a, (a - 1) ** 2)}"), ("1/k**4", "1", "oo", "pi**4/90"),
        (f"{a}**k/factorial(k)", "0", "oo", f"exp({a})"), ("1/(k*(k + 1))", "1", "oo", "1"),
        ("(-1)**(k + 1)/k", "1", "oo", "log(2)"), ("2*k - 1", "1", "n", "n**2"),
    ]  # fmt: skip
    term, start, end, value = dice.choice(closed)
    body = {"kind": "sum", "term": term, "var": "k", "from": start, "to": end, "value": value}
    wrong = dice.choice([f"{value} + 1", f"2*({value})", f"{value} + 1e-10", f"{value} - 1/7"])
    return Case(body), Case({**body, "value": wrong}, "constant")


def _solution(dice: random.Random) -> Pair:
    if dice.random() < 0.4:
        roots = [small_fraction(dice) for _ in range(dice.randint(2, 3))]
        factors = "*".join(f"(x - ({root}))" for root in roots)
        coefficients = [Fraction(1)]
        for root in roots:
            shifted = [*coefficients, Fraction(0)]
            coefficients = [c - root * d for c, d in zip(shifted, [Fraction(0), *coefficients], strict=True)]  # noqa: E501  # fmt: skip
        degree = len(roots)
        expanded = " + ".join(f"({c})*x**{degree - i}" for i, c in enumerate(coefficients))
        body = {"kind": "solution", "equations": [f"{dice.choice([expanded, factors])} = 0"],
                "values": {"x": str(dice.choice(roots))}}  # fmt: skip
        bad = small_fraction(dice)
        value = Fraction(1)
        for root in roots:
            value *= bad - root
        return Case(body), Case(
            {**body, "values": {"x": str(bad)}}, "wrong root"
        ) if value else None
    if dice.random() < 0.5:
        a, b, c = dice.randint(1, 5), dice.randint(-9, 9), dice.randint(-9, 9)
        if b * b - 4 * a * c < 0:
            return None
        root = f"(-({b}) + sqrt({b * b - 4 * a * c}))/(2*{a})"
        body = {"kind": "solution", "equations": f"{a}*x**2 + ({b})*x + ({c}) = 0", "values": {"x": root}}  # noqa: E501  # fmt: skip
        if b * b == 4 * a * c or b == 0:
            return Case(body), None
        wrong = dice.choice([f"({b} + sqrt({b * b - 4 * a * c}))/(2*{a})", f"{root} + 1e-18"])
        if wrong.startswith("("):
            at = (b + math.sqrt(b * b - 4 * a * c)) / (2 * a)
            if abs(a * at * at + b * at + c) < 1e-6:
                return Case(body), None
        return Case(body), Case({**body, "values": {"x": wrong}}, "sign or tiny")
    x, y = small_fraction(dice), small_fraction(dice)
    rows = [[small_fraction(dice), small_fraction(dice)] for _ in range(2)]
    if rows[0][0] * rows[1][1] == rows[0][1] * rows[1][0]:
        return None
    equations = [f"({p})*x + ({q})*y = {p * x + q * y}" for p, q in rows]
    body = {"kind": "solution", "equations": equations, "values": {"x": str(x), "y": str(y)}}
    wrong_values = {"x": str(x), "y": str(y + Fraction(1, 10 ** dice.choice([0, 3, 15])))}
    return Case(body), Case({**body, "values": wrong_values}, "constant")


def _ode(dice: random.Random) -> Pair:
    p, q, w = dice.randint(1, 5), dice.randint(1, 5), dice.randint(1, 6)
    a = small_fraction(dice)
    forms: list[tuple[str, str, str]] = [
        (f"y'' - ({p + q})*y' + {p * q}*y = 0", f"C1*exp({p}*x) + C2*exp({q}*x)",
         f"C1*exp({p}*x) + C2*exp({q + 11}*x)"),
        (f"y'' + {w * w}*y = 0", f"C1*sin({w}*x) + C2*cos({w}*x)",
         f"C1*sin({w}*x) + C2*cosh({w}*x)"),
        (f"dy/dx = {p}*x*y", f"C1*exp({p}*x**2/2)", f"C1*exp({p}*x**2)"),
        (f"y' + {p}*y = exp(-{p}*x)", f"(x + C1)*exp(-{p}*x)", f"(x**2 + C1)*exp(-{p}*x)"),
        (f"Derivative(y(x), x) = ({a})*y(x)/x", f"C1*x**({a})", f"C1*x**({a}) + 1"),
        (f"y' = {p}*(1 + y**2)", f"tan({p}*x + C1)", f"tan({p + 1}*x + C1)"),
        (f"y'' - {2 * p}*y' + {p * p}*y = 0", f"(C1 + C2*x)*exp({p}*x)",
         f"(C1 + C2*x**2)*exp({p}*x)"),
        (f"y' = y*({p} - y)", f"{p}/(1 + C1*exp(-{p}*x))", f"{p}/(1 + C1*exp({p}*x))"),
    ]  # fmt: skip
    equation, good, bad = dice.choice(forms)
    body = {"kind": "ode", "equation": equation, "solution": good}
    if dice.random() < 0.3:
        bad = f"{good} + 1e-12*atan(x)"  # x itself solves y' = y/x
    return Case(body), Case({**body, "solution": bad}, "wrong solution")


Rows = list[list[Fraction]]


def _matrix(dice: random.Random) -> Pair:
    size = dice.randint(2, 3)
    one: Rows = [[Fraction(dice.randint(-5, 5)) for _ in range(size)] for _ in range(size)]
    two: Rows = [[Fraction(dice.randint(-5, 5)) for _ in range(size)] for _ in range(size)]
    op = dice.choice(["det", "product", "inverse", "transpose", "trace", "add", "eigenvalues"])
    if op == "det":
        return _number_pair(op, one, _det(one), dice)
    if op == "trace":
        return _number_pair(op, one, sum((one[i][i] for i in range(size)), Fraction(0)), dice)
    if op == "eigenvalues":
        for i in range(size):
            for j in range(i):
                one[i][j] = Fraction(0)
        values = [one[i][i] for i in range(size)]
        body = {"kind": "matrix", "op": op, "args": [_said(one)], "value": [str(v) for v in values]}
        changed = [str(values[0] + 1), *[str(v) for v in values[1:]]]
        return Case(body), Case({**body, "value": changed}, "wrong eigenvalue")
    args = [_said(one)]
    if op == "product":
        found = [[sum((one[i][k] * two[k][j] for k in range(size)), Fraction(0)) for j in range(size)] for i in range(size)]  # noqa: E501  # fmt: skip
        args.append(_said(two))
    elif op == "add":
        found = [[a + b for a, b in zip(r, s, strict=True)] for r, s in zip(one, two, strict=True)]
        args.append(_said(two))
    elif op == "transpose":
        found = [list(column) for column in zip(*one, strict=True)]
    else:
        det = _det(one)
        if det == 0:
            return None
        found = [[_cofactor(one, j, i) / det for j in range(size)] for i in range(size)]
    body = {"kind": "matrix", "op": op, "args": args, "value": _said(found)}
    wrong = [list(row) for row in found]
    wrong[dice.randrange(size)][dice.randrange(size)] += dice.choice(
        [Fraction(1), Fraction(-1, 10**8)]
    )
    return Case(body), Case({**body, "value": _said(wrong)}, "wrong entry")


def _number_pair(op: str, one: Rows, value: Fraction, dice: random.Random) -> Pair:
    body = {"kind": "matrix", "op": op, "args": [_said(one)], "value": str(value)}
    bad = value + dice.choice([1, -1, 2]) if dice.random() < 0.7 else value + Fraction(1, 10**12)
    return Case(body), Case({**body, "value": str(bad)}, "constant")


def _said(rows: Rows) -> list[list[str]]:
    return [[str(entry) for entry in row] for row in rows]


def _minor(rows: Rows, i: int, j: int) -> Rows:
    return [[e for c, e in enumerate(row) if c != j] for r, row in enumerate(rows) if r != i]


def _det(rows: Rows) -> Fraction:
    if len(rows) == 1:
        return rows[0][0]
    return sum(
        ((-1) ** j * rows[0][j] * _det(_minor(rows, 0, j)) for j in range(len(rows))), Fraction(0)
    )


def _cofactor(rows: Rows, i: int, j: int) -> Fraction:
    return (-1) ** (i + j) * _det(_minor(rows, i, j))


def main() -> None:
    """Print some cases, to be looked at."""
    for case in make_cases(1, 20):
        print(json.dumps(case.body), case.error)


if __name__ == "__main__":
    main()
