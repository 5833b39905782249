"""A table as the functions of the `code` hand get it; also read inside the sandbox."""

import csv
from pathlib import Path
from typing import Any


def columns(path: str) -> dict[str, list[Any]]:
    """Column name -> its values in order: numbers as float, empty cells as None."""
    with Path(path).open(newline="", encoding="utf-8-sig") as lines:
        rows = list(csv.DictReader(lines))
    names = list(rows[0]) if rows else []
    return {str(name).strip(): [_value(row[name]) for row in rows] for name in names}


def _value(text: str | None) -> Any:
    if text is None or text == "":
        return None
    try:
        return float(text)
    except ValueError:
        return text
