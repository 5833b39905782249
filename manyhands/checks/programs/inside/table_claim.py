# mypy: disable-error-code="import-not-found,import-untyped,unused-ignore"
# ruff: noqa: PTH123
"""Runs the programs of a claim on tables, in the order it is told, and writes what they said.

Reads claim_job.json {programs: {name: code}, runs: [[program, csv], …]}; writes claim.json
{replies}: for each run {value, seen} or {error}. It is not told which table is the real one.
"""

from __future__ import annotations

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


def main() -> None:
    """Do what the job asks, in its order."""
    with open("claim_job.json") as file:
        job = json.load(file)
    tables = {name: pd.read_csv(name) for _, name in job["runs"]}
    _watch()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        replies = [_truth(job["programs"][program], tables[name]) for program, name in job["runs"]]
    with open("claim.json", "w") as file:
        json.dump({"replies": replies}, file)


if __name__ == "__main__":
    main()
