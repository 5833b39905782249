# mypy: disable-error-code="import-not-found,import-untyped,unused-ignore"
# ruff: noqa: PTH123
"""Reads a table, recomputes what a sentence says of it, and writes changed versions of it.

Reads claim_job.json {csv, ask?}; writes claim_tables.json {rows, columns, numeric, groups,
misordered, tables, recomputed?} and table_N.csv for each name in `tables`: the table with a trap
taken out, or another table with the same columns. No line of the claim's program runs here.
"""

from __future__ import annotations

import json
import warnings
from typing import Any

import numpy as np
import pandas as pd

_OTHER = "another table: "
_ROWS = 5_000  # of the tables that have nothing to do with the claim
_GROUPS = 30  # different texts of a column up to which they are names of groups


def _tables(frame: Any) -> dict[str, Any]:
    """The table with each trap of the data taken out, where that changes something."""
    out: dict[str, Any] = {}
    numeric = frame.copy()
    for name in frame.columns:
        column = frame[name]
        if pd.api.types.is_numeric_dtype(column) or column.isna().all():
            continue
        text = column.astype("string").str.replace(r"[,$€%\s]", "", regex=True)
        turned = pd.to_numeric(text, errors="coerce")
        present = column.notna().sum()
        if turned.notna().sum() >= 0.8 * present:
            numeric[name] = turned.astype(float)
            out["numbers stored as text"] = numeric
    dates = [c for c in frame.columns if _is_date(frame[c])]
    if dates:
        column = pd.to_datetime(frame[dates[0]])
        if not column.is_monotonic_increasing:
            order = column.argsort(kind="stable")
            out["rows not in the order of time"] = frame.iloc[order].reset_index(drop=True)
    if frame.duplicated().any():
        out["duplicate rows"] = frame.drop_duplicates().reset_index(drop=True)
    return out


def _is_date(column: Any) -> bool:
    text = column.dropna().astype(str)
    if not len(text) or not text.str.match(r"^\d{4}-\d{2}").all():
        return False
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return bool(pd.to_datetime(text, errors="coerce").notna().all())


def _others(frame: Any) -> dict[str, Any]:
    """Tables with the same columns and other content: what holds of all of them says nothing."""
    frame = frame.head(_ROWS)
    out = {"other values": _scrambled(frame, -1), "large values": _scrambled(frame, 1)}
    out["half of the rows"] = frame.iloc[: len(frame) // 2]
    out["many rows"] = pd.concat([frame] * 3)
    strange = frame.copy()
    for name in frame.columns:
        if not pd.api.types.is_numeric_dtype(frame[name]):
            strange[name] = [f"{at} {name}" for at in range(len(frame))]
    out["other names"] = strange
    gaps = frame.astype(object).copy()
    gaps.iloc[::2] = None
    out["gaps"] = gaps
    return {_OTHER + name: table for name, table in out.items()}


def _scrambled(frame: Any, sign: int) -> Any:
    dice = np.random.default_rng(0)
    out = frame.copy()
    for at, name in enumerate(frame.columns):
        column = frame[name].sample(frac=1, random_state=at).reset_index(drop=True)
        if pd.api.types.is_numeric_dtype(column) and not pd.api.types.is_bool_dtype(column):
            column = sign * (column.astype(float) * dice.uniform(3, 9) + 1000 * dice.uniform(1, 2))
        out[name] = column.to_numpy()
    return out


def _groups(frame: Any) -> dict[str, list[str]]:
    out = {}
    for name in frame.columns:
        column = frame[name].dropna()
        if pd.api.types.is_numeric_dtype(column) or _is_date(column):
            continue
        texts = sorted({str(v) for v in column.head(_ROWS)})
        if len(texts) <= _GROUPS:
            out[str(name)] = texts
    return out


def recompute(frame: Any, ask: dict[str, Any]) -> Any:
    """The number or name that the text speaks of; None when the table lacks its columns."""
    names = {str(c).casefold().replace("_", " "): c for c in frame.columns}

    def column(text: str) -> Any:
        return names.get(text.casefold().replace("_", " "))

    part = frame
    where = ask.get("where")
    if where:
        by = column(where[0])
        if by is None:
            return None
        part = frame[frame[by].astype(str).str.casefold() == where[1].casefold()]
        if part.empty:
            return None
    if ask["kind"] == "rows":
        return len(part)
    of = column(ask["column"])
    if of is None or not pd.api.types.is_numeric_dtype(frame[of]):
        return None
    if ask["kind"] == "stat":
        return float(getattr(part[of], ask["stat"])())
    if ask["kind"] == "correlation":
        other = column(ask["other"])
        if other is None or not pd.api.types.is_numeric_dtype(frame[other]):
            return None
        return float(part[of].corr(part[other]))
    if ask["kind"] == "change":
        dates = [c for c in frame.columns if _is_date(frame[c])]
        ordered = part.sort_values(dates[0], kind="stable") if dates else part
        values = ordered[of].dropna()
        return [float(values.iloc[0]), float(values.iloc[-1])] if len(values) else None
    by = next(
        (
            c
            for c in frame.columns
            if (frame[c].astype(str).str.casefold() == ask["name"].casefold()).any()
        ),
        None,
    )
    if by is None:
        return None
    values = getattr(part.groupby(by)[of], ask["stat"])()
    return str(values.idxmax() if ask["most"] else values.idxmin())


def _misordered(frame: Any) -> dict[str, list[str]]:
    """Columns of texts that begin with a number, and the ends that text order gets wrong."""
    out = {}
    for name in frame.columns:
        column = frame[name].dropna()
        if not len(column) or pd.api.types.is_numeric_dtype(column):
            continue
        parts = column.astype(str).str.extract(r"^\s*(-?\d+(?:\.\d+)?)\s*([^\d\s]*)\s*$")
        if parts[0].isna().any() or parts[1].nunique() != 1:
            continue
        numbers = parts[0].astype(float)
        texts = column.astype(str)
        ends = {"max": (numbers.idxmax(), texts.max()), "min": (numbers.idxmin(), texts.min())}
        wrong = [end for end, (row, text) in ends.items() if texts[row] != text]
        if wrong:
            out[str(name)] = wrong
    return out


def main() -> None:
    """Do what the job asks."""
    with open("claim_job.json") as file:
        job = json.load(file)
    frame = pd.read_csv(job["csv"])
    out: dict[str, Any] = {"rows": len(frame), "columns": [str(c) for c in frame.columns]}
    out["numeric"] = [str(c) for c in frame.select_dtypes("number").columns]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        out["groups"], out["misordered"] = _groups(frame), _misordered(frame)
        if job.get("ask"):
            try:
                out["recomputed"] = recompute(frame, job["ask"])
            except (KeyError, TypeError, ValueError, IndexError, ZeroDivisionError):
                out["recomputed"] = None
        tables = {**_tables(frame), **_others(frame)}
    for at, table in enumerate(tables.values()):
        table.to_csv(f"table_{at}.csv", index=False)
    out["tables"] = list(tables)
    with open("claim_tables.json", "w") as file:
        json.dump(out, file)


if __name__ == "__main__":
    main()
