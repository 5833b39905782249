"""Tables in binary formats: read by the hands' own Python in the sandbox, and so made CSV."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import anyio

from manyhands.checks.sandbox.contracts import RunStatus, SandboxPolicy, SandboxRun
from manyhands.errors import InputError
from manyhands.mind.data import (
    MAX_DATA_BYTES,
    DataFile,
    TableText,
    named_data,
    open_data,
    path_of,
)

__all__ = ["is_binary", "open_given"]

#: What pandas reads a file of this ending with.
_READERS = {
    ".parquet": "read_parquet",
    ".pq": "read_parquet",
    ".feather": "read_feather",
    ".arrow": "read_feather",
}
#: The index is a column where it was given a name.
_PROGRAM = """
import sys
import pandas
reader, path = sys.argv[1:]
try:
    frame = getattr(pandas, reader)(path)
    frame.to_csv("table.csv", index=any(name is not None for name in frame.index.names))
except Exception as error:
    sys.exit(f"{type(error).__name__}: {error}")
"""


async def open_given(
    given: Mapping[str, Any] | Sequence[str | Path] | str | Path, policy: SandboxPolicy
) -> dict[str, DataFile]:
    """`open_data`, also for Parquet and Feather; the event loop goes on meanwhile.

    Raises:
        InputError: a file or table cannot be used; it names the file and the fault.
        SandboxError: there is no sandbox to read a binary file in.
    """
    named = named_data(given)
    tables = {
        name: TableText(await _as_csv(path, policy), path)
        for name, path in _to_convert(named).items()
    }
    return await anyio.to_thread.run_sync(open_data, named | tables)


def is_binary(path: Path) -> bool:
    """Whether a file is named as one that is made CSV before a program reads it."""
    return path.suffix.lower() in _READERS


def _to_convert(named: Mapping[str, Any]) -> dict[str, Path]:
    """The files that only a library can read; one that is missing or too large is told later."""
    paths = {name: path_of(value) for name, value in named.items() if isinstance(value, str | Path)}
    return {
        name: path
        for name, path in paths.items()
        if is_binary(path) and path.is_file() and 0 < path.stat().st_size <= MAX_DATA_BYTES
    }


async def _as_csv(path: Path, policy: SandboxPolicy) -> bytes:
    from manyhands.checks.sandbox.runner import best_python, run

    await best_python(policy, "Reading a file of this kind")
    inside = f"given{path.suffix.lower()}"
    limits = replace(policy.limits, file_bytes=MAX_DATA_BYTES, disk_bytes=3 * MAX_DATA_BYTES)
    job = SandboxRun(
        code=_PROGRAM,
        args=(_READERS[path.suffix.lower()], inside),
        inputs={inside: path},
        collect=("table.csv",),
        limits=limits,
    )
    result = await run(job, policy)
    content = result.files.get("table.csv", b"")
    if result.status is not RunStatus.OK or not content:
        told = [result.limit, *result.refused_files.values(), *result.stderr.splitlines()[-1:]]
        why = next((one for one in told if one), str(result.status))
        raise InputError(
            f"Data file {str(path)!r} cannot be read as {path.suffix[1:]}: {why[:300]}",
            hint="Check the file, or save it as CSV.",
        )
    return content
