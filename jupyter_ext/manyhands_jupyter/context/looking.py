"""Looks at the variables of a Python process: standard library alone, so that its own text can be
sent to any kernel and run there.

Values of types that it does not know are never printed: a `__repr__` may be slow, or ask a
database.
"""

from __future__ import annotations

import re
import sys
import time
import types
from typing import Any

__all__ = ["look"]

#: Cells of a table whose nulls are counted; of a longer one only the first rows are.
_COUNTED = 200_000
_COLUMNS = 60
_CELL = 40
_TEXT = 80
_SECRET = re.compile(
    r"passw|passphrase|pwd|secret|token|api_?key|access_?key|private_?key|credential|auth", re.I
)
_HIDDEN = {"In", "Out", "exit", "quit", "get_ipython", "open"}
_PLAIN = {"builtins", "datetime", "decimal", "fractions", "numpy", "pandas", "uuid", "zoneinfo"}
_REMOVED = "[secret removed]"


def look(
    namespace: dict[str, Any],
    names: tuple[str, ...] = (),
    first: tuple[str, ...] = (),
    seconds: float = 0.03,
) -> list[dict[str, Any]]:
    """What is known about each variable, as JSON values; the newest first.

    Args:
        names: only these; all that a user made when empty.
        first: looked at before all others, however long that takes.
        seconds: after this time only names and types of the others are told, which is noted in
            each.
    """
    end = time.perf_counter() + seconds
    wanted, early = set(names), set(first)
    found = []
    items = reversed(_items(namespace))
    for name, value in sorted(items, key=lambda item: item[0] not in early):
        if wanted and name not in wanted:
            continue
        if not wanted and (name.startswith("_") or name in _HIDDEN):
            continue
        if isinstance(value, types.ModuleType):
            continue
        told: dict[str, Any] = {"name": name, "type": _type_name(value)}
        if name not in early and time.perf_counter() > end:
            told["late"] = True
        else:
            try:
                told.update(_about(name, value))
            except Exception as error:
                told["fault"] = type(error).__name__
        found.append(told)
    return found


def _items(namespace: dict[str, Any]) -> list[tuple[str, Any]]:
    for _ in range(5):
        try:
            return list(namespace.items())
        except RuntimeError:  # another thread defined a variable just now
            continue
    return []


def _type_name(value: Any) -> str:
    kind = type(value)
    top = kind.__module__.partition(".")[0]
    return kind.__qualname__ if top == "builtins" else f"{top}.{kind.__qualname__}"


def _is(value: Any, module: str, name: str) -> bool:
    """Whether a value is of a class of a library, without importing the library."""
    loaded = sys.modules.get(module)
    kind = getattr(loaded, name, None) if loaded is not None else None
    return isinstance(kind, type) and isinstance(value, kind)


def _about(name: str, value: Any) -> dict[str, Any]:
    if isinstance(value, bool | int | float | complex | type(None)):
        text = repr(value) if not isinstance(value, int) or abs(value) < 10**40 else "large"
        return {"value": text}
    if isinstance(value, str | bytes):
        if _SECRET.search(name):
            return {"length": len(value), "value": _REMOVED}
        return {"length": len(value), "value": repr(value[:_TEXT])}
    if _is(value, "pandas", "DataFrame"):
        return _pandas(value)
    if _is(value, "pandas", "Series"):
        told = _pandas(value.iloc[:_COUNTED].to_frame())
        told.update(shape=[len(value)], bytes=int(value.memory_usage(deep=False)))
        if len(value) > _COUNTED:
            told["counted"] = _COUNTED
        return told
    if _is(value, "polars", "DataFrame"):
        return _polars(value)
    if _is(value, "numpy", "ndarray"):
        return _array(value)
    if isinstance(value, list | tuple | set | frozenset | dict):
        return _collection(name, value)
    if isinstance(value, types.FunctionType | type):
        return {"defined": True}
    top = type(value).__module__.partition(".")[0]
    if top in ("torch", "jax", "jaxlib", "tensorflow", "xarray", "cupy", "scipy"):
        shape = getattr(value, "shape", None)
        told = {"shape": [int(one) for one in shape]} if isinstance(shape, tuple) else {}
        dtype = getattr(value, "dtype", None)
        return {**told, "dtype": str(dtype)} if dtype is not None else told
    return {}


def _pandas(frame: Any) -> dict[str, Any]:
    rows, width = frame.shape
    shown = frame.iloc[:, :_COLUMNS]
    most = max(1, _COUNTED // max(1, shown.shape[1]))
    nulls = shown.iloc[:most].isna().sum().tolist()
    titles = [str(title) for title in shown.columns]
    told: dict[str, Any] = {
        "shape": [int(rows), int(width)],
        "bytes": int(frame.memory_usage(deep=False).sum()),
        "columns": [
            [title[:_TEXT], str(dtype), int(null)]
            for title, dtype, null in zip(titles, shown.dtypes.tolist(), nulls, strict=True)
        ],
        "rows": [
            [_cell(title, cell) for title, cell in zip(titles, row, strict=True)]
            for row in shown.head(3).itertuples(index=False, name=None)
        ],
    }
    if rows > most:
        told["counted"] = most
    index = frame.index
    if type(index).__name__ != "RangeIndex":
        told["index"] = f"{type(index).__name__} {index.name or ''}".strip()
    return told


def _polars(frame: Any) -> dict[str, Any]:
    rows, width = frame.shape
    shown = frame[:, :_COLUMNS] if width > _COLUMNS else frame
    most = max(1, _COUNTED // max(1, shown.shape[1]))
    nulls = shown.head(most).null_count().row(0) if width else ()
    titles = list(shown.columns)
    told: dict[str, Any] = {
        "shape": [rows, width],
        "bytes": int(frame.estimated_size()),
        "columns": [
            [title[:_TEXT], str(dtype), int(null)]
            for title, dtype, null in zip(titles, shown.dtypes, nulls, strict=True)
        ],
        "rows": [
            [_cell(title, cell) for title, cell in zip(titles, row, strict=True)]
            for row in shown.head(3).rows()
        ],
    }
    if rows > most:
        told["counted"] = most
    return told


def _array(array: Any) -> dict[str, Any]:
    told = {
        "shape": [int(one) for one in array.shape],
        "dtype": str(array.dtype),
        "bytes": int(array.nbytes),
    }
    if array.size and array.dtype.kind in "biufc":
        told["value"] = ", ".join(str(one) for one in array.flat[:5].tolist())
        if array.dtype.kind == "f":
            part = array.reshape(-1)[:_COUNTED] if array.flags.c_contiguous else array.flat[:1000]
            told["nulls"] = int((part != part).sum())
            if array.size > len(part):
                told["counted"] = len(part)
    return told


def _collection(name: str, value: Any) -> dict[str, Any]:
    told: dict[str, Any] = {"length": len(value)}
    if isinstance(value, dict):
        told["keys"] = [str(key)[:_CELL] for key in list(value)[:12] if isinstance(key, str | int)]
        return told
    first = []
    for one in value:
        first.append(one)
        if len(first) == 3:
            break
    told["holds"] = sorted({_type_name(one) for one in first})
    told["value"] = ", ".join(_cell(name, one) for one in first)
    return told


def _cell(title: str, value: Any) -> str:
    if isinstance(value, str | bytes) and _SECRET.search(title):
        return _REMOVED
    if isinstance(value, dict | list | tuple | set):
        return f"<{type(value).__name__} of {len(value)}>"
    if type(value).__module__.partition(".")[0] in _PLAIN:
        return str(value)[:_CELL]
    return f"<{type(value).__name__}>"
