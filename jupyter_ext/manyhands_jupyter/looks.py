"""What the control panel has the command line look at: the doctor's findings, and what fits."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from manyhands.errors import InputError
from manyhands_jupyter.command_line import run_manyhands

if TYPE_CHECKING:
    from manyhands_jupyter.session import Session

__all__ = ["Mark", "Row", "doctor_rows", "fit_rows"]

_GB = 1e9


class Mark(StrEnum):
    """What stands before a row."""

    PLAIN = "·"
    HEAD = ""
    OK = "✓"
    WARNING = "!"
    PROBLEM = "✗"


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the panel; `next` is the command or action that mends it."""

    text: str
    mark: Mark = Mark.PLAIN
    next: str = ""


async def doctor_rows(session: Session) -> list[Row]:
    """What `manyhands doctor` finds, each with its next action.

    Raises:
        InputError: it could not be run.
    """
    report = await _doctor(session)
    return [
        Row(f"{one['topic']}: {one['text']}", Mark[one["mark"].upper()], one["next"])
        for one in report["findings"]
    ]


async def fit_rows(session: Session) -> list[Row]:
    """What `manyhands doctor --fit` works out: for each tier, whether its model fits here.

    Raises:
        InputError: it could not be run.
    """
    report = await _doctor(session, "--fit")
    gpu = f"{report['vram'] / _GB:.1f} GB" if report["vram"] else "no memory"
    memory = f"{gpu} on a GPU and {report['ram'] / _GB:.1f} GB of RAM"
    rows = [Row(f"What fits in {memory} (computed)", Mark.HEAD)]
    on_cpu = {name for name, tier in session.settings.tiers.items() if tier.num_gpu == 0}
    rows += [_fit_row(one, on_cpu=one["tier"] in on_cpu) for one in report["models"]]
    rows += [Row(f"{tier}: {why}", Mark.WARNING) for tier, why in report["unknown"].items()]
    rows += [Row(f"{one} and {other} stay loaded together.") for one, other in report["together"]]
    rows += [Row(remark) for remark in report["remarks"]]
    profile = str(report["profile"])
    if profile != session.settings.profile:
        rows.append(
            Row(
                f"Profile for this memory: {profile}; yours is {session.settings.profile}.",
                next=f"manyhands setup --profile {profile}",
            )
        )
    return rows


def _fit_row(one: Mapping[str, Any], *, on_cpu: bool) -> Row:
    """One tier: whole on the GPU, partly in RAM, or not at all.

    Args:
        on_cpu: the settings want it in RAM.
    """
    size = f"{one['total'] / _GB:.1f} GB with a window of {one['num_ctx']} tokens"
    place = f"{one['on_gpu']:.0%} of it on the GPU" if one["on_gpu"] else "in RAM"
    mark = Mark.WARNING if one["spilled"] and not on_cpu else Mark.OK
    if not one["runs"]:
        place, mark = "does not fit", Mark.PROBLEM
    loads = f", loads in about {one['load_s']:.0f} s" if one["runs"] else ""
    return Row(f"{one['tier']} · {one['model']}: {size}, {place}{loads}", mark)


async def _doctor(session: Session, *options: str) -> dict[str, Any]:
    """The doctor's report."""
    _, out, err = await run_manyhands(session, "doctor", *options, "--json")
    try:
        report: dict[str, Any] = json.loads(out)
    except ValueError:
        said = err.strip()[-300:]
        raise InputError(f"The doctor did not answer: {said}", hint="manyhands doctor") from None
    return report
