"""A checked program as a cell of its own: own names, own folder, own copy of the data."""

from __future__ import annotations

import ast
import builtins
import symtable
from pathlib import Path
from typing import Any

__all__ = ["names_bound", "private_cell", "read_code", "table_code"]

#: What a plotting program finds in the sandbox without importing or reading it.
_GIVEN = {
    "np": "import numpy as np",
    "pd": "",  # imported for the copy already
    "plt": "import matplotlib.pyplot as plt",
    "df": "df = pd.read_csv({file!r})",
    "data": "data = {file!r}",
}
#: Names that look at or change the names around them: those of a function are not those of a file.
_LOOKS_AROUND = {"globals", "locals", "vars", "dir", "exec", "eval"}
_READERS = {
    ".csv": "pd.read_csv({path!r})",
    ".tsv": "pd.read_csv({path!r}, sep='\\t')",
    ".tab": "pd.read_csv({path!r}, sep='\\t')",
    ".psv": "pd.read_csv({path!r}, sep='|')",
    ".parquet": "pd.read_parquet({path!r})",
    ".pq": "pd.read_parquet({path!r})",
    ".feather": "pd.read_feather({path!r})",
    ".arrow": "pd.read_feather({path!r})",
}
#: Names of the cell itself; a variable that is called so cannot be handed to it.
_OWN = {"contextlib", "folder", "pd", "shutil", "tempfile"}
_TEXT = (".csv", ".tsv", ".tab", ".psv")
_INDENT = " " * 8


def table_code(name: str, value: Any) -> str:
    """The code that makes the table which the mind was given of a variable; empty for none.

    It needs `pd`. The counterpart of `table_of`: an index that is no plain range is a column.
    """
    kind = f"{type(value).__module__.partition('.')[0]}.{type(value).__name__}"
    if kind == "polars.DataFrame":
        return f"pd.DataFrame({name}.to_dicts())"
    if isinstance(value, list):
        return f"pd.DataFrame({name})"
    if kind not in ("pandas.Series", "pandas.DataFrame"):
        return ""
    framed = name
    if kind == "pandas.Series":
        framed = f"{name}.to_frame({'' if value.name is not None else repr('value')})"
    plain = type(value.index).__name__ == "RangeIndex"
    return framed if plain else f"{framed}.reset_index()"


def read_code(path: str) -> str:
    """The code that reads a table's file, from wherever; empty for a kind that pandas reads its
    own way. It needs `pd`."""
    whole = Path(path).expanduser().absolute()
    return _READERS.get(whole.suffix.lower(), "").format(path=str(whole))


def private_cell(source: str, name: str, *, path: str = "", table: str = "") -> str:
    """The program as a function in a temporary folder, and its call; empty where it cannot be one.

    The program keeps its text but for the indentation. In its folder a copy of the data has the
    file name that it had in the sandbox: a program that writes there changes no file of the
    user's, and one that assigns changes no variable.

    Args:
        name: of the data.
        path: their file, if they are one.
        table: else the code of their table.
    """
    file = f"{name}.csv"
    read = read_code(path) if path else table
    if not read or (table and name in _OWN):
        return ""
    whole = str(Path(path).expanduser().absolute())
    if path and Path(path).suffix.lower() in _TEXT:
        copies = [f"shutil.copyfile({whole!r}, {file!r})"]
    elif path:
        # An index that has a name was a column in the sandbox too.
        copies = [f"table = {read}", f"table.to_csv({file!r}, index=any(table.index.names))"]
    else:
        copies = [f"{table}.to_csv({file!r}, index=False)"]
    if "data.csv" in source and file != "data.csv":
        copies.append(f"shutil.copyfile({file!r}, 'data.csv')")
    try:
        tree = ast.parse(source)
        body = _indented(source, tree)
        needed = _needed(tree, body)
    except SyntaxError:
        return ""
    if needed is None:
        return ""
    given = [_GIVEN[one].format(file=file) for one in _GIVEN if one in needed and _GIVEN[one]]
    head = [
        f"def draw_{name}({'' if path else name}):",
        '    """The program that was checked, in a folder of its own with a copy of the data."""',
        "    import contextlib",
        *(["    import shutil"] if any("shutil" in line for line in copies) else []),
        "    import tempfile",
        "",
        "    import pandas as pd",
        "",
        "    with tempfile.TemporaryDirectory() as folder, contextlib.chdir(folder):",
        *(f"{_INDENT}{line}" for line in (*copies, *given)),
    ]
    return "\n".join([*head, "", body, "", "", f"draw_{name}({'' if path else name})"])


def _indented(source: str, tree: ast.Module) -> str:
    """The program further right, lines inside of strings left as they are.

    Raises:
        SyntaxError: that changes its meaning, or it cannot stand in a function.
    """
    inside: set[int] = set()
    for node in ast.walk(tree):
        text = isinstance(node, ast.JoinedStr) or (
            isinstance(node, ast.Constant) and isinstance(node.value, str | bytes)
        )
        if text and isinstance(node, ast.expr):
            inside.update(range(node.lineno + 1, (node.end_lineno or node.lineno) + 1))
    lines = source.split("\n")
    moved = "\n".join(
        line if number in inside or not line.strip() else f"{_INDENT}{line}"
        for number, line in enumerate(lines, 1)
    )
    program = f"def draw():\n    if True:\n{moved}\n"
    compile(program, "cell", "exec", dont_inherit=True)
    (function,) = ast.parse(program).body
    block = function.body[0] if isinstance(function, ast.FunctionDef) else None
    same = isinstance(block, ast.If) and ast.dump(ast.Module(block.body, [])) == ast.dump(tree)
    if not same:
        raise SyntaxError("the program cannot be indented")
    return moved


def _needed(tree: ast.Module, body: str) -> set[str] | None:
    """The names that the sandbox gave the program; None when a function would not do the same."""
    if any(isinstance(node, ast.Global | ast.ClassDef) for node in ast.walk(tree)):
        return None
    early: set[str] = set()
    bound: set[str] = set()
    for statement in tree.body:
        names = [node for node in ast.walk(statement) if isinstance(node, ast.Name)]
        early |= {one.id for one in names if isinstance(one.ctx, ast.Load)} - bound
        bound |= _bound(symtable.symtable(ast.unparse(statement), "cell", "exec"))
    known = set(dir(builtins))
    scope = symtable.symtable(f"def draw():\n    if True:\n{body}\n", "cell", "exec")
    outside = _outside(scope)
    # A built-in that the program assigns anywhere is, in a function, unknown before that.
    if outside & _LOOKS_AROUND or bound & known:
        return None
    outside -= {*known, "draw"}
    needed = outside | (early & set(_GIVEN))
    return needed if needed <= set(_GIVEN) else None


def names_bound(source: str) -> set[str]:
    """The names that a cell binds when it is run; none for what is no Python."""
    try:
        return _bound(symtable.symtable(source, "cell", "exec"))
    except SyntaxError:
        return set()


def _bound(scope: symtable.SymbolTable) -> set[str]:
    made = (one for one in scope.get_symbols() if one.is_assigned() or one.is_imported())
    return {one.get_name() for one in made}


def _outside(scope: symtable.SymbolTable) -> set[str]:
    """The names that it and the scopes in it take from outside of the program."""
    found = {one.get_name() for one in scope.get_symbols() if one.is_global()}
    return found.union(*(_outside(child) for child in scope.get_children()))
