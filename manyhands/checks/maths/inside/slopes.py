"""Derivatives, also of what has kinks and jumps."""

from __future__ import annotations

from typing import Any

import sympy as sp
from balls import Undefined


class _Absolute(sp.Function):  # type: ignore[misc]
    """|u| of a real u, which can be differentiated: SymPy's own asks for parts of complex ones."""

    def fdiff(self, argindex: int = 1) -> Any:  # noqa: ARG002  SymPy's signature
        return sp.sign(self.args[0], evaluate=False)


class _Step(sp.Function):  # type: ignore[misc]
    """A function that is flat but for its jumps, which are no points of the domain."""

    def fdiff(self, argindex: int = 1) -> Any:  # noqa: ARG002  SymPy's signature
        return sp.S.Zero


def derivative_of(expr: Any, var: Any, order: int = 1) -> Any:
    """The derivative where the expression is differentiable; kinks and jumps are left out.

    Raises:
        Undefined: SymPy has no rule.
    """
    steps: dict[Any, Any] = {}

    def flat(node: Any) -> Any:
        made = _Step(node)
        steps[made] = node
        return made

    if expr.has(sp.Abs, sp.sign, sp.floor, sp.ceiling, sp.Heaviside):
        for step in (sp.sign, sp.floor, sp.ceiling, sp.Heaviside):
            expr = expr.replace(lambda node, kind=step: isinstance(node, kind), flat)
        expr = expr.replace(lambda node: isinstance(node, sp.Abs), lambda n: _Absolute(n.args[0]))
    for _ in range(order):
        expr = sp.diff(expr, var)
        expr = expr.replace(lambda node: isinstance(node, sp.sign), flat) if steps else expr
    if steps or expr.has(_Absolute):
        expr = expr.replace(lambda n: isinstance(n, _Absolute), lambda n: sp.Abs(n.args[0]))
    while expr.has(_Step):
        expr = expr.replace(lambda n: isinstance(n, _Step), lambda n: n.args[0])
    if expr.has(sp.Derivative, sp.Subs):
        raise Undefined("SymPy cannot differentiate it")
    return expr.replace(sp.DiracDelta, lambda *_: sp.S.Zero) if expr.has(sp.DiracDelta) else expr
