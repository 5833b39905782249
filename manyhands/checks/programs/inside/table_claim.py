# mypy: disable-error-code="import-not-found,import-untyped,unused-ignore"
"""Runs a claim's program on a table, again with each trap taken out, and recomputes by the text.

Reads claim_job.json {csv, programs: {name: code}, ask?}; writes claim.json with, for each program
and each changed table, the truth value or the exception, and what was seen while it ran.
"""

from __future__ import annotations

import io
import json
import types
import warnings
from typing import Any

import numpy as np
import pandas as pd

_SEEN: list[dict[str, Any]] = []


def _watch() -> None:
    """Note what joins and gap removals do to the number of rows."""
    merge, dropna = pd.DataFrame.merge, pd.DataFrame.dropna

    def seen_merge(self: Any, right: Any, *args: Any, **kwargs: Any) -> Any:
        out = merge(self, right, *args, **kwargs)
        _SEEN.append({"what": "merge", "left": len(self), "right": len(right), "out": len(out)})
        return out

    def seen_dropna(self: Any, *args: Any, **kwargs: Any) -> Any:
        out = dropna(self, *args, **kwargs)
        if out is not None and len(out) < len(self):
            _SEEN.append({"what": "dropna", "left": len(self), "right": 0, "out": len(out)})
        return out

    pd.DataFrame.merge, pd.DataFrame.dropna = seen_merge, seen_dropna
    pd.merge = lambda left, right, *a, **k: seen_merge(left, right, *a, **k)


def _truth(code: str, frame: Any) -> dict[str, Any]:
    _SEEN.clear()
    try:
        module = types.ModuleType("claim")
        module.__dict__.update(pd=pd, np=np)
        exec(compile(code, "claim.py", "exec"), module.__dict__)  # noqa: S102
        value = module.__dict__["claim"](frame.copy())
        if not isinstance(value, (bool, np.bool_)):
            return {"error": f"claim returned {type(value).__name__}, not a bool"}
        return {"value": bool(value), "seen": list(_SEEN)}
    except BaseException as error:
        return {"error": f"{type(error).__name__}: {error}"[:500]}


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


def _scrambled(frame: Any) -> Any:
    """The same columns with their values changed: what holds here too says nothing of the data."""
    dice = np.random.default_rng(0)
    out = frame.copy()
    for at, name in enumerate(frame.columns):
        column = frame[name].sample(frac=1, random_state=at).reset_index(drop=True)
        if pd.api.types.is_numeric_dtype(column) and not pd.api.types.is_bool_dtype(column):
            column = -column.astype(float) * dice.uniform(3, 9) - 1000 * dice.uniform(1, 2)
        out[name] = column.to_numpy()
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


def main() -> None:
    """Do what the job asks."""
    with open("claim_job.json") as file:  # noqa: PTH123
        job = json.load(file)
    frame = pd.read_csv(io.StringIO(job["text"])) if "text" in job else pd.read_csv(job["csv"])
    out: dict[str, Any] = {"rows": len(frame), "columns": [str(c) for c in frame.columns]}
    if job.get("ask"):
        # Before any line of the claim's program has run.
        try:
            out["recomputed"] = recompute(frame, job["ask"])
        except Exception:
            out["recomputed"] = None
    changed = _tables(frame)
    _watch()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        out["programs"] = {name: _truth(code, frame) for name, code in job["programs"].items()}
        own = job["programs"]["own"]
        out["tables"] = {name: _truth(own, table) for name, table in changed.items()}
        out["scrambled"] = _truth(own, _scrambled(frame))
    with open("claim.json", "w") as file:  # noqa: PTH123
        json.dump(out, file)


if __name__ == "__main__":
    main()
