"""Fixed sets for the benchmark: near-identities, true ones that look alike, hostile strings."""

from __future__ import annotations

from typing import Any

__all__ = ["HOSTILE", "NEAR", "TRUE"]


def _same(*pairs: str) -> list[dict[str, Any]]:
    sides = [pair.split(" == ") for pair in pairs]
    return [{"kind": "identity", "lhs": left, "rhs": right} for left, right in sides]


#: Nearly true, or true only for some signs: none may be supported.
NEAR = _same(
    "sqrt(x**2) == x", "2**x*3**x == 6**x + 1e-35", "exp(pi*sqrt(163)) == 262537412640768744",
    "log(x**2) == 2*log(x)", "log(x*y) == log(x) + log(y)", "sqrt(x*y) == sqrt(x)*sqrt(y)",
    "(x**2)**(1/2) == x", "asin(sin(x)) == x", "atan(tan(x)) == x", "acos(cos(x)) == x",
    "(x**3)**(1/3) == x", "atan(x) + atan(1/x) == pi/2", "sqrt(x**4) == x*sqrt(x**2)",
    "Abs(x + y) == Abs(x) + Abs(y)", "x/Abs(x) == 1", "sin(x) + exp(-400) == sin(x)",
    "22/7 == pi", "355/113 == pi", "(1 + 1e-40)*x == x", "exp(x) == (1 + x/10**9)**(10**9)",
    "floor(x) == x - 1/2", "tanh(1000*x) == sign(x)", "cos(x) == cos(x + 6.283185307179586)",
    "Heaviside(x - 1000) == 0", "\\sqrt{x^2} == x", "\\ln x^2 == 2 \\ln x",
    "sin(x)**2 + cos(x)**2 == 1 + 1e-100", "(x**2 - 1e-60)/(x - 1e-30) == x",
    "Max(x, -3) == x", "erf(30) == 1", "gamma(x + 1) == x*gamma(x) + 1e-45",
    "sqrt(x + 1e-50) == sqrt(x)",
)  # fmt: skip

#: True ones that look alike: all must be supported.
TRUE = _same(
    "sqrt(x**2) == Abs(x)", "2**x*3**x == 6**x", "log(exp(x)) == x", "sin(asin(x)) == x",
    "tan(atan(x)) == x", "exp(log(x)) == x", "sqrt(x)**2 == x", "gamma(x + 1) == x*gamma(x)",
    "(x**2 - 1)/(x - 1) == x + 1", "sin(3*x) == 3*sin(x) - 4*sin(x)**3",
    "Abs(x*y) == Abs(x)*Abs(y)", "exp(I*x) == cos(x) + I*sin(x)", "cosh(x)**2 - sinh(x)**2 == 1",
    "sqrt(5 + 2*sqrt(6)) == sqrt(2) + sqrt(3)", "4*atan(1/5) - atan(1/239) == pi/4",
    "Max(x, y) == (x + y + Abs(x - y))/2", "\\sin^2 x + \\cos^2 x == 1",
    "\\frac{1}{1-x} - \\frac{1}{1+x} == \\frac{2x}{1-x^2}",
    "cos(pi/7)*cos(2*pi/7)*cos(3*pi/7) == 1/8", "tan(x/2) == sin(x)/(1 + cos(x))",
)  # fmt: skip

_ATTACKS = [
    "__import__('time').sleep(5)", "(lambda: __import__('time').sleep(5))()",
    "[c for c in ().__class__.__base__.__subclasses__()]", "open('/etc/passwd').read()",
    "exec('import time; time.sleep(5)')", "eval('1+1')", "x.__class__.__mro__",
    "(1).__class__.__bases__[0].__subclasses__()", "f'{x!r}'", "sympify('1')", "S('1')",
    "Function('f')(x)", "x if __import__('time').sleep(5) else x", "(x := 5)", "lambda x: x",
    "{}.__class__", "print(1)", "globals()", "Symbol('x', **{})", "x;import os", "x\nimport os",
    "yield x", "await x", "*x", "'x'*10**9", "b'x'", "...", "True", "None", "x[0]", "x[::2]",
    "9**9**9", "9**9**9**9", "2**(2**(2**(2**(2**2))))", "factorial(10**9)", "10**(10**10)",
    "factorial(factorial(factorial(9)))", "x**(10**12)", "(x+1)**999999", "binomial(10**9, 10**8)",
    "(" * 1900 + "x" + ")" * 1900, "-" * 3000 + "x", "x" + "**2" * 600,
    "sin(" * 400 + "x" + ")" * 400,
    "x" + "!" * 200, "1" * 3900, "0." + "1" * 3900, "1e999999999", "1e-999999999",
    "\\frac{" * 300 + "x" + "}{x}" * 300, "\\sqrt{" * 500 + "x" + "}" * 500, "{" * 2000,
    "\\" * 2000,
    "\\input{/etc/passwd}", "\\write18{sleep 5}", "\\def\\x{\\x\\x}\\x", "x" * 3999, "|" * 999,
    "gamma(gamma(gamma(gamma(x))))", "exp(exp(exp(exp(exp(exp(x))))))", "x**x**x**x**x**x",
    "zeta(10**15 + 10**15*I)", "besselj(9999, x)**999", "polygamma(199, x)",
    "Max(" + "x, " * 300 + "x)",
    "tan(10**9999)", "sin(x)**(10**5) + cos(x)**(10**5)", "prod(x for x in range(9))",
    "1/(" * 200 + "x" + ")" * 200, "Sum(1, (x, 1, 10**9))", "Integral(x, x)", "Limit(x, x, 0)",
    "\u202ex", "x\u0000y", "ｘ**２", "𝒙 + 1", "x" + "\u0301" * 500, "١٢٣",
]  # fmt: skip

#: Strings that attack a reader: none may run, none may take longer than a second.
HOSTILE: list[dict[str, Any]] = [
    body
    for attack in _ATTACKS
    for body in (
        {"kind": "identity", "lhs": attack, "rhs": "0"},
        {"kind": "antiderivative", "f": attack, "F": "x", "var": "x"},
        {"kind": "derivative", "f": attack, "df": "7", "var": "x"},
        {"kind": "definite_integral", "f": attack, "a": "0", "b": "3", "var": "x", "value": "0"},
        {"kind": "limit", "f": attack, "var": "x", "to": "oo", "value": "7"},
        {"kind": "sum", "term": attack, "var": "x", "from": "1", "to": "oo", "value": "7"},
        {"kind": "solution", "equations": attack, "values": {"x": "7"}},
        {"kind": "ode", "equation": "y' = y", "solution": attack},
        {"kind": "matrix", "op": "inverse", "args": [[attack, "1"], ["2", "3"]], "value": [["1"]]},
        {"kind": "inequality", "claim": attack},
        {"kind": "integer_claim", "claim": attack},
    )
]
