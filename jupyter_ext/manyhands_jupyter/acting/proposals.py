"""Cells that an answer proposes: found in its steps and its text, nothing done with them yet."""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from manyhands.hands.contracts import Artifact, HandName
from manyhands_jupyter.acting.private import names_bound, private_cell, read_code

if TYPE_CHECKING:
    from manyhands.mind.answer import Answer
    from manyhands_jupyter.acting.running import CellOutcome

__all__ = ["Proposal", "blocks_in", "proposals_of"]

_BLOCK = re.compile(r"^```(?:python|py)\s*\n(.*?)^```\s*$", re.M | re.S)

Fetch = Callable[[str], bytes]


@dataclass(slots=True)
class Proposal:
    """One proposed cell.

    Attributes:
        title: where it comes from.
        replaces: id of the cell that it would replace; empty when it would be a new one.
        before: the text of that cell.
        outcome: of its last run in the user's kernel; None before.
    """

    source: str
    title: str = ""
    replaces: str = ""
    before: str = ""
    outcome: CellOutcome | None = None
    _acts: Any = field(default=None, repr=False)

    @property
    def diff(self) -> str:
        """What a replacement would change; empty for a new cell."""
        if not self.replaces and not self.before:
            return ""
        lines = difflib.unified_diff(
            self.before.splitlines(), self.source.splitlines(), "now", "proposed", lineterm=""
        )
        return "\n".join(lines)

    def insert(self) -> None:
        """Put it into the notebook below this cell, undoably; nothing is run."""
        self._acts.insert(self)

    def replace(self) -> None:
        """Print the diff and put it in the place of the cell that it replaces, undoably."""
        print(self.diff)
        self._acts.replace(self)

    def run(self) -> CellOutcome:
        """Ask for approval, run it in this kernel, and give back what came out."""
        outcome: CellOutcome = self._acts.run_in_cell(self)
        return outcome

    def __str__(self) -> str:
        return f"# {self.title}\n{self.source}" if self.title else self.source


def blocks_in(text: str) -> list[str]:
    """The fenced Python blocks of a text."""
    return [block.rstrip() for block in _BLOCK.findall(text) if block.strip()]


def proposals_of(
    answer: Answer,
    fetch: Fetch,
    *,
    frame: Mapping[str, Any],
    tables: Mapping[str, str],
    paths: Mapping[str, str],
) -> list[Proposal]:
    """The cells that an answer proposes.

    Args:
        fetch: the content of an artifact.
        frame: the frame as JSON, whose steps name entry points and data.
        tables: data names that are variables of the notebook, and the code of their tables.
        paths: data names that are files, and where they lie.

    A cell that would write over the data, be they a variable or a file, is not proposed.
    """
    taken = {*tables, *paths}
    steps = {str(step.get("id")): step for step in frame.get("steps") or []}
    found = []
    for report in answer.steps:
        program = _program(report.result.artifacts)
        if program is None or report.hand not in (HandName.CODE, HandName.VISUALIZE):
            continue
        source = fetch(program.id).decode("utf-8", errors="replace").strip()
        step = steps.get(report.id, {})
        cell = _call if report.hand is HandName.CODE else _drawing
        source = cell(source, step, tables, paths)
        if not source or taken & names_bound(source):
            continue
        found.append(Proposal(source, f"step {report.id}: {report.result.status}"))
    if not found:
        found = [Proposal(block, "from the answer") for block in blocks_in(answer.text)]
    return found


def _program(artifacts: Sequence[Artifact]) -> Artifact | None:
    return next((item for item in artifacts if item.media_type == "text/x-python"), None)


def _call(
    source: str, step: Mapping[str, Any], tables: Mapping[str, str], paths: Mapping[str, str]
) -> str:
    """The program with a last line that calls its function on the notebook's own data."""
    entry, names = step.get("entry_point"), [str(name) for name in step.get("data") or []]
    made = {**tables, **{name: read_code(path) for name, path in paths.items()}}
    tables_read = [made.get(name, "") for name in names]
    if not entry or not names or not all(tables_read):
        return source
    given = ", ".join(f'{read}.to_dict("list")' for read in tables_read)
    head = "import pandas as pd\n\n" if "pd." in given else ""
    return f"{source}\n\n\n{head}{entry}({given})"


def _drawing(
    source: str, step: Mapping[str, Any], tables: Mapping[str, str], paths: Mapping[str, str]
) -> str:
    """The program in a folder of its own, with the data where they lay in its sandbox."""
    names = [str(name) for name in step.get("data") or []]
    if len(names) != 1:
        return ""
    (name,) = names
    return private_cell(source, name, path=paths.get(name, ""), table=tables.get(name, ""))
