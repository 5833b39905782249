"""Variables in words for a prompt: schemas, not values, and never more than a budget of tokens."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from manyhands.mind.condense import estimate_tokens
from manyhands.redaction import redact
from manyhands_jupyter.context.looking import look

__all__ = ["Described", "Variable", "describe", "read", "variables_of"]

_SHOWN_COLUMNS = 30


@dataclass(frozen=True, slots=True)
class Variable:
    """One variable, as far as it was looked at; `facts` are those of `looking.look`."""

    name: str
    type: str
    facts: Mapping[str, Any]

    @property
    def is_table(self) -> bool:
        return "columns" in self.facts

    def line(self) -> str:
        """Name, type, size and a first value in one line; a table's column names."""
        facts = self.facts
        parts = [f"{self.name}: {self.type}"]
        if shape := facts.get("shape"):
            parts.append(_shape(shape, table=self.is_table))
        if dtype := facts.get("dtype"):
            parts.append(str(dtype))
        if (length := facts.get("length")) is not None:
            parts.append(f"{length:,} {'characters' if self.type in ('str', 'bytes') else 'items'}")
        if holds := facts.get("holds"):
            parts.append(f"of {' and '.join(holds)}")
        if size := facts.get("bytes"):
            parts.append(_bytes(size))
        if facts.get("nulls"):
            parts.append(f"{facts['nulls']} nan{_counted(facts)}")
        if keys := facts.get("keys"):
            parts.append(f"keys {', '.join(keys)}")
        text = ", ".join(parts)
        if facts.get("value"):
            text += f" = {facts['value']}"
        if self.is_table:
            text += f" ({', '.join(column[0] for column in facts['columns'][:_SHOWN_COLUMNS])})"
        if facts.get("late"):
            text += " (not looked at: too many variables)"
        return redact(text)

    def whole(self) -> str:
        """The same with every column's type and nulls, and first rows."""
        if not self.is_table:
            return self.line()
        facts = self.facts
        size = f"{_shape(facts['shape'], table=True)}, {_bytes(facts['bytes'])}"
        lines = [f"{self.name}: {self.type}, {size}"]
        if index := facts.get("index"):
            lines.append(f"  index: {index}")
        columns = facts["columns"]
        for title, dtype, nulls in columns[:_SHOWN_COLUMNS]:
            lines.append(f"  {title}: {dtype}, {nulls} null{_counted(facts)}")
        width = facts["shape"][1] if len(facts["shape"]) > 1 else len(columns)
        if width > _SHOWN_COLUMNS:
            lines.append(f"  … {width - _SHOWN_COLUMNS} more columns")
        lines.extend("  row: " + ", ".join(row[:_SHOWN_COLUMNS]) for row in facts["rows"])
        return redact("\n".join(lines))


@dataclass(frozen=True, slots=True)
class Described:
    """Variables as text, the tokens it takes, and the names that did not fit."""

    text: str
    tokens: int
    left_out: tuple[str, ...]


def read(
    namespace: dict[str, Any], names: Sequence[str] = (), first: Sequence[str] = ()
) -> list[Variable]:
    """Look at the variables of this process: those in `first`, then the others, newest first."""
    return variables_of(look(namespace, tuple(names), tuple(first)))


def variables_of(looked: Iterable[Mapping[str, Any]]) -> list[Variable]:
    return [
        Variable(
            str(one["name"]),
            str(one["type"]),
            {key: value for key, value in one.items() if key not in ("name", "type")},
        )
        for one in looked
    ]


def describe(
    variables: Sequence[Variable], budget_tokens: int, first: Sequence[str] = ()
) -> Described:
    """As much about the variables as fits.

    Those in `first` are told whole before all others; then each other in one line, the newest
    first; the names of the rest are listed at the end as far as they fit.
    """
    named = [one for one in variables if one.name in first]
    others = [one for one in variables if one.name not in first]
    tail_tokens = min(60, budget_tokens // 6) if variables else 0
    left = budget_tokens - tail_tokens
    lines: list[str] = []
    missing: list[str] = []
    versions: list[tuple[str, tuple[str, ...]]] = [
        (one.name, (one.whole(), one.line())) for one in named
    ]
    versions += [(one.name, (one.line(),)) for one in others]
    for name, texts in versions:
        for text in texts:
            cost = estimate_tokens(f"{text}\n")
            if cost <= left:
                lines.append(text)
                left -= cost
                break
        else:
            missing.append(name)
    if missing:
        tail = f"… and {len(missing)} more: {', '.join(missing)}"
        room = int((left + tail_tokens) * 3) - 4
        tail = tail if len(tail) <= room else f"{tail[: max(0, room - 1)]}…" if room > 20 else ""
        if tail:
            lines.append(redact(tail))
    text = "\n".join(lines)
    return Described(text, estimate_tokens(text) if text else 0, tuple(missing))


def _shape(shape: Sequence[int], *, table: bool) -> str:
    if table and len(shape) == 2:
        return f"{shape[0]:,} rows × {shape[1]:,} columns"
    return " × ".join(f"{one:,}" for one in shape) or "scalar"


def _bytes(size: int) -> str:
    for unit in ("B", "kB", "MB"):
        if size < 1000:
            return f"{size:.0f} {unit}"
        size = size // 1000 if unit == "B" else int(size / 1000)
    return f"{size} GB"


def _counted(facts: Mapping[str, Any]) -> str:
    return f" in the first {facts['counted']:,}" if facts.get("counted") else ""
