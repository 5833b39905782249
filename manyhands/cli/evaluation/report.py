"""The report of an evaluation: saved as JSON, told as tables, compared with another."""

from __future__ import annotations

from collections.abc import Sequence

from pydantic import BaseModel, ConfigDict
from rich.table import Table

__all__ = ["Report", "Row", "compare", "table_of"]


class Row(BaseModel):
    """One task's outcome. `right` is None where the grader could not decide."""

    model_config = ConfigDict(frozen=True)

    id: str
    kind: str
    right: bool | None
    sold: bool
    status: str
    why: str
    seconds: float
    tokens: int
    loads: int


class Report(BaseModel):
    """All rows, with what they were measured on."""

    model_config = ConfigDict(frozen=True)

    made: str
    version: str
    models: dict[str, str]
    simulated: bool
    rows: tuple[Row, ...]

    @property
    def right(self) -> int:
        return sum(row.right is True for row in self.rows)

    @property
    def wrong_but_sold(self) -> int:
        """Answers that are wrong and said `verified`: this should be 0."""
        return sum(row.right is False and row.sold for row in self.rows)


def table_of(report: Report) -> Table:
    """A row for each task and a line of totals."""
    models = ", ".join(f"{tier}: {model}" for tier, model in report.models.items())
    said = " (simulated: the models were scripted)" if report.simulated else ""
    table = Table(
        "task",
        "right",
        "status",
        "s",
        "tokens",
        "why",
        title=f"{models}{said}",
        title_justify="left",
    )
    for row in report.rows:
        table.add_row(
            row.id,
            _mark(row.right),
            row.status,
            f"{row.seconds:.1f}",
            str(row.tokens),
            row.why[:80],
        )
    table.caption = (
        f"{report.right} of {len(report.rows)} right; wrong but sold as verified: "
        f"{report.wrong_but_sold}"
    )
    return table


def compare(before: Report, after: Report) -> Table:
    """Two reports side by side, task by task."""
    table = Table("task", "before", "after", "seconds", title="before → after")
    old = {row.id: row for row in before.rows}
    for row in after.rows:
        first = old.get(row.id)
        table.add_row(
            row.id,
            _mark(first.right) if first else "-",
            _mark(row.right),
            f"{first.seconds:.1f} → {row.seconds:.1f}" if first else f"{row.seconds:.1f}",
        )
    shared = [row for row in after.rows if row.id in old]
    table.caption = f"right: {_count(before, shared)} → {sum(r.right is True for r in shared)}"
    return table


def _count(report: Report, shared: Sequence[Row]) -> int:
    ids = {row.id for row in shared}
    return sum(row.right is True for row in report.rows if row.id in ids)


def _mark(right: bool | None) -> str:
    return {True: "yes", False: "no", None: "undecided"}[right]
