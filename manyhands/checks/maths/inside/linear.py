"""Matrices: the operation is done exactly, the claimed value compared entry by entry."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import sympy as sp
from balls import is_constant, precision, value
from judge import Found, equal, half_unit, same_number
from notation import NotReadable, read
from solutions import both_signs
from statements import says_none
from tokens import imaginary_i, trimmed

_LARGEST = 12
_MAKER = r"(?:(?:sp|sympy|np|numpy)\.)?(?:(?:Immutable|Mutable)?(?:Dense)?Matrix|array|matrix)"
#: A matrix with a factor before it, `\\frac{1}{2}\\begin{pmatrix}…`, or divided by a number behind.
_SCALED = re.compile(rf"([^\[&]*?[^\[&\s(.])\s*([(\[]?\s*\\begin\{{.*|{_MAKER}\s*\(.*)", re.DOTALL)
_DIVIDED = re.compile(rf"({_MAKER}\s*\(.*\))\s*/\s*(\(?-?[\w.]+\)?)", re.DOTALL)


def matrix(case: dict[str, Any]) -> Found:
    """The result of `op` on `args` is `value`; entries are expressions or numbers."""
    op = str(case["op"]).strip().lower()
    work = _OPERATIONS.get(op)
    if work is None:
        known = ", ".join(sorted(_OPERATIONS))
        raise NotReadable(f"the operation {op!r} is not known; known: {known}")
    given = _arguments(case["args"], pair=work in _OF_VECTORS)
    claimed = case["value"]
    none = not isinstance(claimed, list | dict) and (
        says_none(claimed) or str(claimed).strip().lower() in ("singular", "not invertible")
    )
    try:
        found = work(*given)
    except sp.matrices.exceptions.NonInvertibleMatrixError:
        said = f"the {op} does not exist: the matrix is singular"
        return ("supported" if none else "refuted"), said, {"op": op}
    except (sp.ShapeError, TypeError, sp.NonSquareMatrixError) as error:
        raise NotReadable(f"{op} of these: {str(error)[:100]}") from error
    if none:
        return "refuted", f"the {op} exists", {"op": op, "found": str(found)[:200]}
    if work is _charpoly:
        return _same_charpoly(found, claimed, case)
    if work is _null_space:
        return _same_space(found, [sp.Matrix(_rows(one)) for one in _vectors(claimed)], given[0])
    if isinstance(found, list):
        with imaginary_i():
            return _same_values(found, claimed, case)
    if isinstance(found, sp.MatrixBase):
        return _same_matrix(found, _texts(claimed), case)
    return _same(_expr(found), claimed, f"the {op} and the value", case)


def _same_charpoly(found: Any, claimed: Any, case: dict[str, Any]) -> Found:
    """det(xI - A) in whatever variable the value has; det(A - xI) is called so, too."""
    made = read(claimed)
    own = next(iter(found.free_symbols), sp.Symbol("lamda", real=True))
    names = sorted(made.free_symbols - found.free_symbols, key=str)
    if own not in made.free_symbols and len(names) == 1:
        found = found.xreplace({own: names[0]})
    verdict = equal(found, made, "the charpoly and the value", case)
    if verdict[0] == "refuted":
        other = equal(sp.Mul(-1, found), made, "the charpoly and the value", case)
        if other[0] == "supported":
            return other[0], f"{other[1]}; with the sign of det(A - xI)", other[2]
    return verdict


def _vectors(claimed: Any) -> list[Any]:
    """A list of vectors, each a list of entries or a matrix of one column."""
    if isinstance(claimed, str):
        claimed = _split(claimed.strip()[1:-1]) if "Matrix" in claimed else _texts(claimed)
    if not isinstance(claimed, list):
        raise NotReadable("a basis is a list of vectors")
    return claimed if any(isinstance(one, list | str) for one in claimed) else [claimed]


def _same_space(found: list[Any], claimed: list[Any], one: Any) -> Found:
    """The claimed vectors are a basis of the null space."""
    columns = [vector if vector.cols == 1 else vector.T for vector in claimed]
    if any(vector.shape != (one.cols, 1) for vector in columns):
        return "refuted", f"a vector has {one.cols} entries", {}
    evidence = {"dimension": len(found)}
    if any(not (one * vector).is_zero_matrix for vector in columns):
        return "refuted", "a vector is not sent to zero", evidence
    independent = sp.Matrix.hstack(*columns).rank() if columns else 0
    if independent != len(found) or len(columns) != len(found):
        return "refuted", f"the null space has {len(found)} dimensions", evidence
    return "supported", f"a basis of the null space, of {len(found)} dimensions", evidence


def _same(found: Any, text: Any, what: str, case: dict[str, Any]) -> Found:
    """Two entries; a long decimal is taken as rounded, as everywhere."""
    if half_unit(text) is not None and is_constant(found):
        with precision(300):
            return same_number(value(found), value(read(text)), text, what)
    return equal(found, read(text), what, case, prove=not isinstance(case["value"], list))


def _same_matrix(found: Any, claimed: list[list[Any]], case: dict[str, Any]) -> Found:
    shape = (len(claimed), len(claimed[0]))
    if shape != found.shape and shape == found.shape[::-1] and 1 in shape:
        claimed = [[entry] for row in claimed for entry in row] if found.cols == 1 else [
            [row[0] for row in claimed]
        ]  # fmt: skip
    elif shape != found.shape:
        return "refuted", f"the shape is {found.shape}, not {shape}", {"shape": list(found.shape)}
    last: Found = ("undetermined", "an empty matrix", {})
    undecided: Found | None = None
    for row in range(found.rows):
        for col in range(found.cols):
            what = f"entry ({row + 1}, {col + 1})"
            last = _same(found[row, col], claimed[row][col], what, case)
            if last[0] == "refuted":
                return last
            if last[0] != "supported":
                undecided = last
    if undecided is not None:
        return undecided
    return "supported", f"all {found.rows * found.cols} entries are equal", last[2]


def _same_values(found: list[Any], claimed: Any, case: dict[str, Any]) -> Found:
    """Values without order, each as often as it occurs; a map says how often."""
    if isinstance(claimed, str):
        text = trimmed(claimed).replace(r"\{", "{").replace(r"\}", "}")
        text = text[1:-1] if text[:1] in "[{(" and text[-1:] in ")}]" else text
        claimed = [part for one in _split(text) for part in both_signs(one.rpartition("=")[2])]
    if isinstance(claimed, dict):
        claimed = [value for value, times in claimed.items() for _ in range(int(times))]
    listed = claimed if isinstance(claimed, list) else [claimed]
    rest = list(listed)
    if len(rest) != len(found):
        return "refuted", f"there are {len(found)} values, not {len(rest)}", {"found": _text(found)}
    open_ones = 0
    for one in found:
        verdicts = [_same(_expr(one), other, "the values", case)[0] for other in rest]
        if "supported" in verdicts:
            rest.pop(verdicts.index("supported"))
        elif "undetermined" in verdicts:
            open_ones += 1
        else:
            return "refuted", f"{str(one)[:80]} is missing", {"found": _text(found)}
    if open_ones:
        return "undetermined", f"{open_ones} values could not be compared", {}
    return "supported", f"all {len(found)} values are there", {"found": _text(found)}


def _text(found: list[Any]) -> list[str]:
    return [str(one)[:100] for one in found]


def _expr(found: Any) -> Any:
    return sp.Integer(found) if isinstance(found, int) else found


def _arguments(args: Any, *, pair: bool = False) -> list[Any]:
    """Matrices, and numbers where an operation takes them.

    Args:
        pair: two rows are two vectors rather than one matrix.
    """
    if isinstance(args, dict):
        args = list(args.values())
    if isinstance(args, str):
        args = [args]
    if isinstance(args, list) and args and all(isinstance(arg, int | float) for arg in args):
        args = [args]
    if not isinstance(args, list) or not args or len(args) > 4:
        raise NotReadable("args is a list of matrices")
    one = isinstance(args[0], list) and not (args[0] and isinstance(args[0][0], list))
    one = one and not (pair and len(args) == 2)
    return [_matrix(arg) for arg in ([args] if one else args)]


def _matrix(arg: Any) -> Any:
    if isinstance(arg, int | float):
        return read(arg)
    if isinstance(arg, str) and not re.search(r"\[|\\begin", arg):
        return read(arg)
    return sp.Matrix([[_entry(entry) for entry in row] for row in _rows(arg)])


def _entry(made: Any) -> Any:
    """An entry that SymPy may work with: only field arithmetic is done by itself."""
    return made.doit() if made.free_symbols or not made.is_Rational else made


def _rows(said: Any) -> list[list[Any]]:
    return [[read(entry) for entry in row] for row in _texts(said)]


def _texts(said: Any) -> list[list[Any]]:
    """Rows of texts: from lists, from `[[1, 2], [3, 4]]` and `Matrix(…)`, from LaTeX."""
    if isinstance(said, dict):  # the unknowns by name
        said = list(said.values())
    if isinstance(said, str):
        said = _rows_of_text(trimmed(said))
    if not isinstance(said, list) or not said:
        raise NotReadable("a matrix is a list of rows")
    rows = [row if isinstance(row, list) else [row] for row in said]
    if len({len(row) for row in rows}) != 1 or not rows[0]:
        raise NotReadable("the rows have different lengths")
    if len(rows) > _LARGEST or len(rows[0]) > _LARGEST:
        raise NotReadable(f"a matrix larger than {_LARGEST} by {_LARGEST}")
    return rows


def _rows_of_text(text: str) -> list[Any]:
    text = re.sub(r"\\(?:left|right|[bB]igg?[lr]?)\s*(?:[\[\](){}|.]|\\[{}|])", "", text).strip()
    if scaled := _SCALED.fullmatch(text):
        factor, rows = _factor(scaled[1]), _texts(scaled[2])
        return [[f"({factor})*({entry})" for entry in row] for row in rows]
    if over := _DIVIDED.fullmatch(text):
        return [[f"({entry})/({over[2]})" for entry in row] for row in _texts(over[1])]
    latex = re.fullmatch(
        r"[(\[]?\s*\\begin\{([a-zA-Z]*matrix|array)\}(.*)\\end\{\1\}\s*[)\]]?", text, re.DOTALL
    )
    if latex:
        body = re.sub(r"^\s*\{[lcr|\s]*\}", "", latex[2]) if latex[1] == "array" else latex[2]
        lines = [line for line in re.split(r"\\\\(?:\[[^\]]*\])?", body) if line.strip()]
        return [[entry.strip() for entry in line.split("&")] for line in lines]
    call = re.fullmatch(rf"{_MAKER}\s*\((.*)\)", text, re.DOTALL)
    inner = (call[1] if call else text).strip()
    if re.match(r"\\?[A-Za-z]\w*\s*=", inner):
        return [part.rpartition("=")[2].strip() for part in _split(inner)]
    if not (inner.startswith("[") and inner.endswith("]")):
        raise NotReadable("a matrix is written [[1, 2], [3, 4]]")
    parts = _split(inner[1:-1])
    return [_split(p.strip()[1:-1]) if p.strip().startswith("[") else p for p in parts]


def _factor(text: str) -> str:
    """What stands before a matrix, as a factor: a sign alone is one, a product sign is none."""
    text = re.sub(r"(?:\*|\\cdot|\\times|\\,|·)\s*$", "", text.strip()).strip()
    return text + "1" if text in ("", "-", "+") else text


def _split(text: str) -> list[str]:
    depth, parts = 0, [""]
    for char in text:
        depth += (char in "([{") - (char in ")]}")
        if char == "," and not depth:
            parts.append("")
        else:
            parts[-1] += char
    return [part.strip() for part in parts if part.strip()]


def _eigenvalues(one: Any) -> list[Any]:
    return [root for root, times in one.eigenvals().items() for _ in range(times)]


def _power(one: Any, exponent: Any) -> Any:
    if not getattr(exponent, "is_Integer", False) or abs(int(exponent)) > 64:
        raise NotReadable("the exponent is a whole number up to 64")
    return one ** int(exponent)


def _charpoly(one: Any) -> Any:
    name = sp.Symbol("lamda", real=True)
    return one.charpoly(name).as_expr(name)


def _null_space(one: Any) -> list[Any]:
    return list(one.nullspace())


def _cross(one: Any, other: Any) -> Any:
    return one.cross(other)


def _dot(one: Any, other: Any) -> Any:
    return one.dot(other)


def _norm(one: Any) -> Any:
    """The Euclidean norm of a vector, the Frobenius norm of a matrix."""
    return sp.sqrt(sp.Add(*[entry**2 for entry in one]))


def _product(*given: Any) -> Any:
    total = given[0]
    for other in given[1:]:
        total = total * other
    return total


_OPERATIONS: dict[str, Callable[..., Any]] = {
    "det": lambda one: one.det(),
    "trace": lambda one: one.trace(),
    "rank": lambda one: one.rank(),
    "transpose": lambda one: one.T,
    "adjugate": lambda one: one.adjugate(),
    "inverse": lambda one: one.inv(),
    "product": _product,
    "add": lambda one, other: one + other,
    "subtract": lambda one, other: one - other,
    "power": _power,
    "solve": lambda one, other: one.LUsolve(other),
    "eigenvalues": _eigenvalues,
    "rref": lambda one: one.rref()[0],
    "charpoly": _charpoly,
    "dot": _dot,
    "cross": _cross,
    "norm": _norm,
    "nullspace": _null_space,
    "cofactors": lambda one: one.cofactor_matrix(),
    "kronecker": lambda one, other: sp.kronecker_product(one, other),
    "hadamard": lambda one, other: one.multiply_elementwise(other),
    "nullity": lambda one: one.cols - one.rank(),
}
_OPERATIONS |= {
    other: _OPERATIONS[name]
    for other, name in {
        "determinant": "det", "tr": "trace", "t": "transpose", "inv": "inverse",
        "multiply": "product", "mul": "product", "matmul": "product", "mult": "product",
        "scale": "product", "sum": "add", "plus": "add", "sub": "subtract", "minus": "subtract",
        "pow": "power", "eigenvals": "eigenvalues", "eigvals": "eigenvalues",
        "characteristic_polynomial": "charpoly", "linsolve": "solve", "cofactor": "cofactors",
        "cofactor_matrix": "cofactors", "kron": "kronecker", "null_space": "nullspace",
        "adj": "adjugate", "adjoint": "adjugate", "eig": "eigenvalues", "difference": "subtract",
        "matrix_power": "power", "frobenius_norm": "norm",
    }.items()
}  # fmt: skip
_OF_VECTORS = (_dot, _cross)
