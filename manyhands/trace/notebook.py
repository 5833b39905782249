"""A run as a notebook: its accepted programs in cells, with the outputs of their real runs."""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Callable
from typing import Any

from manyhands.hands.contracts import Evidence, EvidenceKind, HandName
from manyhands.mind.answer import Answer, StepReport
from manyhands.trace.lines import check_mark

__all__ = ["notebook_of"]

#: Looks at an artifact: name, media type, content.
Fetch = Callable[[str], tuple[str, str, bytes]]

_LOAD = '''import csv


def _number(text):
    try:
        return float(text)
    except ValueError:
        return text


def columns(path):
    """A CSV file as a dict of columns, the way the `code` hand gets its data."""
    with open(path, newline="", encoding="utf-8-sig") as lines:
        rows = list(csv.DictReader(lines))
    return {
        name.strip(): [_number(row[name]) if row[name] not in (None, "") else None for row in rows]
        for name in rows[0]
    }'''


def notebook_of(question: str, answer: Answer, fetch: Fetch, calls: dict[str, str]) -> str:
    """The notebook (nbformat 4.5) as JSON text.

    Args:
        calls: step id -> the Python expression that runs its function on the data.
    """
    said = "The models were scripted; the programs, checks and outputs are real.\n\n"
    cells = [
        _markdown(f"# {question}\n\n{said if answer.simulated else ''}Run `{answer.run_id}`."),
        _code(_LOAD, []),
    ]
    for step in answer.steps:
        cells.extend(_step_cells(step, fetch, calls.get(step.id, "")))
    cells.append(_markdown(f"## Answer ({answer.status})\n\n{answer.text}"))
    executed = 0
    for number, cell in enumerate(cells):
        if cell["cell_type"] == "code":
            executed += 1
            cell["execution_count"] = executed
        text = json.dumps(cell, sort_keys=True) + str(number)
        cell["id"] = hashlib.sha256(text.encode()).hexdigest()[:12]
    return json.dumps(
        {
            "cells": cells,
            "metadata": {
                "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
                "language_info": {"name": "python"},
            },
            "nbformat": 4,
            "nbformat_minor": 5,
        },
        ensure_ascii=False,
        indent=1,
    )


def _step_cells(step: StepReport, fetch: Fetch, call: str) -> list[dict[str, Any]]:
    result = step.result
    checks = "\n".join(map(_found, result.evidence))
    head = f"## {step.id} ({step.hand}): {result.status}\n\n{step.task}\n\n{checks}"
    cells = [_markdown(head)]
    programs = [item for item in result.artifacts if item.media_type == "text/x-python"]
    if step.hand is HandName.CODE and programs:
        source = fetch(programs[0].id)[2].decode("utf-8")
        outputs = [_text_output(result.value)] if call else []
        tail = f"\n\n\nimport json\n\nprint(json.dumps({call}))" if call else ""
        cells.append(_code(source + tail, outputs))
    elif step.hand is HandName.VISUALIZE and programs:
        pictures = [item for item in result.artifacts if item.media_type == "image/png"]
        outputs = [_picture_output(fetch(item.id)[2]) for item in pictures]
        cells.append(_code(fetch(programs[0].id)[2].decode("utf-8"), outputs))
    elif step.hand is HandName.MATH and result.value:
        cells.append(_markdown(f"```\n{result.value}\n```"))
    return cells


def _found(check: Evidence) -> str:
    """A line of Markdown; an opinion, which a model wrote, is quoted so that it formats nothing."""
    opinion = check.kind is EvidenceKind.OPINION
    said = " ".join(check.evidence.split())
    said = f"`{said.replace('`', chr(39))}`" if opinion else said
    return f"- {check_mark(check.passed, opinion=opinion)} **{check.name}**: {said}"


def _markdown(text: str) -> dict[str, Any]:
    return {"cell_type": "markdown", "metadata": {}, "source": text}


def _code(source: str, outputs: list[dict[str, Any]]) -> dict[str, Any]:
    return {
        "cell_type": "code",
        "execution_count": None,
        "metadata": {},
        "outputs": outputs,
        "source": source,
    }


def _text_output(text: str) -> dict[str, Any]:
    return {"output_type": "stream", "name": "stdout", "text": f"{text}\n"}


def _picture_output(png: bytes) -> dict[str, Any]:
    encoded = base64.b64encode(png).decode("ascii")
    return {"output_type": "display_data", "metadata": {}, "data": {"image/png": encoded}}
