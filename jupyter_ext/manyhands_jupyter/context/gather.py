"""What goes with one question: the variables it names, the cells around it, and the data."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from manyhands.errors import InputError
from manyhands.mind.condense import estimate_tokens
from manyhands_jupyter.context.cells import (
    Cell,
    Keep,
    cells_text,
    notebook_path,
    of_run,
    read_notebook,
)
from manyhands_jupyter.context.outputs import Ran, Recorder
from manyhands_jupyter.context.variables import describe, read

if TYPE_CHECKING:
    from IPython.core.interactiveshell import InteractiveShell

__all__ = ["CONTEXT_TOKENS", "Gathered", "gather", "mentions", "names_in", "table_of"]

#: For everything that a notebook adds to a question.
CONTEXT_TOKENS = 1600
_VARIABLES_SHARE = 0.5
#: A mentioned table up to this size is also given to the hands as data.
_GIVEN_BYTES = 20_000_000
_MENTION = re.compile(r"(?<![\w@.])@([A-Za-z_]\w*)|\{([A-Za-z_]\w*)\}")


@dataclass(frozen=True, slots=True)
class Gathered:
    """What is sent beside the question.

    Attributes:
        question: with `{df}` and `@df` replaced by the names themselves.
        context: label -> text.
        data: name -> table or path, for the hands.
        left_out: in words, what did not fit.
    """

    question: str
    context: Mapping[str, str] = field(default_factory=dict)
    data: Mapping[str, Any] = field(default_factory=dict)
    left_out: tuple[str, ...] = ()

    @property
    def tokens(self) -> int:
        return sum(estimate_tokens(text) for text in self.context.values())


def names_in(text: str) -> tuple[str, ...]:
    """The names that a text mentions as variables, be there such variables or not."""
    return tuple(dict.fromkeys(match[1] or match[2] for match in _MENTION.finditer(text)))


def mentions(text: str, namespace: Mapping[str, Any]) -> tuple[str, tuple[str, ...]]:
    """The text with mentions of variables as plain names, and those names; unknown ones stay."""
    names: dict[str, None] = {}

    def named(match: re.Match[str]) -> str:
        name = match[1] or match[2]
        if name not in namespace or name.startswith("__"):
            return match.group()
        names[name] = None
        return f"`{name}`"

    return _MENTION.sub(named, text), tuple(names)


def gather(
    shell: InteractiveShell,
    recorder: Recorder,
    text: str,
    *,
    data: Sequence[str] = (),
    around: bool = True,
    about: Ran | None = None,
    budget_tokens: int = CONTEXT_TOKENS,
    keep: Keep | None = None,
    own: re.Pattern[str] | None = None,
) -> Gathered:
    """Everything for one question, within the budget.

    Args:
        data: names of variables, or paths, that the hands get.
        around: whether cells and variables that the text does not name go along.
        about: the execution that the question is about: one that failed, or an output.
        keep: keeps pictures of outputs as files.
        own: cells whose source matches are left out: those that speak to the mind.

    Raises:
        InputError: a name in `data` is neither a variable nor a file.
    """
    namespace = shell.user_ns
    question, named = mentions(text, namespace)
    given: dict[str, Any] = {}
    for name in data:
        given[Path(name).stem if name not in namespace else name] = _data(name, namespace)
    context: dict[str, str] = {}
    left_out: list[str] = []
    first = tuple(dict.fromkeys((*named, *(name for name in data if name in namespace))))
    looked = read(namespace, () if around else first, first) if around or first else []
    if looked:
        described = describe(looked, int(budget_tokens * _VARIABLES_SHARE), first)
        if described.text:
            context["variables of the notebook"] = described.text
        if described.left_out:
            left_out.append(f"{len(described.left_out)} variables")
    for name in named:
        table = table_of(namespace[name])
        if table is not None and name not in given:
            given[name] = table
    if about is not None or around:
        room = budget_tokens - sum(estimate_tokens(said) for said in context.values())
        cells, at = _cells(namespace, recorder, about, own)
        told, dropped = cells_text(cells, at, room, keep) if cells else ("", 0)
        if told:
            context["cells of the notebook"] = told
        if dropped:
            left_out.append(f"{dropped} cells")
    return Gathered(question, context, given, tuple(left_out))


def _cells(
    namespace: Mapping[str, Any],
    recorder: Recorder,
    about: Ran | None,
    own: re.Pattern[str] | None,
) -> tuple[list[Cell], int]:
    """The cells to choose from, and which of them it is about.

    The order is that of the saved notebook where there is one; what ran in this kernel is newer
    than the file and replaces it. The cell that asks is left out: it is the question. A cell that
    is not in the file yet stands before the one that asks: it is what the user has just worked on.
    Nothing comes after a cell that the question is about: its text speaks of the last one.
    """
    asking = recorder.now()
    ran = [one for one in recorder.cells() if one.finished or one is about]
    if own is not None:
        ran = [one for one in ran if not own.match(one.source) or one is about]
    ran = [one for one in ran if one.source.strip()]
    live = {one.cell_id: of_run(one) for one in ran if one.cell_id}
    path = notebook_path(namespace)
    saved = read_notebook(path) if path is not None else []
    known = {cell.id for cell in saved}
    if asking not in known and not any(cell_id in known for cell_id in live):
        order = [of_run(one) for one in ran]
        last = len(order) - 1
        place = next((at for at, one in enumerate(ran) if one is about), last)
        return order[: place + 1], place
    wanted = about.cell_id if about is not None else ""
    order = [
        live.get(cell.id, cell)
        for cell in saved
        if cell.id in (wanted, asking) or own is None or not own.match(cell.source)
    ]
    place = next((at for at, cell in enumerate(order) if cell.id == asking), len(order))
    order[place : place + 1] = [cell for cell_id, cell in live.items() if cell_id not in known]
    place = max(0, place + len(live.keys() - known) - 1)
    place = min(place, len(order) - 1)
    if about is None:
        return order, place
    place = next((at for at, cell in enumerate(order) if cell.id == wanted), place)
    return order[: place + 1], place


def _data(name: str, namespace: Mapping[str, Any]) -> Any:
    if name in namespace:
        value = namespace[name]
        table = table_of(value, most=None)
        if table is None:
            raise InputError(
                f"The variable {name!r} is a {type(value).__name__}, which is no table.",
                hint="Give a data frame, a series, a list of dictionaries, or a path.",
            )
        return table
    if not Path(name).expanduser().is_file():
        raise InputError(
            f"There is neither a variable nor a file {name!r}.",
            hint="Define it first, or give the path of a CSV or JSON file.",
        )
    return Path(name).expanduser()


def table_of(value: Any, most: int | None = _GIVEN_BYTES) -> Any:
    """What the mind takes as a table: a data frame, rows, or a path; None for everything else.

    Args:
        most: tables with more bytes in memory are left out; None for no limit.
    """
    kind = f"{type(value).__module__.partition('.')[0]}.{type(value).__name__}"
    if kind == "pandas.Series":
        value = value.to_frame(name=value.name if value.name is not None else "value")
        kind = "pandas.DataFrame"
    if kind == "pandas.DataFrame":
        size = int(value.memory_usage(deep=False).sum())
        if most is not None and size > most:
            return None
        default = type(value.index).__name__ == "RangeIndex"
        return value if default else value.reset_index()
    if kind == "polars.DataFrame":
        if most is not None and value.estimated_size() > most:
            return None
        return value.to_dicts()
    if isinstance(value, list) and value and all(isinstance(row, dict) for row in value):
        return value
    if isinstance(value, Path) and value.is_file():
        return value
    return None
