"""A table of a Python process as JSON: standard library alone, so that its own text can be sent to
any kernel and run there."""

from __future__ import annotations

import json
import sys
from typing import Any

__all__ = ["hand_over"]


def hand_over(value: Any, most: int) -> dict[str, Any]:
    """`{"rows": [...]}`, or `{}` for what is no table, or `{"bytes": n}` for one that is too large.

    Args:
        most: bytes in memory, and characters as JSON.
    """
    pandas, polars = sys.modules.get("pandas"), sys.modules.get("polars")
    if pandas is not None and isinstance(value, pandas.Series):
        value = value.to_frame(name=value.name if value.name is not None else "value")
    if pandas is not None and isinstance(value, pandas.DataFrame):
        size = int(value.memory_usage(deep=False).sum())
        if size > most:
            return {"bytes": size}
        default = type(value.index).__name__ == "RangeIndex"
        table = value if default else value.reset_index()
        text = table.to_json(orient="records", date_format="iso", double_precision=15)
    elif polars is not None and isinstance(value, polars.DataFrame):
        if value.estimated_size() > most:
            return {"bytes": int(value.estimated_size())}
        text = json.dumps(value.to_dicts(), default=str)
    elif isinstance(value, list) and value and all(isinstance(row, dict) for row in value):
        text = json.dumps(value, default=str)
    else:
        return {}
    return {"rows": json.loads(text)} if len(text) <= most else {"bytes": len(text)}
